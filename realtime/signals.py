"""Signals become arrivals, so that nothing is ever interrupted half done."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from realtime.child import Arrivals


@contextmanager
def signals_into(inbox: Arrivals) -> Iterator[None]:
    """Ctrl-C and polite kills become an arrival from no child; SIGUSR1 the wish for a new model."""
    names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")  # the last two not on every system
    signals = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in signals}
    for number in signals:
        signal.signal(number, lambda *_: inbox.stop())
    if reload := getattr(signal, "SIGUSR1", None):
        before[reload] = signal.getsignal(reload)
        signal.signal(reload, lambda *_: inbox.want(None, {"model": None}, lambda _: None))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
