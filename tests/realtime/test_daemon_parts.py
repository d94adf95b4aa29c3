"""Several parts in one composerd, over a real MIDI system, heard by a foreign program."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import mido

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


def test_parts_that_cannot_be_are_one_line(tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text(PARTS.replace('["bass"]', '["drums"]'))
    done = composerd("--config", config)
    assert done.returncode == 1
    assert done.stderr == "composerd: part 'lead' hears 'drums'; the other parts are: bass\n"
