"""What the fuzzers share: a child reads the cases, its parent counts and survives what kills it.

So even a crash below Python, a hang or a runaway of memory is seen, reported with its case number,
and does not end the run. The same case number is the same case.
"""

from __future__ import annotations

import argparse
import resource
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable

SECONDS_A_CASE = 10
MEMORY_BYTES = 4 * 2**30


def parser(description: str | None) -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(description=description)
    options.add_argument("--cases", type=int, default=10_000)
    options.add_argument("--first", type=int, default=0, help="number of the first case")
    options.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    return options


def run_cases(given: argparse.Namespace, outcome: Callable[[int], str]) -> None:
    """The child: one line a case, in bounded time and memory."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    for case in range(given.first, given.first + given.cases):
        signal.alarm(SECONDS_A_CASE)
        line = outcome(case)
        signal.alarm(0)
        print(case, " ".join(line.split()), flush=True)


def count_cases(given: argparse.Namespace, arguments: list[str], sound: tuple[str, ...]) -> int:
    """The parent: counts what the children say, tells what is not sound; 1 if anything was not."""
    counts: Counter[str] = Counter()
    case, end = given.first, given.first + given.cases
    while case < end:
        numbers = ["--child", "--first", str(case), "--cases", str(end - case)]
        command = [sys.executable, sys.argv[0], *numbers, *arguments]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            for line in child.stdout:
                number, what = line.rstrip("\n").split(" ", 1)
                case = int(number) + 1
                counts[what] += 1
                if not what.startswith(sound):
                    print(f"case {number}: {what}")
        if child.returncode:
            by = signal.Signals(-child.returncode).name if child.returncode < 0 else "an error"
            counts[f"KILLED by {by}"] += 1
            print(f"case {case}: the reader was killed by {by}")
            case += 1
    for what, count in counts.most_common():
        print(f"{count:8}  {what}")
    return int(any(not what.startswith(sound) for what in counts))
