"""Would it play here, and how well? A report that one can paste into a bug report."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable
from importlib.metadata import requires, version
from queue import Empty
from statistics import median
from typing import Any, NamedTuple

from core.errors import ComposerError
from realtime import ports, wire
from realtime.child import Arrivals, Child
from realtime.clock import NS_PER_MS, NS_PER_S, RealClock
from realtime.orders import Orders
from realtime.wire import Kind, Record

LOOP = "composerd check"  # the name of the loop-back's port
MESSAGES = 50
EVERY_NS = 10 * NS_PER_MS
CONTROL = 20  # not notes: those are dropped when they are much too late, and this measures
PATIENCE_NS = 2 * NS_PER_S
STEPS = 500


class Line(NamedTuple):
    """One thing that was looked at."""

    what: str
    found: str
    well: bool = True

    def __str__(self) -> str:
        return f"{'ok  ' if self.well else 'FAIL'}  {self.what:9} {self.found}"


def check(orders: Orders) -> list[Line]:
    """Look at all that a performance with these orders needs. Nothing is heard of it."""
    player = orders.player
    lines = [Line("program", _versions()), Line("system", _system())]
    looks: list[tuple[str, Callable[[], list[str]]]] = [
        ("ports", lambda: _ports(player["api"])),
        ("opening", lambda: _opening(player)),
        ("loop-back", lambda: _loop_back(player["api"])),
        ("model", lambda: [found for part in orders.parts for found in _model(part.composer)]),
    ]
    for what, look in looks:
        try:
            lines += [Line(what, found) for found in look()]
        except ComposerError as error:
            lines.append(Line(what, str(error), well=False))
    return lines


def _versions() -> str:
    needed = [line for line in requires("live-composer") or () if "extra ==" not in line]
    names = sorted(
        "".join(c if c.isalnum() or c in "-_" else " " for c in line).split()[0] for line in needed
    )
    return f"live-composer {version('live-composer')} with " + ", ".join(
        f"{name} {version(name)}" for name in names
    )


def _system() -> str:
    return f"Python {platform.python_version()}, {platform.platform()}, {os.cpu_count()} CPUs"


def _ports(api: str | None) -> list[str]:
    there = {"out": ports.list_outputs(api), "in": ports.list_inputs(api)}
    return [f"{way}: {', '.join(names) or 'none'}" for way, names in there.items()]


def _opening(orders: dict[str, Any]) -> list[str]:
    """Open what a performance would open, as it would."""
    player = Child("realtime.player")
    try:
        greeting = player.begin(orders | {"rehearse": False}, Arrivals())
    finally:
        player.close()
    kind = "virtual port" if greeting["virtual"] else "port"
    granted = ", ".join(
        f"{what.replace('_', ' ')} {'granted' if greeting[what] else 'not granted'}"
        for what in ("realtime", "fine_timer", "memory_locked")
    )
    found = [f"{kind} {greeting['port']}", f"priority: {granted}"]
    if greeting["input"]:
        found.insert(1, f"input {greeting['input']}")
    return found


def _loop_back(api: str | None) -> list[str]:
    """Play to a port of our own, and hear what comes out of it."""
    if sys.platform == "win32":
        return ["left out: this system has no virtual ports"]
    heard: list[int] = []
    inbox = Arrivals()
    clock = RealClock()
    player = Child("realtime.player")
    try:
        player.begin({"port": LOOP, "api": api}, inbox)
        keyboard = ports.open_input(LOOP, api)
        keyboard.listen(lambda _: heard.append(clock.now_ns()))
        start_ns = clock.now_ns() + NS_PER_S // 2
        for i in range(MESSAGES):
            message = wire.control_change(0, CONTROL, i)
            player.send(Record(Kind.PLAY, message, due_ns=start_ns + i * EVERY_NS))
        end_ns = start_ns + MESSAGES * EVERY_NS + PATIENCE_NS
        while len(heard) < MESSAGES and clock.now_ns() < end_ns:
            clock.wait_until(clock.now_ns() + EVERY_NS)
        arrived_ns = list(heard)
        keyboard.close()
    finally:
        player.close()
    late_us = sorted((at - due) // 1000 for due, at in _sent(inbox))
    if keyboard.virtual or len(arrived_ns) != MESSAGES:
        raise ComposerError(f"{len(arrived_ns)} of {MESSAGES} messages came back")
    there_us = sorted(
        (at_ns - start_ns - i * EVERY_NS) // 1000 for i, at_ns in enumerate(arrived_ns)
    )
    return [
        f"{MESSAGES} of {MESSAGES} messages came back",
        f"left late by: {_figures(late_us)} us",
        f"arrived late by: {_figures(there_us)} us",
    ]


def _sent(inbox: Arrivals) -> list[tuple[int, int]]:
    """(due, left) of what the player says it sent."""
    sent: list[tuple[int, int]] = []
    while True:
        try:
            record = inbox.get(0).record
        except Empty:
            return sent
        if record and record.kind is Kind.SENT and record.message[1] == CONTROL:
            sent.append((record.due_ns, record.at_ns))


def _model(orders: dict[str, Any]) -> list[str]:
    """Load it, and let it play for a while without waiting."""
    from realtime import composer  # numpy comes with it, which --help need not wait for

    performer = composer.performer(orders, lambda: 0)
    spent_us: list[int] = []
    while len(spent_us) < STEPS and (wake_ns := performer.wake_ns) is not None:
        start_ns = time.perf_counter_ns()
        for _ in performer.plan(wake_ns):
            spent_us.append((time.perf_counter_ns() - start_ns) // 1000)
            start_ns = time.perf_counter_ns()
    name = orders["model"] or "the one that comes along"
    return [f"{name}: an event takes {_figures(sorted(spent_us))} us"]


def _figures(ordered: list[int]) -> str:
    p99 = ordered[len(ordered) * 99 // 100]
    return f"{median(ordered):.0f} (p99 {p99}, at most {ordered[-1]})"
