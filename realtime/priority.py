"""Asking the operating system to be on time. Whatever it refuses is done without.

Call `ask` before any thread or port is made, so that they inherit it, and `lock_memory` when
everything is loaded.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import struct
import sys

FIFO_PRIORITY = 50  # 1..99; the sound server usually has 10 or 88, interrupts 50
_PR_SET_TIMERSLACK = 29  # linux/prctl.h
_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}  # by machine; glibc before 2.41 has no name for it
_SHORTEST_SLICE_NS = 100_000  # Linux' own limit
_MCL_CURRENT = 1  # sys/mman.h
_TIME_CONSTRAINT_POLICY = 2  # mach/thread_policy.h


def ask() -> dict[str, bool]:
    """Returns what was granted: 'realtime' scheduling and a 'fine_timer'."""
    if sys.platform == "linux":
        realtime = _fifo()
        if not realtime:
            take_short_turns()
        return {"realtime": realtime, "fine_timer": _libc_says_yes("prctl", _PR_SET_TIMERSLACK, 1)}
    if sys.platform == "darwin":
        return {"realtime": _time_constraint(), "fine_timer": True}
    if sys.platform == "win32":
        return {"realtime": _pro_audio(), "fine_timer": ctypes.windll.winmm.timeBeginPeriod(1) == 0}
    return {"realtime": False, "fine_timer": False}


def lock_memory() -> bool:
    """Keep what is loaded now in memory; what is loaded later may still be swapped out.

    Locking the future too would make allocations fail at a small limit, and none is needed.
    """
    return sys.platform == "linux" and _libc_says_yes("mlockall", _MCL_CURRENT)


def _libc_says_yes(function: str, *arguments: int) -> bool:
    with contextlib.suppress(OSError, AttributeError):
        result: int = getattr(ctypes.CDLL(None), function)(*map(ctypes.c_ulong, arguments))
        return result == 0
    return False


def _fifo() -> bool:
    if sys.platform != "linux":
        return False
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(FIFO_PRIORITY))
    except OSError:
        return False
    return True


def take_short_turns() -> None:
    """Without real-time priority: let others wait less for us, and be let in sooner in return.

    Since 6.12 Linux runs first whose turn would end first, and lets anybody ask for shorter turns
    (https://docs.kernel.org/scheduler/sched-eevdf.html). Before that it says yes and does nothing.
    Threads and processes started later inherit it.
    """
    _take_turns(_SHORTEST_SLICE_NS)


def take_long_turns() -> None:
    """As long as Linux thinks fit: for who computes, and lets in who only passes things on."""
    _take_turns(0)


def _take_turns(slice_ns: int) -> None:
    if sys.platform != "linux" or os.sched_getscheduler(0) != os.SCHED_OTHER:
        return  # whoever started us knows better
    if number := _SCHED_SETATTR.get(platform.machine()):
        nice = os.getpriority(os.PRIO_PROCESS, 0)  # stays as it is
        # struct sched_attr: size, policy, flags, nice, priority, runtime, deadline, period
        form = "=IIQiIQQQ"
        size = struct.calcsize(form)
        fields = struct.pack(form, size, os.SCHED_OTHER, 0, nice, 0, slice_ns, 0, 0)
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).syscall(ctypes.c_long(number), 0, fields, 0)


def _time_constraint() -> bool:
    """Promise to work for 1 ms at most, and be given it within 2 ms of waking up."""
    with contextlib.suppress(OSError, AttributeError):
        mach = ctypes.CDLL(None)
        numer_denom = (ctypes.c_uint32 * 2)()
        mach.mach_timebase_info(numer_denom)
        ticks_per_ms = 1_000_000 * numer_denom[1] // numer_denom[0]
        # period (0: none), computation, constraint, preemptible
        policy = (ctypes.c_uint32 * 4)(0, ticks_per_ms, 2 * ticks_per_ms, 1)
        thread = mach.mach_thread_self()
        result: int = mach.thread_policy_set(thread, _TIME_CONSTRAINT_POLICY, policy, 4)
        return result == 0
    return False


def _pro_audio() -> bool:
    """Windows' Multimedia Class Scheduler."""
    if sys.platform != "win32":
        return False
    with contextlib.suppress(OSError, AttributeError):
        task = ctypes.c_uint32()
        avrt = ctypes.windll.avrt
        avrt.AvSetMmThreadCharacteristicsW.restype = ctypes.c_void_p
        return bool(avrt.AvSetMmThreadCharacteristicsW("Pro Audio", ctypes.byref(task)))
    return False
