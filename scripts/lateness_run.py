"""What scripts/bench_lateness.py runs: the player as the daemon runs it, a composer, loads, C.

The player gets its messages from a composer in a process of its own, which writes 30 ms ahead.
The C program (lateness.c) runs at the same time with due times half way between the player's:
both meet the same load and not each other. The player's lateness ends after the message was sent
and entered in the ledger, the C program's when it is awake.
"""

from __future__ import annotations

import ctypes
import math
import multiprocessing
import os
import random
import resource
import statistics
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from realtime import wire  # noqa: E402
from realtime.clock import NS_PER_MS, NS_PER_S, RealClock  # noqa: E402
from realtime.wire import Kind, Record  # noqa: E402

INTERVAL_NS = 5 * NS_PER_MS
HORIZON_NS = 30 * NS_PER_MS
START_IN_NS = NS_PER_S // 4
LOADS = ("idle", "cores busy", "composer at 100 %")
BIG_MODEL_MB = 130  # ten times an LSTM of two layers of 512

PR_CAPBSET_DROP, CAP_SYS_NICE = 24, 23  # linux/prctl.h, linux/capability.h
LIBC = ctypes.CDLL(None)


class Run(NamedTuple):
    realtime: bool  # whether the player was granted it
    sent: list[Record]
    late_us: list[float]  # the player's
    c_late_us: list[float]  # empty where there is no compiler
    heard: int  # messages from the keyboard, passed on or given up


class Row(NamedTuple):
    """Lateness, in the unit of what it is made of."""

    p50: float
    p99: float
    worst: float
    over: float  # percent above the limit

    @classmethod
    def of(cls, late: list[float], limit: float = 1000) -> Row:
        if not late:  # a machine so busy that every onset came too late to be played
            return cls(math.nan, math.nan, math.nan, 100.0)
        ordered = sorted(late)
        over = sum(value > limit for value in ordered)
        p99 = ordered[math.ceil(0.99 * len(ordered)) - 1]
        return cls(statistics.median(ordered), p99, ordered[-1], 100 * over / len(ordered))

    def __str__(self) -> str:
        return f"{self.p50:.0f} | {self.p99:.0f} | {self.worst:.0f} | {self.over:.2f} %"


def refuse_realtime() -> None:
    """In a child before it starts: neither a capability nor a limit lets it ask any more."""
    LIBC.prctl(PR_CAPBSET_DROP, CAP_SYS_NICE, 0, 0, 0)  # for who is root; others need not
    resource.setrlimit(resource.RLIMIT_RTPRIO, (0, 0))


def compose(daemon: Connection, count: int, notes: int, busy: bool) -> None:
    """The composer process: writes one instant after the other, each HORIZON_NS ahead."""
    # Before numpy: as the real one does, it keeps BLAS to one thread.
    import realtime.composer  # noqa: F401

    if busy:
        sys.setswitchinterval(0.0005)  # or it would itself be too late to write in time
        threading.Thread(target=multiply_for_ever, daemon=True).start()
        threading.Thread(target=count_for_ever, daemon=True).start()
    clock, chance = RealClock(), random.Random(1)
    daemon.send(None)
    first_due_ns = daemon.recv()
    for i in range(count):
        due_ns = first_due_ns + i * INTERVAL_NS
        # A step takes its time: what it writes comes anywhere between two messages that leave.
        clock.wait_until(due_ns - HORIZON_NS - chance.randrange(INTERVAL_NS))
        lowest = 24 + i // 2 % 60
        for pitch in range(lowest, lowest + notes):
            message = wire.note_off(0, pitch) if i % 2 else wire.note_on(0, pitch, 80)
            daemon.send_bytes(wire.pack(Record(Kind.PLAY, message, due_ns)))


def multiply_for_ever() -> None:
    import numpy as np

    weights = np.ones((BIG_MODEL_MB * 250, 1000), np.float32)
    state = np.ones(1000, np.float32)
    while True:
        weights @ state


def count_for_ever() -> None:
    while True:
        pass


@contextmanager
def beside(target: Any, *arguments: Any) -> Iterator[Connection]:
    """Run `target` in a process of its own; its first word says that it is ready."""
    spawn = multiprocessing.get_context("spawn")
    ours, its = spawn.Pipe()
    process = spawn.Process(target=target, args=(its, *arguments), daemon=True)
    process.start()
    its.close()  # else we would wait for ever for one that fails
    ours.recv()
    try:
        yield ours
    finally:
        process.terminate()
        process.join()


@contextmanager
def cores_busy(yes: bool) -> Iterator[None]:
    cores = range(os.cpu_count() or 1) if yes else ()
    programs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in cores]
    try:
        yield
    finally:
        for program in programs:
            program.kill()
            program.wait()


def measure(
    load: str,
    reference: Path | None,
    *,
    realtime: bool = True,
    count: int,
    notes: int = 1,
    port: str | None = None,
    keyboard: str | None = None,
) -> Run:
    """Play `count` instants of `notes` messages each; ports are JACK's, None is a rehearsal."""
    refuse = None if realtime else refuse_realtime
    player = subprocess.Popen(
        [sys.executable, "-m", "realtime.player"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=REPOSITORY,
        preexec_fn=refuse,
    )
    down, up = player.stdin, player.stdout
    assert down
    assert up
    api = "jack" if port or keyboard else None
    wire.greet(down, {"port": port, "input": keyboard, "api": api})
    greeting = wire.greeting(up)
    if "error" in greeting:
        sys.exit(greeting["error"])

    sent: list[Record] = []
    too_late_ns: set[int] = set()  # due times that had passed when the player was told
    heard = 0

    def collect() -> None:
        nonlocal heard
        for record in wire.records(up):
            if record.kind is Kind.SENT and record.due_ns in dues_ns:
                sent.append(record)
            elif record.kind is Kind.HEARD:
                heard += 1
            elif record.kind is Kind.UNHEARD:
                heard += record.epoch

    busy = load == LOADS[2]
    with cores_busy(load == LOADS[1]), beside(compose, count, notes, busy) as composer:
        first_due_ns = RealClock().now_ns() + START_IN_NS
        dues_ns = range(first_due_ns, first_due_ns + count * INTERVAL_NS, INTERVAL_NS)
        collector = threading.Thread(target=collect)
        c_program = reference and subprocess.Popen(
            [reference, *map(str, (first_due_ns + INTERVAL_NS // 2, INTERVAL_NS, count))],
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=refuse,
        )
        collector.start()
        composer.send(first_due_ns)
        for _ in range(count * notes):  # as the daemon does
            data = composer.recv_bytes()
            down.write(data)
            down.flush()
            if RealClock().now_ns() > (due_ns := wire.unpack(data).due_ns):
                too_late_ns.add(due_ns)
        RealClock().wait_until(dues_ns[-1] + 200 * NS_PER_MS)
        c_late_ns = c_program.communicate()[0].split() if c_program else []
    down.close()
    player.wait()
    collector.join()
    up.close()
    if too_late_ns:
        print(f"{load}: {len(too_late_ns)} of {count} written too late, left out", file=sys.stderr)
    sent = [record for record in sent if record.due_ns not in too_late_ns]
    late_us = [(record.at_ns - record.due_ns) / 1000 for record in sent]
    c_late_us = [int(late) / 1000 for late in c_late_ns]
    return Run(greeting["realtime"], sent, late_us, c_late_us, heard)
