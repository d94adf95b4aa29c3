"""The benchmark of parts runs, and its table is whole; what the figures are is not tested."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "bench_parts.py"


def test_two_parts_alone_and_hearing_each_other(tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    command = [sys.executable, SCRIPT, "--parts", "2", "--seconds", "3", "--json", out]
    table = subprocess.check_output(command, text=True)
    runs = json.loads(out.read_text())
    assert [(run["parts"], run["hearing_each_other"]) for run in runs] == [(2, False), (2, True)]
    for run in runs:
        assert run["time_to_first_note_s"] > 0
        assert run["share"] > 0
        assert run["memory_mb"] > 0
    assert "| 2 | yes |" in table
