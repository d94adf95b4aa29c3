"""What one step costs: ours, a C program's (step.c, built here) and torch's, in microseconds.

    python scripts/bench_step.py [--tight 1000] [--paced 200] [--rounds 3] [--quick]

A step is what happens between two events: look the event up, run the LSTM, score what comes next,
rule out what may not be played, sample. Measured in a tight loop, and paced as in life: one every
20 ms, when caches are cold and the clock is down. Every variant (step_variants.py) is a process of
its own; they take turns in each round, so that all meet the same machine. The ratios are of the
medians of all rounds.

All hear the same chords, and what they sample is thrown away; the shipped model plays. torch's
variants do less than ours and C: they are not told what sounds, rule nothing out, and sample
from all choices.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent
INTERVAL_NS = 20_000_000
WARM_UP = 50  # steps
ONE_THREAD = dict.fromkeys(  # as the composer process does it
    ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)

C = "C, 2 x 512"
OURS = "**ours, 2 x 512**"
SHIPPED = "**ours, the shipped model**"
UNDONE = "ours, snapshot and restore"
AS_IT_COMES = "torch `nn.LSTM` as it comes, 2 x 512"
WINDOW = "torch `nn.LSTM` over 30 events again, one thread"
PROGRAMS = {  # as named in step_variants.py
    OURS: "ours",
    SHIPPED: "shipped",
    UNDONE: "undone",
    AS_IT_COMES: "lstm",
    "torch `nn.LSTM`, one thread": "lstm-one-thread",
    "torch `nn.LSTM` without oneDNN, one thread": "lstm-no-onednn",
    "torch `nn.LSTMCell`, one thread": "cell",
    "torch `nn.LSTMCell` without oneDNN, one thread": "cell-no-onednn",
    WINDOW: "window",
}
TORCH_STEPS = [name for name in PROGRAMS if name.startswith("torch") and name != WINDOW]


class Variant:
    """A process that makes steps when it is asked to."""

    def __init__(self, command: list[str | Path], *, threads: bool = False) -> None:
        environment = {name: value for name, value in os.environ.items() if name not in ONE_THREAD}
        if not threads:
            environment |= ONE_THREAD
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.tight_us: list[float] = []
        self.paced_us: list[float] = []

    def steps(self, count: int, interval_ns: int = 0) -> list[float]:
        """Microseconds of each of `count` steps."""
        down, up = self._process.stdin, self._process.stdout
        assert down
        assert up
        down.write(f"{count} {interval_ns}\n")
        down.flush()
        line = up.readline()
        if not line:
            sys.exit(f"{self._process.args} failed")
        return [int(time_ns) / 1000 for time_ns in line.split()]

    def measure(self, tight: int, paced: int) -> None:
        self.steps(WARM_UP)
        self.tight_us += self.steps(tight)
        self.paced_us += self.steps(paced, INTERVAL_NS)

    def close(self) -> None:
        self._process.communicate()


def compiled(folder: str) -> Path | None:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if not compiler:
        print("no C compiler: no C program to compare with\n")
        return None
    program, flags = Path(folder, "step"), ["-O3", "-march=native", "-ffast-math"]
    subprocess.run([compiler, *flags, "-o", program, SCRIPTS / "step.c", "-lm"], check=True)
    return program


def percentile(times_us: list[float], percent: int) -> float:
    return sorted(times_us)[(len(times_us) - 1) * percent // 100]


def print_table(variants: dict[str, Variant]) -> None:
    print("| microseconds | tight, median | p99 | paced, median | p99 |")
    print("|---|---|---|---|---|")
    for name, variant in variants.items():
        cells = (
            f"{percentile(times_us, percent):,.0f}"
            for times_us in (variant.tight_us, variant.paced_us)
            for percent in (50, 99)
        )
        print(f"| {name} | {' | '.join(cells)} |")


def print_targets(variants: dict[str, Variant]) -> None:
    tight_us = {name: statistics.median(v.tight_us) for name, v in variants.items()}
    paced_us = {name: statistics.median(v.paced_us) for name, v in variants.items()}
    best = min(TORCH_STEPS, key=tight_us.__getitem__)
    print()
    if C in variants:
        print(
            f"ours / C: {tight_us[OURS] / tight_us[C]:.2f} tight (target: at most 1.3),"
            f" {paced_us[OURS] / paced_us[C]:.2f} paced"
        )
    for name, target in ((best, 2), (AS_IT_COMES, 10)):
        print(f"{name} / ours: {tight_us[name] / tight_us[OURS]:.1f} (target: at least {target})")
    print(f"{WINDOW} / ours: {tight_us[WINDOW] / tight_us[OURS]:.1f}")
    print(
        f"snapshot and restore / step: {tight_us[UNDONE] / tight_us[OURS]:.3f} (target: below .1)"
    )
    late_us = percentile(variants[SHIPPED].paced_us, 99)
    print(f"shipped, paced, p99: {late_us / 1000:.2f} ms (target: at most 1)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tight", type=int, default=1000, help="steps a round in a tight loop")
    parser.add_argument("--paced", type=int, default=200, help="steps a round, one every 20 ms")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a few steps: does it run at all?")
    options = parser.parse_args()
    if options.quick:
        options.tight, options.paced, options.rounds = 5, 3, 1

    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        variants: dict[str, Variant] = {}
        if program := compiled(folder):
            variants[C] = Variant([program])
        for name, program_name in PROGRAMS.items():
            command = [sys.executable, SCRIPTS / "step_variants.py", program_name]
            variants[name] = Variant(command, threads=name == AS_IT_COMES)
        for variant in variants.values():
            stack.callback(variant.close)
            variant.steps(1)  # it has started
        for _ in range(options.rounds):
            for variant in variants.values():
                variant.measure(options.tight, options.paced)
    print_table(variants)
    print_targets(variants)


if __name__ == "__main__":
    main()
