"""Several parts in one composerd, over a real MIDI system, heard by a foreign program."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import mido
import pytest

from tests.realtime.composerd import Start, run
from tests.realtime.heard import onsets, sounding

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


def test_two_parts_play_at_once_each_on_its_channel_and_in_its_register(
    listener, tmp_path: Path
) -> None:
    config, stats, take = (tmp_path / name for name in ("c.toml", "stats.json", "take.mid"))
    config.write_text(PARTS)
    done = run(
        *("--config", config, "--port", "listener", "--rng", 1, "--duration", 6),
        *("--stats", stats, "--record", take),
    )
    assert done.returncode == 0, done.stderr
    heard = listener.heard()
    assert not sounding(heard)
    struck: dict[int, list[int]] = {1: [], 0: []}
    for message in onsets(heard):
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
    done = run("--config", config, "--port", "listener", "--duration", 5)
    assert done.returncode == 0, done.stderr
    struck: dict[int, list[bytes]] = {channel: [] for channel in range(4)}
    for message in onsets(listener.heard()):
        struck[message[0] & 0x0F].append(message[1:])
    _, one, another, hearing = struck.values()
    length = min(len(one), len(another))
    assert length > 5
    assert one[:length] == another[:length]
    assert hearing[:length] != one[:length]


def test_a_part_that_dies_again_and_again_leaves_the_others_playing(
    composerd: Start, jack, listener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))  # no other daemon's
    config = tmp_path / "c.toml"
    config.write_text(PARTS)
    daemon = composerd("--config", config, "--port", "listener", "--rng", 1)
    daemon.says("playing to")
    killed = set()
    while "bass" in (pids := json.loads(run("--status", "--json").stdout)["pids"]):
        if pids["bass"] not in killed:
            killed.add(pids["bass"])
            os.kill(pids["bass"], signal.SIGKILL)
        time.sleep(0.2)
    assert len(killed) == 4
    later = type(listener)(jack, "later")
    jack.connect("composer:output", "later:input")
    time.sleep(2)
    daemon.terminate()
    output = daemon.said()
    assert daemon.returncode == 0, output
    assert "bass died 4 times within a minute; the other parts play on" in output
    assert not sounding(listener.heard())
    assert {message[0] & 0x0F for message in onsets(later.heard())} == {0}
    later.forget()


def test_parts_that_cannot_be_are_one_line(tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text(PARTS.replace('["bass"]', '["drums"]'))
    done = run("--config", config)
    assert done.returncode == 1
    assert done.stderr == "composerd: part 'lead' hears 'drums'; the other parts are: bass\n"
