"""Knobs of the whole of composerd: from a file, a keyboard's controllers and programs, and OSC."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.udp_client import SimpleUDPClient

from core.checkpoint import SHIPPED

Composerd = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def composerd() -> Iterator[Composerd]:
    """Start composerd with these arguments; it ends with the test."""
    started = []

    def start(*arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "realtime.cli", *map(str, arguments)]
        daemon = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        started.append(daemon)
        return daemon

    yield start
    for daemon in started:
        daemon.kill()
        daemon.communicate()


def said_so_far(daemon: subprocess.Popen[str], words: str) -> None:
    """Wait until it says so."""
    assert daemon.stderr
    assert any(words in line for line in daemon.stderr), f"it never said: {words}"


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def test_a_program_sees_what_is_played(composerd: Composerd, tmp_path: Path) -> None:
    stats = tmp_path / "stats.json"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as visuals:
        visuals.bind(("127.0.0.1", 0))
        visuals.setblocking(False)
        to = f"127.0.0.1:{visuals.getsockname()[1]}"
        daemon = composerd(
            *("--port", "none", "--osc-to", to, "--stats", stats, "--rng", 1, "--duration", 4)
        )
        daemon.communicate(timeout=20)
        seen = []
        with suppress(BlockingIOError):
            while True:
                seen.append(OscMessage(visuals.recv(1500)))
    assert {message.address for message in seen} == {"/note"}
    onsets = [velocity for _, velocity, _, _ in seen if velocity]
    assert len(onsets) == json.loads(stats.read_text())["onsets"] > 0
    assert len(seen) - len(onsets) >= len(onsets)  # all are released


def test_who_is_told_to_answer_nobody_is_told_why_it_is_silent(composerd: Composerd) -> None:
    port = free_port()
    daemon = composerd("--port", "none", "--osc", port, "--rng", 1)
    said_so_far(daemon, "rehearsing")
    with SimpleUDPClient("127.0.0.1", port) as program:
        program.send_message("/mode", "respond")
    said_so_far(daemon, "in mode respond composer has nobody to answer: ")


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such signal")
def test_the_wish_for_a_new_model_that_comes_too_early_does_no_harm() -> None:
    early = (
        "import os, signal\n"
        "from realtime import cli, daemon\n"
        "class Early(daemon.Daemon):\n"
        "    def start(self):\n"
        "        os.kill(os.getpid(), signal.SIGUSR1)\n"
        "        super().start()\n"
        "cli.Daemon = Early\n"
        "cli.composerd()"
    )
    arguments = ["--port", "none", "--duration", "0.1"]
    assert subprocess.run([sys.executable, "-c", early, *arguments], check=False).returncode == 0


def keyboard_sends(*messages: bytes) -> None:
    """A foreign program connects to the daemon's input and sends these."""
    script = (
        "import rtmidi, sys, time\n"
        "out = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name='pianist')\n"
        "[index] = [i for i, name in enumerate(out.get_ports()) if name.endswith(':Keys')]\n"
        "out.open_port(index)\n"
        "time.sleep(0.1)\n"
        "for message in sys.argv[1:]:\n"
        "    out.send_message(list(bytes.fromhex(message))); time.sleep(0.1)\n"
    )
    hexadecimal = [message.hex() for message in messages]
    subprocess.run([sys.executable, "-c", script, *hexadecimal], check=True)


def test_knobs_turn_from_all_sides(composerd: Composerd, jack, tmp_path: Path) -> None:
    stats, config = tmp_path / "stats.json", tmp_path / "composerd.toml"
    config.write_text(
        'port = "Sides"\ninput = "Keys"\nshare = 0.25\narticulation = 2\n'
        '[cc]\n74 = { knob = "density", low = 0, high = 10 }\n'
        "[preset.3]\ntemperature = 0.5\nregister_low = 48\n"
    )
    port = free_port()
    daemon = composerd("--config", config, "--osc", port, "--articulation", 0.5, "--stats", stats)
    said_so_far(daemon, "listening to Keys")
    jack.wait_for("composer-in:Keys")
    keyboard_sends(bytes([0xB0, 74, 127]), bytes([0xB0, 20, 0]), bytes([0xC0, 2]))
    with SimpleUDPClient("127.0.0.1", port) as program:
        program.send_message("/top_p", 0.75)
        program.send_message("/composer/velocity-scale", 9)
        program.send_message("/chaos", 1.0)
    said_so_far(daemon, "velocity_scale ends at 4")
    said_so_far(daemon, "there is no 'chaos' to turn")
    daemon.terminate()
    daemon.communicate(timeout=20)
    assert daemon.returncode == 0
    assert json.loads(stats.read_text())["parts"]["composer"]["settings"] == {
        "temperature": 0.5,
        "top_p": 0.75,
        "density": 10,
        "register_low": 48,
        "articulation": 0.5,
        "velocity_scale": 4,
        "mode": "respond",
        "share": 0.25,
    }


def test_the_next_controller_that_moves_is_learned(
    composerd: Composerd, jack, tmp_path: Path
) -> None:
    config = tmp_path / "composerd.toml"
    config.write_text("density = 4\n")
    daemon = composerd("--learn", "patience", "--input", "Keys", "--config", config)
    said_so_far(daemon, "move the controller of Keys that is to turn patience_s")
    jack.wait_for("composer-in:Keys")
    time.sleep(0.2)
    keyboard_sends(bytes([0x90, 60, 80]), bytes([0xB0, 64, 127]), bytes([0xB0, 7, 5]))
    output = daemon.communicate(timeout=20)[1]
    assert daemon.returncode == 0, output
    assert '7 = { knob = "patience_s", low = 0.05, high = 60 }' in config.read_text().splitlines()


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="no such signal")
def test_another_model_takes_over_while_it_plays_and_a_broken_one_does_not(
    composerd: Composerd, tmp_path: Path
) -> None:
    stats, model = tmp_path / "stats.json", tmp_path / "mine.safetensors"
    model.write_bytes(SHIPPED.read_bytes())
    port = free_port()
    daemon = composerd("--port", "none", "--model", model, "--osc", port, "--stats", stats)
    said_so_far(daemon, "rehearsing")
    time.sleep(1)
    for pid in (*children(daemon).values(), daemon.pid):  # as a service manager does
        os.kill(pid, signal.SIGUSR1)
    said_so_far(daemon, f"{model} plays now")
    model.write_bytes(b"half of a fi")
    daemon.send_signal(signal.SIGUSR1)
    said_so_far(daemon, f"; {model} plays on")
    with SimpleUDPClient("127.0.0.1", port) as program:
        program.send_message("/model", str(SHIPPED))
    said_so_far(daemon, f"{SHIPPED} plays now")
    os.kill(children(daemon)["composer"], signal.SIGKILL)  # its successor plays the same model
    time.sleep(3)
    daemon.terminate()
    daemon.communicate(timeout=20)
    figures = json.loads(stats.read_text())
    assert figures["restarts"] == 1
    assert figures["parts"]["composer"]["model"] == str(SHIPPED)


def test_who_asks_for_another_model_by_osc_is_told_what_came_of_it(composerd: Composerd) -> None:
    port = free_port()
    daemon = composerd("--port", "none", "--osc", port, "--rng", 1)
    said_so_far(daemon, "rehearsing")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as program:
        program.connect(("127.0.0.1", port))
        program.settimeout(10)
        for path, outcome in (
            ("gone.safetensors", f"; {SHIPPED} plays on"),
            (str(SHIPPED), f"{SHIPPED} plays now"),
        ):
            asked = OscMessageBuilder("/model")
            asked.add_arg(path)
            program.send(asked.build().dgram)
            [word] = OscMessage(program.recv(1500))
            assert word.endswith(outcome)


def children(daemon: subprocess.Popen[str]) -> dict[str, int]:
    """Process number by module: the one at work is older than the one that waits beside it."""
    task = Path(f"/proc/{daemon.pid}/task/{daemon.pid}/children")
    found = {}
    for pid in map(int, task.read_text().split()):
        module = Path(f"/proc/{pid}/cmdline").read_text().split("\0")[-2]
        found.setdefault(module.rpartition(".")[2], pid)
    return found
