"""Plants one exception in a room of the product, whose code knows nothing of it.

Python imports this file by itself when its folder is on PYTHONPATH. COMPOSER_PLANT names the room,
COMPOSER_FUSE a file: the first process that finds it takes it away, and raises in that room.
"""

import importlib.util
import os
import signal
import sys
import threading
import time
from functools import wraps
from pathlib import Path

ROOMS = {
    "clock": ("realtime.clock", "RealClock", "wait_until"),
    "wire": ("realtime.wire", "Inbox", "read"),
    "ledger": ("realtime.ledger", "Ledger", "leaving"),
    "scheduler": ("realtime.scheduler", "Scheduler", "run_due"),
    "ports": ("realtime.ports", "Output", "send"),
    "engine": ("realtime.engine", "Engine", "step"),
    "sampler": ("realtime.sampler", None, "sample"),
    "performer": ("realtime.performer", "Performer", "_choose"),
    "stream": ("realtime.stream", "Stream", "hear"),
    "pacing": ("realtime.pacing", "Pacing", "later_ns"),
    "child": ("realtime.child", "Child", "send"),
    "outlet": ("realtime.outlet", "Outlet", "sent"),
    "band": ("realtime.band", "Band", "sounded"),
    "part": ("realtime.part", "Part", "sounded"),
    "pulse": ("realtime.pulse", "Pulse", "heard"),
    "report": ("realtime.report", "Report", "sent"),
    "desk": ("realtime.desk", "Desk", "played"),
    "daemon": ("realtime.daemon", "Daemon", "_handle"),
}
# What runs as a program cannot be wrapped: there it comes from outside, at any line of its work.
PROGRAMS = {
    "player": ("realtime.player", "_perform"),
    "composer": ("realtime.composer", "_compose"),
}


class PlantedError(Exception):
    """Nobody expects it."""


def fuse_is_lit() -> bool:
    try:
        Path(os.environ["COMPOSER_FUSE"]).unlink()
    except OSError:
        return False
    return True


def wrapped(function):
    @wraps(function)
    def raising(*arguments, **named):
        if fuse_is_lit():
            raise PlantedError
        return function(*arguments, **named)

    return raising


class Planter:
    """Finds the room's module as anybody does, and wraps its function once it is loaded."""

    def __init__(self, module, owner, name):
        self._module, self._owner, self._name = module, owner, name

    def find_spec(self, module, *_):
        if module != self._module:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(module)
        load = spec.loader.exec_module

        def load_and_plant(loaded):
            load(loaded)
            owner = getattr(loaded, self._owner) if self._owner else loaded
            setattr(owner, self._name, wrapped(getattr(owner, self._name)))

        spec.loader.exec_module = load_and_plant
        return spec


def is_at(work: str) -> bool:
    """Else, as long as it gets ready or waits for orders, the one beside it is to be struck."""
    frame, names = sys._current_frames()[threading.main_thread().ident], set()
    while frame:
        names.add(frame.f_code.co_name)
        frame = frame.f_back
    return work in names and "greeting" not in names


def strike_from_outside(work: str) -> None:
    while not is_at(work) or not fuse_is_lit():
        time.sleep(0.02)
    signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR2)


def strike(*_) -> None:
    raise PlantedError


room = os.environ.get("COMPOSER_PLANT")
if room in ROOMS:
    sys.meta_path.insert(0, Planter(*ROOMS[room]))
elif room in PROGRAMS and PROGRAMS[room][0] in sys.orig_argv:
    signal.signal(signal.SIGUSR2, strike)
    threading.Thread(target=strike_from_outside, args=PROGRAMS[room][1:], daemon=True).start()
