"""composerd --status: the daemon that runs answers its own user."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.realtime.composerd import Composerd, Start, run


@pytest.fixture(autouse=True)
def runtime_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """No other daemon's; and short, for the path of a socket may have a hundred characters."""
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield Path(folder)


@pytest.fixture
def composerd(composerd: Start) -> Start:
    """Start composerd playing to this port, and wait until it answers."""

    def start(port: str) -> Composerd:
        daemon = composerd("--port", port)
        while ask("--port", "rehearsal" if port == "none" else port).returncode:
            assert daemon.poll() is None, daemon.said()
        return daemon

    return start


def ask(*arguments: str) -> subprocess.CompletedProcess[str]:
    return run("--status", *arguments)


def test_it_tells_what_it_plays_and_how_late(composerd: Start) -> None:
    daemon = composerd("none")
    answer = json.loads(ask("--json").stdout)
    assert answer["port"] == "rehearsal"
    assert answer["mode"] == "free"
    assert answer["pids"]["daemon"] == daemon.pid
    assert answer["restarts"] == answer["dropped"] == 0
    assert answer["waiting_for_port"] is False
    assert set(answer["lateness_us"]) == {"p50", "p99", "max"}
    assert set(answer["memory_mb"]) == {"daemon", "composer", "player"}
    assert all(memory > 1 for memory in answer["memory_mb"].values())
    later = json.loads(ask("--json").stdout)
    assert later["uptime_s"] >= answer["uptime_s"]


def test_as_text_it_is_a_name_and_a_value_a_line(composerd: Start) -> None:
    composerd("none")
    told = ask()
    assert told.returncode == 0
    lines = dict(line.split("  ", 1) for line in told.stdout.splitlines())
    assert lines["port"].strip() == "rehearsal"
    assert "p99" in lines["lateness us"]


def test_without_a_daemon_it_is_one_line_and_1() -> None:
    told = ask()
    assert told.returncode == 1
    assert told.stderr == "composerd: no composerd of yours is running\n"


@pytest.mark.usefixtures("jack")
def test_of_several_one_is_named_by_its_port(composerd: Start) -> None:
    composerd("left")
    right = composerd("right")
    told = ask()
    assert told.returncode == 1
    assert "2 of composerd are running, playing to: " in told.stderr
    assert "left" in told.stderr
    assert "right" in told.stderr
    assert json.loads(ask("--json", "--port", "RIGHT").stdout)["pids"]["daemon"] == right.pid
    other = ask("--port", "middle")
    assert other.returncode == 1
    assert "no composerd plays to 'middle'" in other.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="there it is a named pipe")
def test_nobody_else_can_ask(composerd: Start, runtime_folder: Path) -> None:
    composerd("none")
    [socket] = (runtime_folder / "composerd").iterdir()
    assert stat.S_ISSOCK(socket.stat().st_mode)
    assert stat.S_IMODE(socket.stat().st_mode) == 0o600
    assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
    assert socket.stat().st_uid == os.getuid()


@pytest.mark.skipif(sys.platform == "win32", reason="there it is a named pipe")
def test_what_a_killed_daemon_left_is_no_daemon(composerd: Start, runtime_folder: Path) -> None:
    daemon = composerd("none")
    daemon.kill()
    daemon.wait()
    assert len(list((runtime_folder / "composerd").iterdir())) == 1
    assert "no composerd of yours is running" in ask().stderr
    assert list((runtime_folder / "composerd").iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
def test_one_that_hangs_is_said_to(composerd: Start) -> None:
    daemon = composerd("none")
    daemon.send_signal(signal.SIGSTOP)
    told = ask()
    daemon.send_signal(signal.SIGCONT)
    assert told.returncode == 1
    assert told.stderr == f"composerd: composerd, process {daemon.pid}, does not answer\n"


def test_a_path_too_long_for_a_socket_does_not_stop_the_music(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    done = run("--port", "none", "--duration", 1)
    assert done.returncode == 0
    assert "--status will not reach this composerd" in done.stderr
    assert "notes struck" in done.stderr
