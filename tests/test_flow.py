"""A note's way through the whole house: .mid, training, checkpoint, rendering, .mid."""

import subprocess
import sys
from pathlib import Path

from core import midi_file


def run(command_name: str, *arguments: object) -> None:
    command = [Path(sys.executable).with_name(command_name), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr


def test_from_a_folder_of_files_to_a_new_piece(songbook: Path, tmp_path: Path) -> None:
    model = tmp_path / "model.safetensors"
    run("composer-train", songbook, "--out", model, "--epochs", 40, "--hidden-size", 64)

    pieces = [tmp_path / "one.mid", tmp_path / "again.mid"]
    for piece in pieces:
        run("composer-generate", "--model", model, "--out", piece, "--events", 300, "--rng", 1)
    assert pieces[0].read_bytes() == pieces[1].read_bytes()

    learned = {event.pitch for file in songbook.rglob("*.mid") for event in midi_file.read(file)}
    music = list(midi_file.read(pieces[0]))
    assert len(music) >= 290
    inside = sum(event.pitch in learned for event in music)
    assert inside > 0.95 * len(music)
