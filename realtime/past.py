"""What went before the stream: the engine hears it, as if it had been there."""

from __future__ import annotations

from collections.abc import Iterable

from core.codec import Codec
from core.events import Event
from realtime.engine import Engine
from realtime.keeping import NOTHING, Keeping


def recall(
    engine: Engine, codec: Codec, music: Iterable[Event], keeping: Keeping = NOTHING
) -> Keeping:
    """Let the engine hear music that went before, and let go what that left sounding.

    Returns what is kept of that and of `keeping`, which went before it.

    The stream stays legal: releases of nothing and pitches without a note are not heard, only
    their time is; a note struck while it sounds is released first.
    """
    sounding: set[int] = set()
    delta_s = 0.0
    for event in music:
        delta_s += event.delta_s
        if not codec.holds(event.pitch) or not (event.is_onset or event.pitch in sounding):
            continue
        if event.is_onset and event.pitch in sounding:
            engine.step(codec.encode(Event(delta_s, event.pitch, 0)))
            delta_s = 0.0
        engine.step(codec.encode(Event(delta_s, event.pitch, event.velocity)))
        delta_s = 0.0
        if event.is_onset:
            keeping = keeping.and_struck(event.pitch)
        sounding = sounding | {event.pitch} if event.is_onset else sounding - {event.pitch}
    for pitch in sorted(sounding):
        engine.step(codec.encode(Event(0.0, pitch, 0)))
    return keeping
