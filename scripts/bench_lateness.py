"""How late the player sends, beside a C program that waits for the same times. Linux.

    python scripts/bench_lateness.py [--count 2000] [--runs 3] [--drift] [--jack] [--flood]
                                     [--plot docs/lateness.png]

What runs is told in lateness_run.py. Each condition is measured with the real-time priority that
the player asks for, and with that refused from outside. Figures are the medians of the runs, a
ratio is that of two which ran at the same time; the tables are those of docs/reliability.md.
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from bench_lateness_jack import print_arrivals, print_flood
from lateness_run import INTERVAL_NS, LOADS, REPOSITORY, Row, Run, measure

from realtime.clock import NS_PER_S, VirtualClock
from realtime.ledger import Ledger
from realtime.rehearsal import MemoryPort
from realtime.scheduler import Scheduler
from realtime.wire import Kind, Record, note_off, note_on

Runs = dict[tuple[str, bool], list[Run]]  # by load, and whether with real-time priority

CHORD = 10  # notes
APART_US = 100  # what nobody could hear


def medians(rows: list[Row]) -> Row:
    return Row(*(statistics.median(column) for column in zip(*rows, strict=True)))


def ratio(rows: list[Row], others: list[Row], field: str) -> float:
    pairs = zip(rows, others, strict=True)
    ratios: list[float] = [getattr(row, field) / getattr(other, field) for row, other in pairs]
    return statistics.median(ratios)


def print_table(runs: Runs) -> None:
    print("Lateness in microseconds:\n")
    print("| load | priority | player p50 | p99 | max | over 1 ms", end=" ")
    print("| C p50 | p99 | max | over 1 ms | player / C: p50 | p99 | p99 / p99 idle |")
    print("|---|---|" + "---:|" * 11)
    for (load, realtime), some in runs.items():
        rows = [Row.of(run.late_us) for run in some]
        c_rows = [Row.of(run.c_late_us) for run in some]
        idle = [Row.of(run.late_us) for run in runs[LOADS[0], realtime]]
        name = ("real-time" if some[0].realtime else "refused") if realtime else "normal"
        line = f"| {load} | {name} | {medians(rows)} "
        if some[0].c_late_us:
            ratios = [f"{ratio(rows, c_rows, field):.2f}" for field in ("p50", "p99")]
            line += f"| {medians(c_rows)} | {' | '.join(ratios)} "
        else:
            line += "| | | | | | "
        print(f"{line}| {ratio(rows, idle, 'p99'):.2f} |")


def print_chords(count: int) -> None:
    print(f"\nA chord of {CHORD} notes, from the first to the last sent, in microseconds:\n")
    print(
        f"| load | priority | p50 | p99 | max | over {APART_US} us |\n|---|---|---:|---:|---:|---:|"
    )
    for realtime in (True, False):
        for load in LOADS:
            run = measure(load, None, realtime=realtime, count=count, notes=CHORD)
            chords: dict[int, list[int]] = {}
            for record in run.sent:
                chords.setdefault(record.due_ns, []).append(record.at_ns)
            apart_us = [(at_ns[-1] - at_ns[0]) / 1000 for at_ns in chords.values()]
            row = Row.of(apart_us, limit=APART_US)
            print(f"| {load} | {'real-time' if run.realtime else 'normal'} | {row} |")


def print_drift(reference: Path | None, seconds: int) -> None:
    print(f"\ndrift after an hour of virtual time: {virtual_drift_ns(3600)} ns")
    late_us = measure(LOADS[0], reference, count=seconds * NS_PER_S // INTERVAL_NS).late_us
    a_second = NS_PER_S // INTERVAL_NS
    first, last = statistics.median(late_us[:a_second]), statistics.median(late_us[-a_second:])
    print(
        f"drift after {seconds} s: {last - first:.0f} us (median lateness {first:.0f} us in the"
        f" first second, {last:.0f} us in the last)"
    )


def virtual_drift_ns(seconds: int) -> int:
    """When the last message left, beside the sum of all deltas."""
    chance, due_ns, count = random.Random(1), 0, 0
    last = Record(Kind.SENT)

    def keep(record: Record) -> None:
        nonlocal last
        last = record

    clock = VirtualClock()
    scheduler = Scheduler(clock, Ledger(), MemoryPort(keep=0).send, keep)
    while due_ns < seconds * NS_PER_S:
        due_ns += chance.randrange(2 * INTERVAL_NS)
        count += 1
        message = note_on(0, 60, 80) if count % 2 else note_off(0, 60)
        scheduler.push(Record(Kind.PLAY, message, due_ns))
        scheduler.run_until(due_ns)
    return last.at_ns - due_ns


def plot(runs: Runs, path: Path) -> None:
    """Share of messages that are later than x, on logarithmic axes."""
    from matplotlib.figure import Figure

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
    axes[1].legend(loc="lower left")
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=2000, help="messages, one every 5 ms")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--drift", action="store_true", help="play for a minute, too")
    parser.add_argument("--jack", action="store_true", help="end to end over JACK, too")
    parser.add_argument("--flood", action="store_true", help="with 10,000 messages a second coming")
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
        runs: Runs = {}
        for _ in range(options.runs):
            for realtime in (True, False):
                for load in LOADS:
                    run = measure(load, reference, realtime=realtime, count=options.count)
                    runs.setdefault((load, realtime), []).append(run)
        print_table(runs)
        print_chords(options.count)
        if options.drift:
            print_drift(reference, 60)
    if options.jack:
        print_arrivals(options.count)
    if options.flood:
        print_flood(options.count)
    if options.plot:
        plot(runs, options.plot)


if __name__ == "__main__":
    main()
