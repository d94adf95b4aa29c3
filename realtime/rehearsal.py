"""A rehearsal: to play without a MIDI port."""

from __future__ import annotations

from collections import deque


class MemoryPort:
    """An output that keeps what it is sent, for rehearsal and for tests.

    Args:
        keep: how many messages, the last ones; None keeps them all.
    """

    name = "rehearsal"
    virtual = True
    on_jack = False

    def __init__(self, keep: int | None = None) -> None:
        self.sent: deque[bytes] = deque(maxlen=keep)

    def send(self, message: bytes) -> None:
        self.sent.append(message)

    def present(self) -> bool:
        return True

    def watch(self, _server: object) -> None:
        pass

    def away(self) -> bool:
        return False

    def gone(self, _now_ns: int) -> bool:
        return False

    def connected(self) -> bool:
        return True

    def connect(self) -> bool:
        return True

    def close(self) -> None:
        pass
