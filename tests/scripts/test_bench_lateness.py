"""The lateness benchmark, a few seconds of it: it measures every condition and prints each once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent.parent / "scripts" / "bench_lateness.py"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="measures Linux")


def bench(*arguments: str, path: str | None = None) -> str:
    environment = None if path is None else {"PATH": path}
    command = [sys.executable, SCRIPT, "--count", "16", "--runs", "1", *arguments]
    return subprocess.check_output(command, text=True, timeout=60, env=environment)


def test_each_load_is_measured_with_and_without_real_time_priority(tmp_path: Path) -> None:
    # An empty PATH: the comparison is skipped with a word where there is no C compiler.
    told = bench(path=str(tmp_path))
    assert told.startswith("no C compiler")
    lateness, chords = told.split("A chord of 10 notes")
    for load in ("idle", "cores busy", "composer at 100 %"):
        for table in (lateness, chords):
            rows = [line for line in table.splitlines() if line.startswith(f"| {load} |")]
            assert len(rows) == 2
            assert "| normal |" in rows[-1]  # real-time priority was refused, whoever runs this
