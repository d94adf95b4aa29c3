"""composerd --check: whether it would play here."""

from __future__ import annotations

import subprocess
from importlib.metadata import version

from tests.realtime.composerd import run


def check(*arguments: str) -> subprocess.CompletedProcess[str]:
    return run("--check", *arguments)


def test_where_it_would_play_it_says_how_well(listener) -> None:
    told = check("--port", "listener")
    assert told.returncode == 0, told.stdout + told.stderr
    assert f"live-composer {version('live-composer')} with mido " in told.stdout
    assert "out: " in told.stdout
    assert "port listener:input" in told.stdout
    assert "50 of 50 messages came back" in told.stdout
    assert "an event takes" in told.stdout
    assert "FAIL" not in told.stdout
    assert listener.heard() == []


def test_without_a_midi_system_it_fails_and_looks_at_the_rest(tmp_path) -> None:
    told = check("--api", "nonsense", "--model", str(tmp_path / "gone.safetensors"))
    assert told.returncode == 1
    failures = [line for line in told.stdout.splitlines() if line.startswith("FAIL")]
    assert len(failures) == 4
    assert "no MIDI system 'nonsense' here" in failures[0]
    assert "no checkpoint at " in failures[-1]
    assert "Traceback" not in told.stderr
