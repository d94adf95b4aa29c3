"""The picture of three piano rolls."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent.parent / "scripts" / "piano_rolls.py"

pytest.importorskip("matplotlib")


def test_three_rolls_are_drawn_of_so_many_seconds(songbook: Path, tmp_path: Path) -> None:
    real, book = songbook / "00_ode_to_joy.mid", songbook / "more" / "01_frere_jacques.mid"
    out = tmp_path / "rolls.png"
    command = [sys.executable, SCRIPT, real, book, out, "--seconds", "1"]
    output = subprocess.check_output(command, text=True, timeout=300)
    assert out.read_bytes().startswith(b"\x89PNG")
    # Quarters of 0.36 s, over a bass: those struck at 0, 0.36 and 0.72 s.
    assert output.splitlines()[:2] == ["real: 6 notes", "the book's recipe: 6 notes"]
    assert output.splitlines()[2].startswith("ours: ")
