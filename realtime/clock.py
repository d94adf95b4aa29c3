"""Time, as a thing one passes in. Nobody else reads or waits on a clock."""

from __future__ import annotations

import contextlib
import select
import time
from typing import Protocol

from realtime.timer import Timer

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000


class Wakes(Protocol):
    """Something that can interrupt a wait by having something to read."""

    def fileno(self) -> int: ...


class Clock(Protocol):
    def now_ns(self) -> int:
        """Nanoseconds of the monotonic clock, which all processes of a machine share."""

    def wait_until(self, due_ns: int) -> bool:
        """Wait for `due_ns`; a moment that has passed is not waited for.

        Returns:
            True when there is something to read, which may be before `due_ns`.
        """


class RealClock:
    """The machine's clock.

    Args:
        wakes: a wait also ends as soon as this has something to read.
        spin_ns: the last part of each wait, in which the process stays awake and does not look
            at `wakes`. It takes the way out of sleep off the lateness, if nobody else can be
            given the core meanwhile: for real-time priority only. At normal priority it makes
            one late, for who uses up the core's time is made to wait.
    """

    def __init__(self, wakes: Wakes | None = None, spin_ns: int = 0) -> None:
        self._wakes = wakes
        self._spin_ns = spin_ns
        self._timer: Timer | None = None
        if wakes is not None:
            with contextlib.suppress(OSError):
                self._timer = Timer()

    def now_ns(self) -> int:
        return time.monotonic_ns()

    def wait_until(self, due_ns: int) -> bool:
        if self._sleep_until(due_ns - self._spin_ns):
            return True
        if self._spin_ns:
            while time.monotonic_ns() < due_ns:
                pass
        return False

    def _sleep_until(self, at_ns: int) -> bool:
        if self._wakes is not None and self._timer:
            self._timer.set(at_ns)
            return self._wakes in select.select([self._wakes, self._timer], [], [])[0]
        # Computed from the absolute time at each wait, so that lateness never adds up.
        left_s = max(0, at_ns - time.monotonic_ns()) / NS_PER_S
        if self._wakes is not None:
            # select, not poll: its timeout counts in microseconds, poll's in milliseconds.
            return bool(select.select([self._wakes], [], [], left_s)[0])
        time.sleep(left_s)  # noqa: TID251 - this is realtime.clock
        return False


class VirtualClock:
    """Time that passes only by waiting, and then at once: an hour takes no time at all."""

    def __init__(self, now_ns: int = 0) -> None:
        self._now_ns = now_ns

    def now_ns(self) -> int:
        return self._now_ns

    def wait_until(self, due_ns: int) -> bool:
        self._now_ns = max(self._now_ns, due_ns)
        return False
