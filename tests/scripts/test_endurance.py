"""Half an hour of the stream, held against tunes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from core import midi_file

SCRIPT = Path(__file__).parent.parent.parent / "scripts" / "endurance.py"
MEASURES = ["density", "register", "spread", "polyphony", "velocity", "entropy", "repeats"]

pytest.importorskip("psutil")


@pytest.fixture
def long_tunes(tmp_path: Path) -> Path:
    """Three, of ten minutes each: a scale in other registers."""
    folder = tmp_path / "tunes"
    folder.mkdir()
    for lowest in (40, 55, 70):
        messages = []
        for index in range(1300):
            at_ns, pitch = index * 500_000_000, lowest + index % 12
            messages.append((at_ns, bytes([0x90, pitch, 60 + index % 30])))
            messages.append((at_ns + 400_000_000, bytes([0x80, pitch, 0])))
        midi_file.write(folder / f"{lowest}.mid", messages)
    return folder


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, SCRIPT, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_every_window_is_legal_and_has_each_measure(long_tunes: Path, tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    done = run(long_tunes, "--hours", "0.5", "--seeds", "1", "--json", figures)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "3 stretches of the corpus, 1 x 0.5 hours"
    rows = [line.split("|")[1:-1] for line in lines if line.startswith("|")][2:]
    assert [row[0].split()[0] for row in rows] == MEASURES
    stream = json.loads(figures.read_text())["streams"][0]
    assert stream["illegal"] == 0
    assert stream["events"] > 1000
    assert len(stream["windows"]) in (2, 3)  # the last is whole only if a note follows
    assert all(window["notes"] > 0 for window in stream["windows"])


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["nowhere"], "no file or folder at nowhere"),
        (["nowhere", "--hours", "0.1"], "--hours: at least 0.5"),
        (["TUNES/40.mid"], "MUSIC lasts less than twenty minutes"),
        (["TUNES", "--model", "nowhere"], "no checkpoint at nowhere"),
    ],
)
def test_what_it_cannot_measure_is_said_in_a_sentence(
    arguments: list[str], reason: str, long_tunes: Path
) -> None:
    arguments = [argument.replace("TUNES", str(long_tunes)) for argument in arguments]
    done = run("--hours", "0.5", "--seeds", "1", *arguments)
    assert done.returncode != 0
    assert reason in done.stderr
    assert "Traceback" not in done.stderr
