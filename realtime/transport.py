"""Where the song stands, counted from the bytes of a MIDI clock."""

from __future__ import annotations

from collections.abc import Callable

from realtime.wire import CONTINUE, START, STOP, TICK, Kind, Record

TICKS_PER_SIXTEENTH = 6  # which is what Song Position counts in


class Transport:
    """Clock messages in, CLOCK records out: each tick with its number in the song.

    Args:
        tell: is given the records.
        before: (number, at_ns, interval_ns) of the last tick that a transport before this one
            counted; those between its last and our first are counted by the time.
    """

    def __init__(
        self, tell: Callable[[Record], None], before: tuple[int, int, float] | None = None
    ) -> None:
        self._tell = tell
        self._before = before
        self._rolling = before is not None
        self._next = 0  # number of the next tick
        self._from = 0  # number of the tick that Continue continues with

    def heard(self, message: bytes, at_ns: int) -> None:
        """A tick, Start, Continue, Stop or Song Position."""
        if message == TICK:
            if self._before:
                number, last_ns, interval_ns = self._before
                self._next = number + max(1, round((at_ns - last_ns) / interval_ns))
            number = self._next
            self._next += 1
        else:
            number = 0
            self._move(message)
        self._before = None
        self._tell(Record(Kind.CLOCK, message, at_ns=at_ns, epoch=number))

    def _move(self, message: bytes) -> None:
        if message == START:
            self._rolling, self._next = True, 0
        elif message == CONTINUE:
            self._rolling, self._next = True, self._from
        elif message == STOP:
            self._rolling, self._from = False, self._next
        else:
            self._from = (message[1] | message[2] << 7) * TICKS_PER_SIXTEENTH
            if self._rolling:
                self._next = self._from
