"""Continuations of tunes: each folder is a row, and the real one is closer than a stranger's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from core import midi_file

SCRIPT = Path(__file__).parent.parent.parent / "scripts" / "continuation.py"


def tune(folder: Path, name: str, pitches: list[int], gap_ns: int) -> None:
    """Long, and always the same few notes."""
    messages = []
    for index in range(300):
        pitch = pitches[index % len(pitches)]
        messages.append((index * gap_ns, bytes([0x90, pitch, 70])))
        messages.append((index * gap_ns + gap_ns // 2, bytes([0x80, pitch, 0])))
    midi_file.write(folder / name, messages)


def test_what_really_follows_stays_and_a_stranger_does_not(tmp_path: Path) -> None:
    folder = tmp_path / "tunes"
    folder.mkdir()
    tune(folder, "low.mid", [48, 52, 55, 60], 200_000_000)
    tune(folder, "high.mid", [73, 78, 82, 85], 400_000_000)
    command = [sys.executable, SCRIPT, folder, "--rngs", "1"]
    output = subprocess.check_output(command, text=True, timeout=300)
    cells = [cell.strip() for cell in output.splitlines()[-1].split("|")[1:-1]]
    assert cells[:2] == ["tunes", "2"]
    prompt, rest, register, density = (
        [float(figure) for figure in cell.split("/")] for cell in cells[2:]
    )
    for _, real, stranger in (prompt, rest):
        assert real == 1
        assert stranger < 0.5
    assert register[1] < 1
    assert register[2] > 12
    assert density[1] < 1.05
    assert density[2] > 1.8
    assert density[0] >= 1
