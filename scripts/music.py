"""What ten minutes of music are like, in seven numbers. Shared by the scripts that measure music.

A stretch of music is its onsets: when (seconds, rising), which pitch, how hard, for how long.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.events import Event

WINDOW_S = 600.0
HOUR_S = 3600.0
FIGURE = 16  # notes
NOTES_AN_HOUR = 30_000

MEASURES = {
    "density": "onsets a second",
    "register": "mean pitch",
    "spread": "standard deviation of the pitch",
    "polyphony": "notes that sound, in the mean",
    "velocity": "mean velocity of the onsets",
    "entropy": "bits of the pitch classes",
    "repeats": "share of 16-note figures heard in the last hour",
}


class Note(NamedTuple):
    at_s: float
    pitch: int
    velocity: int
    length_s: float


def notes(events: Iterable[Event]) -> Iterator[Note]:
    """Each note of a stream, in the order in which they end. Releases of nothing are skipped."""
    at_s = 0.0
    struck: dict[int, tuple[float, int]] = {}
    for event in events:
        at_s += event.delta_s
        if event.pitch in struck:
            begun_s, velocity = struck.pop(event.pitch)
            yield Note(begun_s, event.pitch, velocity, at_s - begun_s)
        if event.is_onset:
            struck[event.pitch] = at_s, event.velocity
    for pitch, (begun_s, velocity) in struck.items():
        yield Note(begun_s, pitch, velocity, at_s - begun_s)


class Figures:
    """Remembers the 16-note figures (pitches, in the order struck) of the last hour."""

    def __init__(self) -> None:
        self._last: deque[int] = deque(maxlen=FIGURE)
        self._heard_s: dict[int, float] = {}

    def heard(self, at_s: float, pitch: int) -> bool:
        """Whether the figure that this note ends was heard within the hour before it."""
        self._last.append(pitch)
        if len(self._last) < FIGURE:
            return False
        figure = hash(tuple(self._last))
        before_s = self._heard_s.get(figure)
        self._heard_s[figure] = at_s
        if len(self._heard_s) > 2 * NOTES_AN_HOUR:
            self._heard_s = {f: s for f, s in self._heard_s.items() if at_s - s < HOUR_S}
        return before_s is not None and at_s - before_s < HOUR_S


def windows(music: Iterable[Note]) -> Iterator[dict[str, float]]:
    """The measures of each whole window of ten minutes, and how many notes it has."""
    figures = Figures()
    here: list[Note] = []
    end_s = WINDOW_S
    for note in in_order(music):
        while note.at_s >= end_s:
            yield _measures(here, figures)
            here = []
            end_s += WINDOW_S
        here.append(note)


def in_order(music: Iterable[Note], longest_s: float = 60.0) -> Iterator[Note]:
    """By onset, though notes come when they end: those that may still be overtaken wait."""
    waiting: list[Note] = []
    for note in music:
        waiting.append(note)
        if len(waiting) >= 4096:
            waiting.sort()
            until_s = max(n.at_s + n.length_s for n in waiting) - longest_s
            ready = sum(n.at_s < until_s for n in waiting)
            yield from waiting[:ready]
            del waiting[:ready]
    yield from sorted(waiting)


def _measures(music: list[Note], figures: Figures) -> dict[str, float]:
    if not music:
        return {"notes": 0.0} | dict.fromkeys(MEASURES, 0.0)
    _, pitch, velocity, length_s = (np.array(column) for column in zip(*music, strict=True))
    classes = np.bincount(pitch.astype(int) % 12, minlength=12) / len(music)
    classes = classes[classes > 0]
    return {
        "notes": float(len(music)),
        "density": len(music) / WINDOW_S,
        "register": float(pitch.mean()),
        "spread": float(pitch.std()),
        "polyphony": float(length_s.sum()) / WINDOW_S,
        "velocity": float(velocity.mean()),
        "entropy": float(-(classes * np.log2(classes)).sum()),
        "repeats": float(np.mean([figures.heard(n.at_s, n.pitch) for n in music])),
    }


def trend(values: NDArray[np.float64]) -> tuple[float, float]:
    """How much a straight line through the values rises over all of them, and its t value."""
    at = np.linspace(-0.5, 0.5, len(values))
    rise = float((at * (values - values.mean())).sum() / (at * at).sum())
    rest = values - values.mean() - rise * at
    error = float(np.sqrt((rest @ rest) / max(len(values) - 2, 1) / (at * at).sum()))
    return rise, rise / error if error else 0.0
