"""A few trials of each death; the script itself makes a hundred."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent.parent / "scripts" / "deaths.py"


@pytest.mark.skipif(sys.platform != "linux", reason="needs a JACK server that sounds nowhere")
def test_no_death_leaves_a_note_sounding() -> None:
    assert shutil.which("jackd"), "install jackd2 (and its tools)"
    # Patience: a busy machine may be slow, and must not leave a note for all that.
    options = ["--trials", "5", "--jobs", "4", "--patience-s", "20"]
    done = subprocess.run(
        [sys.executable, SCRIPT, *options], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = re.findall(r"^\| (.+?) \| (\d+) \| (\d+) \|", done.stdout, re.MULTILINE)
    assert len(rows) > 30
    assert {row[1:] for row in rows} == {("5", "0")}
