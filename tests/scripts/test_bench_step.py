"""The step benchmark, a few steps of it: every variant runs, and the targets are printed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent.parent / "scripts" / "bench_step.py"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the C program is for Linux")


def test_every_variant_is_measured_tight_and_paced() -> None:
    pytest.importorskip("torch")
    command = [sys.executable, SCRIPT, "--quick"]
    output = subprocess.check_output(command, text=True, timeout=120)
    rows = [line.split("|")[1:-1] for line in output.splitlines() if line.startswith("| ")]
    compiler = shutil.which("gcc") or shutil.which("cc")
    assert len(rows) == 1 + 9 + bool(compiler)
    for _, *figures in rows[1:]:
        assert len(figures) == 4
        assert all(float(figure.replace(",", "")) >= 0 for figure in figures)
    assert output.count("target") == 4 + bool(compiler)
