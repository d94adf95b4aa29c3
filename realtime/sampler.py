"""What comes next: logits and settings to one token, by chance, within what may be played.

What may not be played is ruled out before the dice are thrown, never repaired afterwards: a
stream sampled here releases only what sounds and strikes only what is silent.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Set

import numpy as np

from core.codec import Codec, Token
from realtime.engine import Engine, Floats
from realtime.settings import Settings


def sample(
    engine: Engine,
    codec: Codec,
    settings: Settings,
    rng: np.random.Generator,
    *,
    sounding: Set[int] = frozenset(),
    struck_now: Set[int] = frozenset(),
    held: Set[int] = frozenset(),
    time_bin: int | None = None,
) -> Token:
    """Choose when, then which note, then how hard. Does not step the engine.

    A sounding note is released, a silent one struck. The same rng gives the same tokens.

    Args:
        engine: heard the stream so far.
        codec: of the engine's checkpoint.
        settings: how daring.
        rng: two or three draws are taken from it.
        sounding: notes (not pitches) that the stream struck and has not released.
        struck_now: notes struck at the instant of the stream's last event. They are left alone
            at that instant, for a release would come before its onset.
        held: notes that the human holds. They are left alone.
        time_bin: when, if that is not for the model to say; beyond the stream's last event.

    Raises:
        ValueError: the human holds every note there is.
    """
    if len(held) >= codec.notes:
        raise ValueError("no note is left to play while the human holds them all")
    left_alone = held
    if time_bin is None:
        at_once = held | struck_now if codec.values_s[0] == 0 else held
        must_wait = len(at_once) >= codec.notes
        time_bin = _draw(engine.time_logits(), (0,) if must_wait else (), settings, rng)
        if time_bin == 0:
            left_alone = at_once
    note = _draw(engine.note_logits(time_bin), left_alone, settings, rng)
    if note in sounding:
        return Token(note, 0, time_bin)
    velocity = _draw(engine.velocity_logits(time_bin, note), (0,), settings, rng)
    return Token(note, velocity, time_bin)


def _draw(
    logits: Floats, ruled_out: Collection[int], settings: Settings, rng: np.random.Generator
) -> int:
    """One choice of those not ruled out, of which there is at least one."""
    costs = np.divide(logits, -settings.temperature, dtype=np.float64)
    rest = list(ruled_out)
    if rest:
        costs[rest] = np.inf
    likeliest_first = costs.argsort()  # what is not a number comes last
    least = costs[likeliest_first[0]]
    if not math.isfinite(least) or math.isnan(costs[likeliest_first[-1]]):
        # Weights so large that they overflow: a network without a preference goes on playing.
        costs[:] = 0
        costs[rest] = np.inf
        likeliest_first, least = costs.argsort(), 0.0
    chances = np.exp(least - costs[likeliest_first]).cumsum()
    top = chances[chances.searchsorted(settings.top_p * chances[-1])]
    return int(likeliest_first[chances.searchsorted(rng.random() * top, "right")])
