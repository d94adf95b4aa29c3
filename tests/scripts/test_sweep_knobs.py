"""The sweep of the knobs: a few notes of a few of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent.parent / "scripts" / "sweep_knobs.py"

pytest.importorskip("matplotlib")


def sweep(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, SCRIPT, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def test_what_is_asked_for_is_held_against_what_is_played(tmp_path: Path) -> None:
    few = ("--rngs", "1", "--events", "200", "--plots", tmp_path)
    _, _, *rows = sweep("polyphony", "density", *few).stdout.splitlines()
    assert [row.split("|")[1].strip() for row in rows] == ["`polyphony`", "`density`"]
    most, density = ([pair.split(": ") for pair in row.split("|")[3].split("; ")] for row in rows)
    assert all(float(played) <= float(asked) for asked, played in most)
    for asked, played in density[:-2]:
        assert float(played) == pytest.approx(float(asked), rel=0.5)  # so few notes tell little
    assert {path.name for path in tmp_path.iterdir()} == {"notes.png", "time.png"}


def test_what_is_no_knob_is_answered_with_those_that_are() -> None:
    told = sweep("loudness").stderr
    assert "not swept: loudness; the knobs are temperature," in told
