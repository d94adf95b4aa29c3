"""Whether pieces keep their key: one that does, and one that does not."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

from core import midi_file

SCRIPT = Path(__file__).parent.parent.parent / "scripts" / "keeping.py"


def tune(folder: Path, pitches: list[int]) -> None:
    folder.mkdir()
    messages = []
    for index, pitch in enumerate(pitches):
        messages.append((index * 200_000_000, bytes([0x90, pitch, 70])))
        messages.append((index * 200_000_000 + 100_000_000, bytes([0x80, pitch, 0])))
    midi_file.write(folder / "tune.mid", messages)


def test_a_piece_in_a_key_surprises_less_the_firmer_that_is_kept(tmp_path: Path) -> None:
    chance = random.Random(0)
    tune(tmp_path / "in_c", [chance.choice((60, 64, 67, 72, 76)) for _ in range(300)])
    tune(tmp_path / "in_none", [chance.randrange(48, 84) for _ in range(300)])
    command = [sys.executable, SCRIPT, tmp_path / "in_c", tmp_path / "in_none"]
    output = subprocess.check_output(command, text=True, timeout=300)
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in output.splitlines()[2:]]
    assert [row[:2] for row in rows] == [["in_c", "300"], ["in_none", "300"]]
    (_, *in_c), (_, *in_none) = ([float(nats) for nats in row[2:]] for row in rows)
    assert in_c == sorted(in_c, reverse=True)
    assert in_none[-1] > in_none[0]
