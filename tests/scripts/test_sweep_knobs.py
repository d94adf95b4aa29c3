"""The sweep of the knobs: a few notes of a few of them."""

from __future__ import annotations

import importlib
import random
import subprocess
import sys
from pathlib import Path

import pytest

from core.events import Event

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


def test_a_note_that_ends_as_the_next_begins_does_not_sound_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(SCRIPT.parent)
    sweep_knobs, music = (importlib.import_module(name) for name in ("sweep_knobs", "music"))
    chance = random.Random(0)
    for _ in range(1000):
        legato = [
            Event(chance.uniform(0.5, 1), 60, 80),
            Event(chance.random(), 61, 80),
            Event(chance.random(), 60, 0),
            Event(0.0, 62, 80),
            Event(0.1, 62, 0),
        ]
        assert sweep_knobs.most_at_once(list(music.notes(legato))) == 2


def test_what_is_no_knob_is_answered_with_those_that_are() -> None:
    told = sweep("loudness").stderr
    assert "not swept: loudness; the knobs are temperature," in told
