"""What is said where it cannot be said."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FULL_FOR_A_WHILE = """
import resource
from realtime.terminal import log

_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
log("before")
resource.setrlimit(resource.RLIMIT_FSIZE, (0, most))
log("meanwhile")
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
log("after")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_a_log_on_a_disk_that_was_full_goes_on_when_there_is_room(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as log:
        subprocess.run([sys.executable, "-c", FULL_FOR_A_WHILE], stderr=log, check=True)
    first, *_, last = (tmp_path / "log").read_text().splitlines()
    assert (first, last) == ("before", "after")
