"""What comes next: logits and settings to one token, by chance, within what may be played.

What may not be played is ruled out before the dice are thrown, never repaired afterwards: a
stream sampled here releases only what sounds and strikes only what is silent.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Set

import numpy as np

from core.codec import Codec, Token
from realtime.bias import (
    Scores,
    Strikes,
    longest_wait_s,
    never_velocities,
    of_release,
    of_strikes,
    of_times,
    which_not_whether,
)
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
    theirs_too: bool = False,
    time_bin: int | None = None,
    waited_s: float = 0.0,
    ahead: float = 0.0,
    leaning: Scores | None = None,
) -> Token:
    """Choose when, then which note, then how hard. Does not step the engine.

    A sounding note is released, a silent one struck. The same rng gives the same tokens.

    Args:
        engine: heard the stream so far.
        codec: of the engine's checkpoint.
        settings: what the musician asks for. Where nothing else may be played, because the human
            holds all that would be left, register and scale give way.
        rng: two or three draws are taken from it.
        sounding: notes (not pitches) that the stream struck and has not released.
        struck_now: notes struck at the instant of the stream's last event. They are left alone
            at that instant, for a release would come before its onset.
        held: notes that the human holds. They are left alone.
        theirs_too: but their release may come, for the human to play.
        time_bin: when, if that is not for the model to say; beyond the stream's last event.
        waited_s: how long nothing has come since the stream's last event; nor does it now.
        ahead: how many notes were struck beyond the density that the settings ask for.
        leaning: [notes], a bias of what is struck, on top of that of the settings.

    Raises:
        ValueError: the human holds every note there is.
    """
    if len(held) >= codec.notes:
        raise ValueError("no note is left to play while the human holds them all")
    every = range(codec.notes)
    strikes = of_strikes(settings, codec)
    if len(sounding) >= settings.polyphony and len(sounding - held) >= settings.polyphony:
        strikes = Strikes(never=frozenset(every))
    never = strikes.never - sounding
    left_alone = frozenset() if theirs_too else held
    if time_bin is None:
        at_once = left_alone | struck_now if codec.values_s[0] == 0 else left_alone
        must_wait = len(at_once | never) >= codec.notes
        times = _costs(engine.time_logits(), settings.temperature * settings.temperature_time)
        if settings.density:
            times -= of_times(ahead, codec)
        first = max(bisect_left(codec.values_s, waited_s), int(must_wait))
        first = min(first, codec.time_bins - 1)
        last = max(first, bisect_right(codec.values_s, longest_wait_s(settings.density)) - 1)
        too_soon_or_late = [*range(first), *range(last + 1, codec.time_bins)]
        time_bin = _draw(times, too_soon_or_late, settings, rng)
        if time_bin == 0:
            left_alone = at_once
    if len(left_alone | never) >= codec.notes:
        strikes, never = Strikes(), frozenset()
    notes = _costs(engine.note_logits(time_bin), settings.temperature * settings.temperature_note)
    strikes = strikes.leaning(leaning)
    if strikes.never or strikes.bias is not None:
        notes -= which_not_whether(-notes, strikes, sounding | left_alone)
    if settings.articulation != 1 and sounding:
        notes[list(sounding)] -= of_release(settings, len(sounding))
    note = _draw(notes, left_alone | never, settings, rng)
    if note in sounding:
        return Token(note, 0, time_bin)
    velocities = _costs(
        engine.velocity_logits(time_bin, note),
        settings.temperature * settings.temperature_velocity,
    )
    return Token(note, _draw(velocities, never_velocities(settings), settings, rng), time_bin)


def _costs(logits: Floats, temperature: float) -> Scores:
    """What is likely is cheap."""
    return np.divide(logits, -temperature, dtype=np.float64)


def _draw(
    costs: Scores, ruled_out: Collection[int], settings: Settings, rng: np.random.Generator
) -> int:
    """One choice of those not ruled out, of which there is at least one."""
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
    chances = np.exp(least - costs[likeliest_first])
    if settings.floor:
        likely = chances >= settings.floor * chances.sum()
        likely[0] = True
        chances *= likely
    chances = chances.cumsum()
    top = chances[chances.searchsorted(settings.top_p * chances[-1])]
    return int(likeliest_first[chances.searchsorted(rng.random() * top, "right")])
