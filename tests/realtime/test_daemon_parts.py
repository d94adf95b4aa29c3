"""Several parts in one composerd, over a real MIDI system, heard by a foreign program."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import mido
import pytest

PARTS = """
density = 4

[[part]]
name = "bass"
channel = 2
program = 34
register_high = 55

[[part]]
name = "lead"
register_low = 60
hears = ["bass"]
temperature = 0.8
"""


def is_onset(message: bytes) -> bool:
    return message[0] >> 4 == 9 and message[2] > 0


def left_sounding(messages: list[bytes]) -> Counter[tuple[int, int]]:
    """(channel, pitch) struck more often than released."""
    balance: Counter[tuple[int, int]] = Counter()
    for message in messages:
        if message[0] >> 4 in (8, 9):
            balance[message[0] & 0x0F, message[1]] += 1 if is_onset(message) else -1
    return +balance


def composerd(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "realtime.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_two_parts_play_at_once_each_on_its_channel_and_in_its_register(
    listener, tmp_path: Path
) -> None:
    config, stats, take = (tmp_path / name for name in ("c.toml", "stats.json", "take.mid"))
    config.write_text(PARTS)
    done = composerd(
        *("--config", config, "--port", "listener", "--rng", 1, "--duration", 6),
        *("--stats", stats, "--record", take),
    )
    assert done.returncode == 0, done.stderr
    heard = listener.heard()
    assert not left_sounding(heard)
    struck: dict[int, list[int]] = {1: [], 0: []}
    for message in filter(is_onset, heard):
        struck[message[0] & 0x0F].append(message[1])
    assert 0 < max(struck[1]) <= 55
    assert min(struck[0]) >= 60
    assert bytes([0xC1, 33]) in [message[:2] for message in heard]

    parts = json.loads(stats.read_text())["parts"]
    # A busy sound server may lose a message.
    assert parts["bass"]["onsets"] >= len(struck[1])
    assert parts["lead"]["onsets"] >= len(struck[0])
    assert [track.name for track in mido.MidiFile(take).tracks][-2:] == ["bass", "lead"]


THREE_ALIKE = """
[[part]]
name = "bass"
rng = 1

[[part]]
name = "one"
rng = 5

[[part]]
name = "another"
rng = 5

[[part]]
name = "hearing"
rng = 5
hears = ["bass"]
"""


def test_who_hears_another_part_plays_something_else_than_who_does_not(
    listener, tmp_path: Path
) -> None:
    config = tmp_path / "c.toml"
    config.write_text(THREE_ALIKE)
    done = composerd("--config", config, "--port", "listener", "--duration", 5)
    assert done.returncode == 0, done.stderr
    struck: dict[int, list[bytes]] = {channel: [] for channel in range(4)}
    for message in filter(is_onset, listener.heard()):
        struck[message[0] & 0x0F].append(message[1:])
    _, one, another, hearing = struck.values()
    length = min(len(one), len(another))
    assert length > 5
    assert one[:length] == another[:length]
    assert hearing[:length] != one[:length]


def test_a_part_that_dies_again_and_again_leaves_the_others_playing(
    jack, listener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))  # no other daemon's
    config = tmp_path / "c.toml"
    config.write_text(PARTS)
    command = [sys.executable, "-m", "realtime.cli", "--config", str(config)]
    with subprocess.Popen(
        [*command, "--port", "listener", "--rng", "1"], stderr=subprocess.PIPE, text=True
    ) as daemon:
        assert daemon.stderr
        assert any("playing to" in line for line in daemon.stderr)
        killed = set()
        while "bass" in (pids := json.loads(composerd("--status", "--json").stdout)["pids"]):
            if pids["bass"] not in killed:
                killed.add(pids["bass"])
                os.kill(pids["bass"], signal.SIGKILL)
            time.sleep(0.2)
        assert len(killed) == 4
        later = type(listener)(jack, "later")
        jack.connect("composer:output", "later:input")
        time.sleep(2)
        daemon.terminate()
        output = daemon.communicate()[1]
    assert daemon.returncode == 0, output
    assert "bass died 4 times within a minute; the other parts play on" in output
    assert not left_sounding(listener.heard())
    assert {message[0] & 0x0F for message in filter(is_onset, later.heard())} == {0}
    later.forget()


def test_parts_that_cannot_be_are_one_line(tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text(PARTS.replace('["bass"]', '["drums"]'))
    done = composerd("--config", config)
    assert done.returncode == 1
    assert done.stderr == "composerd: part 'lead' hears 'drums'; the other parts are: bass\n"
