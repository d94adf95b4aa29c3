"""The comparison of recipes, with seconds of training: every row and the ratios are printed."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent.parent / "scripts" / "compare_recipes.py"

pytest.importorskip("torch")


def compared(songbook: Path, *options: str) -> str:
    command = [sys.executable, SCRIPT, songbook, "--held-out", songbook / "more"]
    sizes = ["--minutes", "0.01", "--hidden-size", "16"]
    return subprocess.check_output([*command, *sizes, *options], text=True, timeout=300)


def test_each_recipe_is_a_row_and_each_folder_a_column(songbook: Path) -> None:
    output = compared(songbook, "--also", "shipped")
    rows = [line.split("|")[1:-1] for line in output.splitlines() if line.startswith("| ")]
    assert [cell.strip() for cell in rows[0]] == ["bits a note", "more", "mean"]
    assert len(rows) == 5
    assert all(float(figure) > 0 for row in rows[1:] for figure in row[1:])
    assert output.count("target") == 2


def test_who_learns_the_frequencies_beats_who_knows_nothing(songbook: Path) -> None:
    rows = json.loads(compared(songbook, "--json"))
    assert set(rows) == {"by frequency", "the textbook's recipe", "ours"}
    nothing = 2 * math.log2(128 * 128 * 8000)  # 8 s of milliseconds; a note is two events
    assert rows["by frequency"]["more"] < nothing
