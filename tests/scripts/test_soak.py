"""The soak runs, and its tables are whole; what the figures are is for a quiet machine to say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"


def test_ten_minutes_of_virtual_time_leaves_no_note(tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    command = [sys.executable, SCRIPTS / "soak_virtual.py", "--weeks", "0.001", "--json", out]
    table = subprocess.check_output(command, text=True)
    figures = json.loads(out.read_text())
    assert figures["onsets"] > 300
    assert figures["lost"] == figures["hanging"] == figures["dropped"] == 0
    assert figures["struck_twice"] == figures["released_twice"] == 0
    assert figures["latest_ns"] == 0
    assert all(len(figures[name]) == 20 for name in ("memory_mb", "step_us"))
    assert "| sounding at the end | 0 |" in table


@pytest.mark.skipif(sys.platform != "linux", reason="JACK programs are started")
def test_seconds_of_the_hour_are_counted_by_a_program_that_is_not_ours(tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    command = [sys.executable, SCRIPTS / "soak.py", "--minutes", "0.1", "--weeks", "0.02"]
    done = subprocess.run(
        [*command, "--untrained", "--json", out], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(out.read_text())
    assert figures["arrived"]["onsets"] > 0
    assert figures["restarts"] == 0
    assert set(figures["lateness_us"]) == {"idle", "cores busy"}
    assert {"daemon", "composer", "player"} == set(figures["memory_mb"][0])
    assert figures["virtual"]["hanging"] == 0
    assert "minutes over JACK" in done.stdout
