"""How much strangers may say: so many messages at once, and so many a second."""

from __future__ import annotations


class Allowance:
    """Is spent by messages, and grows again with time."""

    def __init__(self, at_once: int, per_second: int) -> None:
        self._at_once = at_once
        self._per_second = per_second
        self._left = float(at_once)
        self._at_ns = 0

    def pays(self, messages: int, at_ns: int) -> bool:
        """Whether so many may pass now; then they are paid for."""
        earned = (at_ns - self._at_ns) * self._per_second / 1e9
        self._left = min(self._left + earned, self._at_once)
        self._at_ns = at_ns
        if self._left < messages:
            return False
        self._left -= messages
        return True
