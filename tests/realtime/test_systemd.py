"""What a service manager hears: here it is a socket of the test's own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from realtime import systemd
from tests.realtime.composerd import Start

if sys.platform == "win32":
    pytest.skip("there is no systemd", allow_module_level=True)


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with (
        tempfile.TemporaryDirectory() as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager,
    ):
        path = Path(folder) / "notify"  # tmp_path may be too long for a socket
        manager.bind(str(path))
        manager.settimeout(60)
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        yield manager


def test_lines_go_out_together(manager: socket.socket) -> None:
    systemd.notify("WATCHDOG=1", "STATUS=playing")
    assert manager.recv(1000) == b"WATCHDOG=1\nSTATUS=playing"


@pytest.mark.skipif(sys.platform != "linux", reason="abstract names are Linux's")
def test_an_abstract_name_is_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        name = f"composer-test-{os.getpid()}"
        manager.bind(f"\0{name}")
        manager.settimeout(60)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
        systemd.notify("READY=1")
        assert manager.recv(1000) == b"READY=1"


def test_nobody_there_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    systemd.notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", "/nowhere/at/all")
    systemd.notify("READY=1")


@pytest.mark.usefixtures("manager")
def test_a_manager_that_does_not_read_is_not_waited_for() -> None:
    for _ in range(10_000):
        systemd.notify("WATCHDOG=1")


def test_the_daemon_says_when_it_plays_that_it_lives_and_that_it_stops(
    composerd: Start, manager: socket.socket
) -> None:
    daemon = composerd("--port", "none", "--rng", 1)
    assert manager.recv(1000) == b"READY=1"
    for _ in range(3):
        assert manager.recv(1000).startswith(b"WATCHDOG=1\nSTATUS=rehearsal ")
    daemon.send_signal(signal.SIGTERM)
    while (said := manager.recv(1000)) != b"STOPPING=1":
        assert said.startswith(b"WATCHDOG=1\n")
    assert daemon.wait(60) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="a JACK server is started")
@pytest.mark.usefixtures("jack")
def test_who_waits_for_the_start_of_a_song_is_not_taken_for_dead(manager: socket.socket) -> None:
    impatient = (
        "from realtime import cli, pulse; pulse.STILL_AFTER_NS = 1_000_000_000; cli.composerd()"
    )
    arguments = ["--port", "none", "--api", "jack", "--sync", "clock"]
    command = [sys.executable, "-c", impatient, *arguments]
    daemon = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    manager.settimeout(10)
    try:
        assert manager.recv(1000) == b"READY=1"
        for _ in range(4):
            assert manager.recv(1000).startswith(b"WATCHDOG=1\n")
    finally:
        daemon.kill()
        daemon.wait()
