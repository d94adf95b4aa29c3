"""Knobs of the whole of composerd: from a file, a keyboard's controllers and programs, and OSC."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.udp_client import SimpleUDPClient

from core.checkpoint import SHIPPED
from tests.realtime.composerd import Start
from tests.realtime.pianist import pianist


def test_a_program_sees_what_is_played(composerd: Start, tmp_path: Path) -> None:
    stats = tmp_path / "stats.json"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as visuals:
        visuals.bind(("127.0.0.1", 0))
        visuals.setblocking(False)
        to = f"127.0.0.1:{visuals.getsockname()[1]}"
        daemon = composerd(
            *("--port", "none", "--osc-to", to, "--stats", stats, "--rng", 1, "--duration", 4)
        )
        daemon.said()
        seen = []
        with suppress(BlockingIOError):
            while True:
                seen.append(OscMessage(visuals.recv(1500)))
    assert {message.address for message in seen} == {"/note"}
    onsets = [velocity for _, velocity, _, _ in seen if velocity]
    assert len(onsets) == json.loads(stats.read_text())["onsets"] > 0
    assert len(seen) - len(onsets) >= len(onsets)  # all are released


def test_who_is_told_to_answer_nobody_is_told_why_it_is_silent(
    composerd: Start, free_port: int
) -> None:
    daemon = composerd("--port", "none", "--osc", free_port, "--rng", 1)
    daemon.says("rehearsing")
    with SimpleUDPClient("127.0.0.1", free_port) as program:
        program.send_message("/mode", "respond")
    daemon.says("in mode respond composer has nobody to answer: ")


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
    pianist("".join(f"out.send_message({[*message]}); time.sleep(0.1)\n" for message in messages))


def test_knobs_turn_from_all_sides(composerd: Start, jack, tmp_path: Path, free_port: int) -> None:
    stats, config = tmp_path / "stats.json", tmp_path / "composerd.toml"
    config.write_text(
        'port = "Sides"\ninput = "Keys"\nshare = 0.25\narticulation = 2\n'
        '[cc]\n74 = { knob = "density", low = 0, high = 10 }\n'
        "[preset.3]\ntemperature = 0.5\nregister_low = 48\n"
    )
    daemon = composerd(
        "--config", config, "--osc", free_port, "--articulation", 0.5, "--stats", stats
    )
    daemon.says("listening to Keys")
    jack.wait_for("composer-in:Keys")
    keyboard_sends(bytes([0xB0, 74, 127]), bytes([0xB0, 20, 0]), bytes([0xC0, 2]))
    with SimpleUDPClient("127.0.0.1", free_port) as program:
        program.send_message("/top_p", 0.75)
        program.send_message("/composer/velocity-scale", 9)
        program.send_message("/chaos", 1.0)
    daemon.says("velocity_scale ends at 4")
    daemon.says("there is no 'chaos' to turn")
    daemon.terminate()
    daemon.said()
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


def test_the_next_controller_that_moves_is_learned(composerd: Start, jack, tmp_path: Path) -> None:
    config = tmp_path / "composerd.toml"
    config.write_text("density = 4\n")
    daemon = composerd("--learn", "patience", "--input", "Keys", "--config", config)
    daemon.says("move the controller of Keys that is to turn patience_s")
    jack.wait_for("composer-in:Keys")
    time.sleep(0.2)
    keyboard_sends(bytes([0x90, 60, 80]), bytes([0xB0, 64, 127]), bytes([0xB0, 7, 5]))
    output = daemon.said()
    assert daemon.returncode == 0, output
    assert '7 = { knob = "patience_s", low = 0.05, high = 60 }' in config.read_text().splitlines()


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="no such signal")
def test_another_model_takes_over_while_it_plays_and_a_broken_one_does_not(
    composerd: Start, tmp_path: Path, free_port: int
) -> None:
    stats, model = tmp_path / "stats.json", tmp_path / "mine.safetensors"
    model.write_bytes(SHIPPED.read_bytes())
    daemon = composerd("--port", "none", "--model", model, "--osc", free_port, "--stats", stats)
    daemon.says("rehearsing")
    time.sleep(1)
    at_work = [pid for pid, *_ in daemon.children().values()]
    for pid in (*at_work, daemon.pid):  # as a service manager does
        os.kill(pid, signal.SIGUSR1)
    daemon.says(f"{model} plays now")
    model.write_bytes(b"half of a fi")
    daemon.send_signal(signal.SIGUSR1)
    daemon.says(f"; {model} plays on")
    with SimpleUDPClient("127.0.0.1", free_port) as program:
        program.send_message("/model", str(SHIPPED))
    daemon.says(f"{SHIPPED} plays now")
    os.kill(daemon.children()["composer"][0], signal.SIGKILL)  # its successor plays the same model
    time.sleep(3)
    daemon.terminate()
    daemon.said()
    figures = json.loads(stats.read_text())
    assert figures["restarts"] == 1
    assert figures["parts"]["composer"]["model"] == str(SHIPPED)


def test_who_asks_for_another_model_by_osc_is_told_what_came_of_it(
    composerd: Start, free_port: int
) -> None:
    daemon = composerd("--port", "none", "--osc", free_port, "--rng", 1)
    daemon.says("rehearsing")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as program:
        program.connect(("127.0.0.1", free_port))
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


def test_where_somebody_else_listens_for_osc_the_last_recording_is_kept(
    composerd: Start, tmp_path: Path
) -> None:
    (tmp_path / "song.mid").write_text("yesterday's")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        taken = other.getsockname()[1]
        daemon = composerd("--port", "none", "--osc", taken, "--record", tmp_path / "song.mid")
        said = daemon.said()
    assert said.startswith(f"composerd: cannot listen for OSC at 127.0.0.1:{taken}: ")
    assert said.count("\n") == 1
    assert daemon.returncode == 1
    assert [path.read_text() for path in tmp_path.iterdir()] == ["yesterday's"]
