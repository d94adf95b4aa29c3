"""The knobs of the whole of composerd, as a foreign program hears them."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator

import pytest
from pythonosc.udp_client import SimpleUDPClient

Composerd = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def composerd() -> Iterator[Composerd]:
    """Start composerd with these arguments, playing to the listener; it ends with the test."""
    started = []

    def start(*arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "realtime.cli", "--port", "listener", "--rng", "3"]
        daemon = subprocess.Popen(
            [*command, *map(str, arguments)], stderr=subprocess.PIPE, text=True
        )
        started.append(daemon)
        assert daemon.stderr
        assert any("playing to" in line for line in daemon.stderr)
        return daemon

    yield start
    for daemon in started:
        daemon.kill()
        daemon.communicate()


def onsets(messages: Iterable[bytes]) -> list[bytes]:
    return [message for message in messages if message[0] >> 4 == 9 and message[2]]


def sounding(messages: Iterable[bytes]) -> list[int]:
    """How many notes sound after each message of a note; a release of none is nothing."""
    now, counts = set[tuple[int, int]](), []
    for message in messages:
        if message[0] >> 4 in (8, 9):
            (now.add if onsets([message]) else now.discard)((message[0] & 0x0F, message[1]))
            counts.append(len(now))
    return counts


def test_what_is_asked_for_is_heard(composerd: Composerd, listener) -> None:
    knobs = "--key D --scale pentatonic --register-low 50 --register-high 74 --polyphony 3"
    loudness = "--velocity-low 40 --velocity-high 60"
    daemon = composerd(*knobs.split(), *loudness.split(), "--density", 6, "--duration", 4)
    daemon.communicate(timeout=20)
    heard = listener.heard()
    struck = onsets(heard)
    assert 6 * 4 / 4 < len(struck) < 6 * 4 * 2  # so short a time tells no more
    assert {message[1] for message in struck} <= {50, 52, 54, 57, 59, 62, 64, 66, 69, 71, 74}
    assert all(40 <= message[2] <= 60 for message in struck)
    assert max(sounding(heard)) <= 3
    assert sounding(heard)[-1] == 0


def test_a_knob_that_is_turned_is_heard_at_once(composerd: Composerd, listener) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    daemon = composerd("--osc", port, "--density", 12, "--register-high", 71)
    time.sleep(2.5)
    with SimpleUDPClient("127.0.0.1", port) as program:
        program.send_message("/register_high", 127)
        program.send_message("/register_low", 72)
        program.send_message("/velocity_low", 100)
        program.send_message("/surprise", [])
    time.sleep(2)
    daemon.terminate()
    daemon.communicate(timeout=20)
    heard = listener.heard()
    low, high = ([m[1] < 72 for m in onsets(heard)].count(is_low) for is_low in (True, False))
    assert low > 2
    assert high > 2
    assert all(message[1] >= 72 and message[2] >= 100 for message in onsets(heard)[low + 3 :])
    assert sounding(heard)[-1] == 0
