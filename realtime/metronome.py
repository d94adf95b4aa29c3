"""The clock that we send: 24 ticks a beat, at moments that do not drift."""

from __future__ import annotations

from collections.abc import Iterator

from realtime.clock import NS_PER_MS, NS_PER_S
from realtime.wire import START, TICK, Kind, Record

AHEAD_NS = 250 * NS_PER_MS  # how far ticks are written ahead: two of the slowest
READY_NS = 10 * NS_PER_MS  # from Start to the first tick: who hears it may need 1 ms
BEHIND_NS = 100 * NS_PER_MS  # later than this, the beat goes on from now: the computer slept


class Metronome:
    """Writes PLAY records of Start and ticks.

    Args:
        bpm: beats (quarter notes) a minute, 20..400.
        start_ns: when Start is due.
    """

    def __init__(self, bpm: float, start_ns: int) -> None:
        self._interval_ns = 60 * NS_PER_S / 24 / bpm
        self._start_ns = start_ns
        self._first_ns = start_ns + READY_NS
        self._number = -1  # of the next tick, counted from `_first_ns`; -1 is Start

    def plan(self, now_ns: int) -> Iterator[Record]:
        """What is due until a moment ahead of now. Call at least once a tick."""
        if now_ns - self._due_ns > BEHIND_NS and self._number >= 0:
            self._first_ns, self._number = now_ns, 0
        while self._due_ns < now_ns + AHEAD_NS:
            yield Record(Kind.PLAY, TICK if self._number >= 0 else START, self._due_ns)
            self._number += 1

    @property
    def _due_ns(self) -> int:
        # Computed from the first tick each time, so that no rounding adds up.
        if self._number < 0:
            return self._start_ns
        return self._first_ns + round(self._number * self._interval_ns)
