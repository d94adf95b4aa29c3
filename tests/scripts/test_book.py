"""The textbook beside ours, after an epoch: every figure, the picture and the music."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from core import midi_file

SCRIPT = Path(__file__).parent.parent.parent / "scripts" / "book.py"

pytest.importorskip("torch")


def test_the_textbook_breaks_rules_and_ours_none(tmp_path: Path) -> None:
    piece, picture, music = (tmp_path / name for name in ("tune.mid", "curve.png", "music.mid"))
    pitches = [60, 62, 64, 65, 67, 72] * 60
    midi_file.write(
        piece,
        (
            (index * 300_000_000 + on * 100_000_000 * (index % 2), bytes([0x90, pitch, 80 * on]))
            for index, pitch in enumerate(pitches)
            for on in (0, 1)
        ),
    )
    options = ("--seeds", "1", "--epochs", "1", "--events", "300", "--plot", picture)
    command = [sys.executable, SCRIPT, piece, *options, "--out", music]
    output = subprocess.check_output(command, text=True, timeout=300)
    rows = [line.strip("| ").split(" | ") for line in output.splitlines() if line.startswith("|")]
    figures = {name: right for name, *right in rows}
    assert float(figures["mean"][0]) > 0
    theirs, ours = figures["releases of a silent key, of 300 events"]
    assert int(theirs) > 0
    assert ours == "0"
    theirs, ours = figures["the same, encoded and decoded"]
    assert float(theirs) > float(ours)
    assert midi_file.read_note_ons(music).duration_s > 0
    assert picture.stat().st_size > 0
