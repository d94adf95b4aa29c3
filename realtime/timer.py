"""Linux' timer, as something to wait for beside a pipe."""

from __future__ import annotations

import ctypes
import os
import sys
import time

_ABSOLUTE = 1  # TFD_TIMER_ABSTIME, linux/timerfd.h


class Timer:
    """A file that can be read once its time has come.

    At normal priority the kernel lets a `select` be late by a thousandth of its timeout, so that
    it may end several at once. A timer it does not.

    Raises:
        OSError: this system has none.
    """

    _fd = -1

    def __init__(self) -> None:
        if sys.platform != "linux":
            raise OSError("only Linux has timers that are files")
        libc = ctypes.CDLL(None)
        self._set = libc.timerfd_settime  # Python has it from 3.13 on
        self._fd = libc.timerfd_create(time.CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            raise OSError("the system refuses a timer")
        self._when = (ctypes.c_long * 4)()  # an interval, not used, and the time: s, ns each

    def fileno(self) -> int:
        return self._fd

    def set(self, at_ns: int) -> None:
        """From now on it cannot be read until then; at once, if that has passed."""
        self._when[2], self._when[3] = divmod(max(at_ns, 1), 1_000_000_000)  # 0 would stop it
        self._set(self._fd, _ABSOLUTE, self._when, None)

    def __del__(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
