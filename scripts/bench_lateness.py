"""How late the player sends, beside a C program that waits for the same times. Linux.

    python scripts/bench_lateness.py [--count 2000] [--runs 3] [--drift] [--jack] [--plot FILE]

The player runs as the daemon runs it, in rehearsal; a composer in a process of its own writes to
it 30 ms ahead. The C program (lateness.c, built here) runs at the same time with due times half
way between the player's: both meet the same load and not each other. The player's lateness ends
after the message was sent and entered in the ledger, the C program's when it is awake.

Each condition is measured with the real-time priority that the player asks for, and with that
refused from outside. Figures are the medians of the runs.
"""

from __future__ import annotations

import argparse
import ctypes
import math
import multiprocessing
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
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
from realtime.ports import open_input  # noqa: E402
from realtime.wire import Kind, Record  # noqa: E402

INTERVAL_NS = 5 * NS_PER_MS
HORIZON_NS = 30 * NS_PER_MS
START_IN_NS = NS_PER_S // 4
LOADS = ("idle", "cores busy", "composer at 100 %")
CHORD = 8  # notes
BIG_MODEL_MB = 130  # ten times an LSTM of two layers of 512

PR_CAPBSET_DROP, CAP_SYS_NICE = 24, 23  # linux/prctl.h, linux/capability.h
LIBC = ctypes.CDLL(None)


class Run(NamedTuple):
    realtime: bool  # whether the player was granted it
    sent: list[Record]
    late_us: list[float]  # the player's
    c_late_us: list[float]  # empty where there is no compiler


class Row(NamedTuple):
    """Lateness in microseconds."""

    p50: float
    p99: float
    worst: float
    over_1_ms: float  # percent

    @classmethod
    def of(cls, late_us: list[float]) -> Row:
        if not late_us:  # a machine so busy that every onset came too late to be played
            return cls(math.nan, math.nan, math.nan, 100.0)
        ordered = sorted(late_us)
        over = sum(late > 1000 for late in ordered)
        return cls(
            statistics.median(ordered),
            ordered[math.ceil(0.99 * len(ordered)) - 1],
            ordered[-1],
            100 * over / len(ordered),
        )

    def __str__(self) -> str:
        return f"{self.p50:7.0f} {self.p99:7.0f} {self.worst:7.0f} {self.over_1_ms:7.2f} %"


def refuse_realtime() -> None:
    """In a child before it starts: neither a capability nor a limit lets it ask any more."""
    LIBC.prctl(PR_CAPBSET_DROP, CAP_SYS_NICE, 0, 0, 0)  # for who is root; others need not
    resource.setrlimit(resource.RLIMIT_RTPRIO, (0, 0))


def compose(daemon: Connection, count: int, notes: int, busy: bool) -> None:
    """The composer process: writes one instant after the other, each HORIZON_NS ahead."""
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


def hear(bench: Connection, port: str) -> None:
    """Another program with a MIDI input: stamps what arrives, and tells it all when asked."""
    arrivals: list[tuple[int, bytes]] = []
    clock = RealClock()
    keyboard = open_input(port, "jack")
    keyboard.listen(lambda message: arrivals.append((clock.now_ns(), message)))
    bench.send(None)
    bench.recv()
    bench.send(arrivals)
    keyboard.close()


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
) -> Run:
    """Play `count` instants of `notes` messages each."""
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
    wire.greet(down, {"port": port, "api": "jack" if port else None})
    greeting = wire.greeting(up)
    if "error" in greeting:
        sys.exit(greeting["error"])

    sent: list[Record] = []
    too_late_ns: set[int] = set()  # due times that had passed when the player was told

    def collect() -> None:
        answers = (record for record in wire.records(up) if record.kind is Kind.SENT)
        sent.extend(record for record in answers if record.due_ns in dues_ns)

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
        print(f"({load}: {len(too_late_ns)} of {count} written too late, left out)")
    sent = [record for record in sent if record.due_ns not in too_late_ns]
    late_us = [(record.at_ns - record.due_ns) / 1000 for record in sent]
    return Run(greeting["realtime"], sent, late_us, [int(late) / 1000 for late in c_late_ns])


def medians(rows: list[Row]) -> Row:
    return Row(*(statistics.median(column) for column in zip(*rows, strict=True)))


def print_table(runs: dict[tuple[str, bool], list[Run]]) -> None:
    columns = f"{'p50':>7} {'p99':>7} {'max':>7} {'> 1 ms':>9}"
    print("Lateness in microseconds; ratios: player / C, and player's p99 / player's p99 idle")
    print(f"{'':17} {'priority':9} player {columns[7:]}   C {columns[2:]}   p50   p99   p99/idle")
    for (load, realtime), some in runs.items():
        rows = [Row.of(run.late_us) for run in some]
        name = ("real-time" if some[0].realtime else "refused") if realtime else "normal"
        line = f"{load:17} {name:9} {medians(rows)}"
        if some[0].c_late_us:
            c_rows = [Row.of(run.c_late_us) for run in some]
            line += f"  {medians(c_rows)}"
            for field in ("p50", "p99"):
                line += f" {ratio(rows, c_rows, field):5.2f}"
        idle = [Row.of(run.late_us) for run in runs[LOADS[0], realtime]]
        print(f"{line} {ratio(rows, idle, 'p99'):8.2f}")


def ratio(rows: list[Row], others: list[Row], field: str) -> float:
    pairs = zip(rows, others, strict=True)
    ratios: list[float] = [getattr(row, field) / getattr(other, field) for row, other in pairs]
    return statistics.median(ratios)


def print_chords(count: int) -> None:
    for load in LOADS:
        sent = measure(load, None, count=count, notes=CHORD).sent
        instants = [sent[i : i + CHORD] for i in range(0, len(sent), CHORD)]
        row = Row.of([(chord[-1].at_ns - chord[0].at_ns) / 1000 for chord in instants])
        print(
            f"chord of {CHORD}, first to last sent, {load}:"
            f" p50 {row.p50:.0f}, p99 {row.p99:.0f}, max {row.worst:.0f} us"
        )


def print_drift(reference: Path | None, seconds: int = 60) -> None:
    late_us = measure(LOADS[0], reference, count=seconds * NS_PER_S // INTERVAL_NS).late_us
    a_second = NS_PER_S // INTERVAL_NS
    first, last = statistics.median(late_us[:a_second]), statistics.median(late_us[-a_second:])
    print(
        f"drift: median lateness {first:.0f} us in the first second, {last:.0f} us in the last"
        f" of {seconds}"
    )


def print_jack(count: int) -> None:
    """Due time to arrival in another program, over a JACK server of our own."""
    for frames in (64, 1024):
        with jack_server(frames), beside(hear, "Arrivals") as listener:
            run = measure(LOADS[0], None, count=count, port="Arrivals")
            listener.send(None)
            arrivals = listener.recv()
        late_ms = []
        dues = iter(run.sent)  # in the order of arrival; a busy server loses some
        for at_ns, message in arrivals:
            due_ns = next((record.due_ns for record in dues if record.message == message), None)
            if due_ns is not None:
                late_ms.append((at_ns - due_ns) / NS_PER_MS)
        row = Row.of(late_ms)
        print(
            f"due to arrival in another program over JACK, period {frames} frames"
            f" ({frames / 48:.1f} ms): p50 {row.p50:.2f}, p99 {row.p99:.2f},"
            f" max {row.worst:.2f} ms, {len(run.sent) - len(late_ms)} lost"
        )


@contextmanager
def jack_server(frames: int) -> Iterator[None]:
    """As in tests/conftest.py; JACK itself runs without real-time priority."""
    name = f"bench-lateness-{os.getpid()}"
    os.environ |= {"JACK_DEFAULT_SERVER": name, "JACK_NO_START_SERVER": "1"}
    server = subprocess.Popen(
        f"jackd --no-realtime -n {name} -d dummy -r 48000 -p {frames}".split(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while subprocess.run(["jack_lsp"], capture_output=True, check=False).returncode:
            RealClock().wait_until(RealClock().now_ns() + 50 * NS_PER_MS)
        yield
    finally:
        server.terminate()
        server.wait()


def plot(runs: dict[tuple[str, bool], list[Run]], path: Path) -> None:
    """Share of messages that are later than x, on logarithmic axes."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        print("no plot: matplotlib is not installed")
        return
    figure = Figure(figsize=(10, 4), layout="constrained")
    axes = figure.subplots(1, 2, sharex=True, sharey=True)
    for (load, realtime), some in runs.items():
        axis = axes[0 if realtime else 1]
        axis.set_title("real-time priority" if realtime else "normal priority")
        for who, style in (("late_us", "-"), ("c_late_us", "--")):
            late = sorted(late for run in some for late in getattr(run, who))
            if late:
                shares = [1 - i / len(late) for i in range(len(late))]
                colour = f"C{LOADS.index(load)}"
                label = load if who == "late_us" else f"{load}, C"
                axis.plot(late, shares, style, color=colour, label=label)
        axis.axvline(1000, color="grey", linewidth=0.5)
        axis.set(xscale="log", yscale="log", xlabel="lateness, microseconds")
    axes[0].set_ylabel("share of messages that are later")
    axes[0].legend(loc="upper right")
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=2000, help="messages, one every 5 ms")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--drift", action="store_true", help="play for a minute, too")
    parser.add_argument("--jack", action="store_true", help="end to end over JACK, too")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="needs matplotlib")
    options = parser.parse_args()

    compiler = shutil.which("gcc") or shutil.which("cc")
    with tempfile.TemporaryDirectory() as folder:
        reference = Path(folder, "lateness") if compiler else None
        if compiler:
            source = REPOSITORY / "scripts" / "lateness.c"
            subprocess.run([compiler, "-O2", "-o", str(reference), source], check=True)
        else:
            print("no C compiler: no C program to compare with")
        runs: dict[tuple[str, bool], list[Run]] = {}
        for _ in range(options.runs):
            for realtime in (True, False):
                for load in LOADS:
                    run = measure(load, reference, realtime=realtime, count=options.count)
                    runs.setdefault((load, realtime), []).append(run)
        print_table(runs)
        print_chords(max(2, options.count // CHORD))
        if options.drift:
            print_drift(reference)
        if options.jack:
            print_jack(options.count)
    if options.plot:
        plot(runs, options.plot)


if __name__ == "__main__":
    main()
