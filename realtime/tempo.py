"""Where the song is: a line through clock ticks that arrive with jitter, 24 to a beat.

No port and no process of its own: ticks and moments come in, beats go out. A single tick tells
little: a sound server hands ticks on in periods, a busy computer late. So the line goes through
the last beats, as many as agree with each other: four while the tempo holds, fewer after it
changed.
"""

from __future__ import annotations

from collections import deque
from itertools import pairwise
from typing import NamedTuple

from realtime.clock import NS_PER_S
from realtime.wire import CONTINUE, START, STOP, TICK

TICKS_PER_BEAT = 24

# Ticks that a line may go through, the most first: four beats down to a sixteenth note.
_SPANS = (96, 48, 24, 12, 6)
_FEWEST = _SPANS[-1]
_ENOUGH = 24  # ticks, to know where the next one should be
_UNDECIDED = 12  # ticks after a gap of which no three in a row agree: it is something else
_SHORTEST_NS, _LONGEST_NS = (60 * NS_PER_S / TICKS_PER_BEAT / bpm for bpm in (500, 10))
_GONE_NS = NS_PER_S  # a clock that was silent for so long begins anew


class Line(NamedTuple):
    """Beats (quarter notes, counted from the beginning of the song) against moments."""

    zero_ns: float  # the moment of beat 0
    beat_ns: float

    @property
    def bpm(self) -> float:
        return 60 * NS_PER_S / self.beat_ns

    @property
    def tick_ns(self) -> float:
        return self.beat_ns / TICKS_PER_BEAT

    def beat_at(self, at_ns: float) -> float:
        return (at_ns - self.zero_ns) / self.beat_ns

    def ns_at(self, beat: float) -> int:
        return round(self.zero_ns + beat * self.beat_ns)


class Tempo:
    """Told of each message of a clock.

    While no ticks come any more, and nobody said stop, the song goes on at its last tempo.
    """

    def __init__(self) -> None:
        self.rolling = False  # between Start or Continue and Stop
        # From the first tick, or at first from a sixteenth on; None until then.
        self.line: Line | None = None
        self._ticks: deque[tuple[int, int]] = deque(maxlen=_SPANS[0])  # (number, at_ns)
        self._interval_ns: float | None = None  # the latest, between two ticks
        self._uncounted = 0  # ticks that were sent and did not arrive
        self._before: Line | None = None  # a gap, after which it must show whether ticks were lost
        self._after: list[float] = []  # how late the ticks since the gap are, in ticks

    def heard(self, message: bytes, at_ns: int, number: int = 0) -> None:
        """One message of the clock.

        Args:
            message: tick, Start, Continue, Stop or Song Position.
            at_ns: when it arrived, or is due.
            number: of a tick, counted from the beginning of the song.
        """
        if message == TICK:
            self._tick(number, at_ns)
        elif message == STOP:
            self.rolling = False
        else:
            # The next tick is somewhere else in the song, and comes when the sender likes.
            self._forget()
            self._uncounted = 0
            self.rolling = self.rolling or message in (START, CONTINUE)

    def _forget(self) -> None:
        self._ticks.clear()
        self.line = self._before = None

    def _tick(self, number: int, at_ns: int) -> None:
        number += self._uncounted
        if self._ticks:
            last, last_ns = self._ticks[-1]
            if number <= last or at_ns - last_ns > _GONE_NS:
                self._forget()
        number += self._lost_before(number, at_ns)
        self._ticks.append((number, at_ns))
        # Small numbers: the sums of their squares are exact.
        xs = [float(n - number) for n, _ in self._ticks]
        ys = [float(ns - at_ns) for _, ns in self._ticks]
        if len(xs) >= _FEWEST:
            self._interval_ns, off_ns = _newest_line(xs, ys)
        elif self._interval_ns is not None:
            off_ns = _mean([y - self._interval_ns * x for x, y in zip(xs, ys, strict=True)])
        else:
            return
        zero_ns = at_ns + off_ns - number * self._interval_ns
        self.line = Line(zero_ns, self._interval_ns * TICKS_PER_BEAT)

    def _lost_before(self, number: int, at_ns: int) -> int:
        """How many ticks turn out to have been lost, when three in a row say the same.

        A sound server that was held up drops what it should have handed on. If it was a tick, all
        that follow are late by one; after a mere delay they come in a bunch, and soon on time.
        """
        if self._before is None and self.line and len(self._ticks) >= _ENOUGH:
            last, last_ns = self._ticks[-1]
            if (at_ns - last_ns) / self.line.tick_ns > number - last + 0.6:
                self._before, self._after = self.line, []
        if self._before is None:
            return 0
        late_ns = at_ns - self._before.ns_at(number / TICKS_PER_BEAT)
        self._after.append(late_ns / self._before.tick_ns)
        three = sorted(self._after[-3:])
        if len(three) < 3 or three[2] - three[0] > 0.3:
            if len(self._after) == _UNDECIDED:
                self._before = None
            return 0
        self._before = None
        lost = max(round(three[1]), 0)
        for back in range(1, len(self._after)):
            earlier, earlier_ns = self._ticks[-back]
            self._ticks[-back] = earlier + lost, earlier_ns
        self._uncounted += lost
        return lost


def _newest_line(xs: list[float], ys: list[float]) -> tuple[float, float]:
    """Slope, and height at 0, of the longest line that the newest points do not contradict."""
    # How far a single tick may be off, as the changes between neighbouring intervals tell. The
    # second largest, for a change of tempo is one such change; a tick that is late makes three.
    intervals = [after - before for before, after in pairwise(ys)]
    changes = [abs(after - before) for before, after in pairwise(intervals)]
    allowed = sorted(changes)[-2] / 2
    for span in _SPANS:
        if span >= 2 * len(xs):
            continue
        slope, height = _line(xs[-span:], ys[-span:])
        off = [y - height - slope * x for x, y in zip(xs[-6:], ys[-6:], strict=True)]
        # Medians, for a single late tick contradicts nothing.
        if abs(_median(off)) <= allowed and abs(_median(off[-3:])) <= allowed:
            break
    return slope, height


def _line(xs: list[float], ys: list[float]) -> tuple[float, float]:
    """Least squares, without the few points that are far off."""
    slope, height = _least_squares(xs, ys)
    off = [abs(y - height - slope * x) for x, y in zip(xs, ys, strict=True)]
    far = max(3 * _median(off), 1.0)
    if max(off) <= far:
        return slope, height
    near = [(x, y) for x, y, o in zip(xs, ys, off, strict=True) if o <= far]
    return _least_squares([x for x, _ in near], [y for _, y in near])


def _least_squares(xs: list[float], ys: list[float]) -> tuple[float, float]:
    """No flatter or steeper than any tempo."""
    mean_x, mean_y = _mean(xs), _mean(ys)
    covariance = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True))
    slope = covariance / sum((x - mean_x) ** 2 for x in xs)
    slope = min(max(slope, _SHORTEST_NS), _LONGEST_NS)
    return slope, mean_y - slope * mean_x


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]
