"""composer-generate plays alone: it has the knobs that do something then, and no others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


def generate(*arguments: object) -> subprocess.CompletedProcess[str]:
    script = "from realtime.generate import composer_generate; composer_generate()"
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--mode", "respond"),
        ("--patience", 1),
        ("--share", 0.5),
        ("--grid", "1/16"),
        ("--grid-strength", 1),
        ("--swing", 0.5),
    ],
)
def test_what_needs_a_human_or_a_song_is_no_option(
    tmp_path: Path, option: str, value: object
) -> None:
    out = tmp_path / "alone.mid"
    done = generate("--out", out, "--events", 10, option, value)
    assert done.returncode == 2
    assert not out.exists()


def test_what_turns_the_choice_of_notes_is_one(tmp_path: Path) -> None:
    done = generate("--out", tmp_path / "high.mid", "--events", 10, "--register-low", 90)
    assert done.returncode == 0, done.stderr
