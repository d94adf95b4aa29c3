"""Runs of notes that two musics share."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

SCRIPTS = Path(__file__).parent.parent.parent / "scripts"


@pytest.fixture
def copying(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(SCRIPTS)
    spec = spec_from_file_location("copying", SCRIPTS / "copying.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pieces(*texts: str) -> list[np.ndarray]:
    return [np.frombuffer(text.encode(), np.uint8) for text in texts]


def test_a_run_goes_on_as_long_as_some_place_of_the_training_has_it(copying: ModuleType) -> None:
    lengths = copying.runs(pieces("xabcdyab"), pieces("abcd", "bcdy", "ab"))
    assert lengths.tolist() == [0, 4, 4, 3, 2, 1, 2, 1]


def test_a_run_does_not_go_over_the_end_of_a_piece(copying: ModuleType) -> None:
    assert copying.runs(pieces("abcd"), pieces("ab", "cd")).tolist() == [2, 1, 2, 1]
    assert copying.runs(pieces("ab", "cd"), pieces("abcd")).tolist() == [2, 1, 2, 1]


def test_runs_are_those_that_a_plain_search_finds(copying: ModuleType) -> None:
    rng = np.random.default_rng(1)
    music, training = ("".join(rng.choice(list("abc"), 200)) for _ in range(2))
    plain = [max(n for n in range(201 - at) if music[at : at + n] in training) for at in range(200)]
    assert copying.runs(pieces(music), pieces(training)).tolist() == plain


def test_ours_and_real_music_are_a_row_each(songbook: Path) -> None:
    command = [sys.executable, SCRIPTS / "copying.py", songbook]
    command += ["--held-out", songbook / "more", "--minutes", "0.5"]
    output = subprocess.check_output(command, text=True, timeout=300)
    rows = [line.split("|")[1:-1] for line in output.splitlines()[2:4]]
    assert [row[0].strip() for row in rows] == ["ours", "held-out real music"]
    (ours, real) = ([int(figure.replace(",", "")) for figure in row[2:]] for row in rows)
    assert ours[1] < 30
    assert real[1] >= 30  # more is a part of the training here
