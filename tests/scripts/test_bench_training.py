"""The training benchmark, a moment of it: every way of training learns, and the target is told."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parent.parent.parent / "scripts" / "bench_training.py"


def test_every_way_of_training_is_measured(songbook: Path) -> None:
    command = [sys.executable, SCRIPT, songbook, "--seconds", "0.1"]
    output = subprocess.check_output(command, text=True)
    rows = [line.split("|")[1:-1] for line in output.splitlines() if line.startswith("| ")]
    assert len(rows) == 1 + 4
    for _, rate, ratio, _ in rows[1:]:
        assert float(rate.replace(",", "")) > 0
        assert float(ratio) > 0
    assert "target 25" in output
