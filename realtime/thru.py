"""What the human plays goes on to the output, apart from the machine's channels."""

from __future__ import annotations

from collections.abc import Set

from realtime.ledger import Ledger
from realtime.wire import Kind, Record


class Thru:
    """From HEARD to PLAY.

    A machine that releases its note must not cut the human's: what comes in on a channel that the
    machine plays on leaves on the first one that it leaves free, or on the last of all.

    Args:
        taken: channels, 0..15, that the machine plays on.
    """

    def __init__(self, taken: Set[int]) -> None:
        self._taken = taken
        self._free = next((channel for channel in range(16) if channel not in taken), 15)
        self._ledger = Ledger()

    def passed(self, record: Record) -> Record:
        """Due when the human played it, which is now."""
        status, channel = record.message[0] & 0xF0, record.message[0] & 0x0F
        if channel in self._taken:
            channel = self._free
        message = bytes((status | channel, *record.message[1:]))
        self._ledger.leaving(message)
        self._ledger.left(message)
        return Record(Kind.PLAY, message, due_ns=record.at_ns)

    def endings(self, at_ns: int) -> list[Record]:
        """The keyboard is gone: what ends all that it played."""
        ends, self._ledger = self._ledger.endings(), Ledger()
        return [Record(Kind.PLAY, message, due_ns=at_ns) for message in ends]
