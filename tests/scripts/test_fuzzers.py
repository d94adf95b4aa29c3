"""A few hundred cases of each fuzzer; the scripts themselves make thousands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parent.parent.parent / "scripts"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="limits time and memory with POSIX")


@pytest.mark.parametrize("script", ["fuzz_midi.py", "fuzz_checkpoint.py"])
def test_whatever_is_mutated_is_read_or_refused(script: str) -> None:
    done = subprocess.run(
        [sys.executable, SCRIPTS / script, "--cases", "300"],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "refused: " in done.stdout
