"""What a musician asks for, told to the dice: what may not come, and what is to come more often.

A choice is ruled out, or its score gets a bias: 0 leaves it as likely as it was. Scores are
logits over the temperature, so that a bias means the same at every temperature.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.codec import Codec
from realtime.settings import KEYS, SCALES, Settings

Scores = NDArray[np.float64]

# Semitones from the centre of the register: there a note is 0.6 times as likely, twice as far
# away 0.14 times.
CENTER_PULL = 6
# With so many notes more than were asked for, a second until the next event gets tenfold likelier
# beside a tenth of a second.
AHEAD_NOTES = 10
E_FOLD_NOTES = 5  # so many make about e times as few come, with the network that comes along
OWN_DENSITY = 8.0  # notes a second, about what that network plays when nobody asks for any
MOST_AHEAD = 8 * AHEAD_NOTES
LONGEST_WAIT_NOTES = 10
CHORD_S = 0.05  # shorter times belong to a chord: that they are longer or shorter is no matter
CROWD = 16  # notes; with so many sounding nothing is held for longer


def ahead(before: float, struck: bool, asked: float, delta_s: float) -> float:
    """How many notes more than asked for there were, once an event has come: -80..80.

    Args:
        before: the same, before the event.
        struck: whether it is a note of the machine.
        asked: notes a second; 0 leaves things as they are.
        delta_s: since the event before.
    """
    if not asked:
        return before
    # A long silence, as of a paused song, is not to be made up for.
    missing = min(asked * delta_s, AHEAD_NOTES)
    return min(max(before + struck - missing, -MOST_AHEAD), MOST_AHEAD)


def asked_otherwise(before: float, asked: float, now_asked: float) -> float:
    """What `ahead` is from now on: it need not be learned anew how the network takes it."""
    return before + E_FOLD_NOTES * math.log(asked / now_asked)


def of_times(ahead: float, codec: Codec) -> Scores:
    """float64 [time bins]: the next event comes later where there were too many notes.

    What was too much is made up for in the end, so over time exactly as many come as asked for,
    however many the network would play: it hears all of it, and plays on in the same way.
    """
    return ahead / AHEAD_NOTES * _log_times(codec)


def longest_wait_s(asked: float) -> float:
    """Until the next event, with so many notes a second asked for: else it is heard as silence.

    Seconds as the model counts them. However few notes are owed, `of_times` alone leaves a chance
    for each of its times, and the longest are longer than anybody waits.

    >>> longest_wait_s(4)
    2.5
    """
    return LONGEST_WAIT_NOTES / asked if asked else math.inf


def of_release(settings: Settings, sounding: int) -> float:
    """For each note that could be released: sooner when notes are to be held shorter."""
    if settings.articulation <= 1:
        return -math.log(settings.articulation)
    # What is never released drowns the music, and the network loses its way in it.
    return -math.log(settings.articulation) * max(1 - sounding / CROWD, 0)


class Strikes(NamedTuple):
    """Which notes to strike. Releases are not concerned."""

    never: frozenset[int] = frozenset()
    bias: Scores | None = None  # [notes]

    def leaning(self, bias: Scores | None) -> Strikes:
        """With a bias, [notes], on top of their own."""
        if bias is None:
            return self
        return self._replace(bias=bias if self.bias is None else self.bias + bias)


def of_strikes(settings: Settings, codec: Codec) -> Strikes:
    """By register and scale. Where they have no note in common the scale gives way."""
    return _of_strikes(
        codec.lowest_pitch,
        codec.notes,
        settings.register_low,
        settings.register_high,
        settings.register_center,
        settings.key,
        settings.scale,
        settings.key_strength,
    )


def which_not_whether(scores: Scores, strikes: Strikes, others: Collection[int]) -> Scores:
    """A bias by which all strikes together stay as likely as they were.

    So a narrow register or a scale makes for other notes, not for fewer.

    Args:
        scores: [notes], of strikes and releases.
        strikes: as they are wanted.
        others: the notes that cannot be struck, whoever wants them.

    >>> which_not_whether(np.zeros(3), Strikes(never=frozenset({0})), [2]).round(3).tolist()
    [0.0, 0.693, 0.0]
    """
    left_alone = [*others, *strikes.never]
    bias = np.zeros(len(scores)) if strikes.bias is None else strikes.bias.copy()
    silent = scores.copy()
    silent.put(list(others), -np.inf)
    wanted = silent + bias
    wanted.put(left_alone, -np.inf)
    kept = _log_sum(silent) - _log_sum(wanted)
    if not math.isfinite(kept):
        return np.zeros(len(scores))
    bias += kept
    bias.put(left_alone, 0)
    return bias


def never_velocities(settings: Settings) -> frozenset[int]:
    """With which no note is struck. The range is that of what is played, after scaling."""
    low, high = settings.velocity_low, settings.velocity_high
    return _never_velocities(low, high, settings.velocity_scale)


def _log_sum(scores: Scores) -> float:
    """Of -inf alone -inf; not a number if one of them is none."""
    most = float(scores[scores.argmax()])  # what is not a number counts as the most
    return most + math.log(np.exp(scores - most).sum()) if math.isfinite(most) else most


@lru_cache(maxsize=4)
def _log_times(codec: Codec) -> Scores:
    return np.log(np.array(codec.values_s) + CHORD_S)


@lru_cache(maxsize=64)
def _of_strikes(
    lowest: int,
    notes: int,
    low: int,
    high: int,
    center: int,
    key: str,
    scale: str,
    strength: float,
) -> Strikes:
    bias = np.zeros(notes)
    # Of a register that the model does not have, the nearest note that it has.
    low, high = (min(max(end, lowest), lowest + notes - 1) - lowest for end in (low, high))
    register = frozenset(range(low, high + 1))
    never = frozenset(range(notes)) - register
    if center:
        bias -= ((np.arange(lowest, lowest + notes) - center) / CENTER_PULL) ** 2 / 2
    if key != "off" and strength:
        above_key = (np.arange(lowest, lowest + notes) - KEYS.index(key)) % 12
        outside = ~np.isin(above_key, SCALES[scale])
        if strength < 1:
            bias[outside] += np.log1p(-strength)
        elif rest := register - {int(note) for note in outside.nonzero()[0]}:
            never = frozenset(range(notes)) - rest
    return Strikes(never, bias if bias.any() else None)


@lru_cache(maxsize=64)
def _never_velocities(low: int, high: int, scale: float) -> frozenset[int]:
    played = np.clip(np.round(np.arange(1, 128) * scale), 1, 127)
    beyond = np.maximum(low - played, 0) + np.maximum(played - high, 0)
    # Of a range that scaling does not reach, what comes nearest.
    return frozenset({0} | {int(v) + 1 for v in (beyond > beyond.min()).nonzero()[0]})
