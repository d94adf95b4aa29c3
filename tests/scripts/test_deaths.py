"""A few trials of the main deaths; the script itself makes a hundred of each, and of many more."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent.parent / "scripts" / "deaths.py"
DEATHS = [
    *("end by --duration", "SIGINT", "SIGTERM", "SIGHUP"),
    *("SIGKILL of the composer", "SIGKILL of the player", "the destination killed, and back"),
    *("an exception in engine", "an exception in scheduler"),
]


@pytest.mark.skipif(sys.platform != "linux", reason="needs a JACK server that sounds nowhere")
def test_no_death_leaves_a_note_sounding() -> None:
    assert shutil.which("jackd"), "install jackd2 (and its tools)"
    # Patience: a busy machine may be slow, and must not leave a note for all that.
    options = ["--trials", "5", "--jobs", "4", "--patience-s", "20", "--only", *DEATHS]
    done = subprocess.run(
        [sys.executable, SCRIPT, *options], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = re.findall(r"^\| (.+?) \| (\d+) \| (\d+) \|", done.stdout, re.MULTILINE)
    assert sorted(rows) == sorted((name, "5", "0") for name in DEATHS)
