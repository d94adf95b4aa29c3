"""Parts that hear each other, in virtual time: they share the music, and drive nobody on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parent.parent.parent / "scripts" / "voices.py"


def test_parts_that_hear_each_other_play_no_more_than_one_alone_might(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    command = [sys.executable, SCRIPT, "--minutes", "1", "--seeds", "1", "--json", figures]
    done = subprocess.run(
        [*command, "--voices", "3"], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "| 3 |" in done.stdout
    (onsets,) = json.loads(figures.read_text())["3"]  # of each part, in the one minute
    assert 60 < sum(onsets) < 60 * 20  # alone it plays some 8 notes a second
    assert min(onsets) > sum(onsets) / 6
