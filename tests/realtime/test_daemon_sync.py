"""composerd in time with others: a foreign clock, driven by JACK's transport, and foreign ears."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import IO, cast

import mido
import pytest

from tests.realtime.composerd import Composerd, Start, run
from tests.realtime.heard import is_onset, sounding

RATE = 48_000  # frames a second, of JACK

Heard = list[tuple[float, bytes]]  # (s by JACK's own clock, message)


@pytest.fixture
def composerd(composerd: Start) -> Start:
    """Start composerd with these arguments, and wait until it is there."""

    def start(*arguments: object) -> Composerd:
        daemon = composerd("--api", "jack", *arguments)
        daemon.says("playing to")
        return daemon

    return start


class Sequencer:
    """A foreign one: jack_midi_clock, and JACK's transport with a master of its tempo."""

    def __init__(self, jack, ear: str) -> None:
        for program in ("jack_midi_clock", "jack_transport"):
            if shutil.which(program) is None:
                pytest.fail(f"no {program} here: install jack-midi-clock and jackd2", pytrace=False)
        self._clock = subprocess.Popen(["jack_midi_clock", "-d", "0"], stdout=subprocess.DEVNULL)
        self._transport = subprocess.Popen(
            ["jack_transport"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.does("master", "tempo 100", "stop", "locate 0")
        jack.connect("jack_midi_clock:mclk_out", ear)

    def does(self, *commands: str) -> None:
        pipe = cast(IO[str], self._transport.stdin)
        pipe.write("".join(f"{command}\n" for command in commands))
        pipe.flush()

    def close(self) -> None:
        self._transport.communicate("stop\nrelease\nexit\n")
        self._clock.send_signal(signal.SIGINT)
        self._clock.wait()


class Ear:
    """A foreign program that hears clock and notes on one port."""

    port = "ear:input"

    def __init__(self, jack, said: Path) -> None:
        self._said = said
        with said.open("w") as out:
            self._process = subprocess.Popen(["jack_midi_dump", "-a", "ear"], stdout=out)
        jack.wait_for(self.port)

    def hears(self, onsets: int, channel: int = 0) -> None:
        """Wait until so many more have come on a channel."""
        before = self._count(channel)
        for _ in range(600):
            if self._count(channel) >= before + onsets:
                return
            time.sleep(0.05)
        pytest.fail(f"{self._count(channel) - before} of {onsets} onsets came")

    def _count(self, channel: int) -> int:
        return sum(is_onset(m) and m[0] & 0x0F == channel for _, m in self._so_far())

    def heard(self) -> Heard:
        """All of it; it leaves."""
        self._process.terminate()
        self._process.wait()
        return self._so_far()

    def _so_far(self) -> Heard:
        # '  23488: 90 3c 50 note on  (channel  0): ...', where 23488 counts frames
        lines = re.findall(r"(\d+):((?: [0-9a-f]{2})+)[^\n]*\n", self._said.read_text())
        return [(int(frame) / RATE, bytes.fromhex(message)) for frame, message in lines]

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture
def ear(jack, tmp_path: Path) -> Iterator[Ear]:
    with closing(Ear(jack, tmp_path / "heard")) as ear:
        yield ear


@pytest.fixture
def sequencer(jack, ear) -> Iterator[Sequencer]:
    with closing(Sequencer(jack, ear.port)) as sequencer:
        yield sequencer


def onsets(heard: Heard) -> list[float]:
    return [at_s for at_s, message in heard if is_onset(message)]


def moments(heard: Heard, status: int) -> list[float]:
    return [at_s for at_s, message in heard if message[0] == status]


def until(heard: Heard, at_s: float) -> list[bytes]:
    return [message for moment_s, message in heard if moment_s <= at_s]


def test_it_plays_from_start_to_stop_of_a_foreign_clock_and_again(
    composerd: Start, sequencer: Sequencer, ear: Ear
) -> None:
    composerd("--port", "ear", "--sync", "clock", "--clock-input", "jack_midi_clock", "--rng", 1)
    time.sleep(0.5)
    for _ in range(2):
        sequencer.does("play")
        ear.hears(onsets=4)
        sequencer.does("stop")
        time.sleep(0.5)
    heard = ear.heard()
    begins = [*moments(heard, 0xFA), *moments(heard, 0xFB)]
    ends = moments(heard, 0xFC)
    assert len(begins) == len(ends) == 2
    for begin_s, end_s in zip(sorted(begins), ends, strict=True):
        assert [at_s for at_s in onsets(heard) if begin_s < at_s < end_s]
        assert not sounding(until(heard, end_s + 0.3))
    for at_s in onsets(heard):
        # What was on its way at Stop may leave in the next periods of JACK.
        assert any(
            begin_s < at_s < end_s + 0.1
            for begin_s, end_s in zip(sorted(begins), ends, strict=True)
        )


def test_notes_are_on_a_coarse_grid_of_a_foreign_clock_through_a_change_of_tempo(
    composerd: Start, sequencer: Sequencer, ear: Ear, tmp_path: Path
) -> None:
    take = tmp_path / "take.mid"
    composerd(
        *("--port", "ear", "--sync", "clock", "--clock-input", "jack_midi_clock", "--rng", 1),
        *("--grid", "1/4", "--tempo-scale", 2, "--record", take),
    )
    sequencer.does("play")
    ear.hears(onsets=8)
    sequencer.does("tempo 150")
    ear.hears(onsets=12)
    sequencer.does("stop")
    time.sleep(0.3)
    heard = ear.heard()
    ticks = moments(heard, 0xF8)
    struck = [at_s for at_s in onsets(heard) if ticks[0] <= at_s <= ticks[-1]]
    assert len(struck) >= 5
    # In ticks after the nearest quarter note. JACK's periods are as long as a tick here.
    off = [(sum(tick <= at_s for tick in ticks) + 11) % 24 - 12 for at_s in struck]
    assert sum(abs(ticks_off) <= 4 for ticks_off in off) >= 0.9 * len(off)
    tempi = [60e6 / m.tempo for m in mido.MidiFile(take).tracks[0] if m.type == "set_tempo"]
    assert any(bpm == pytest.approx(100, rel=0.1) for bpm in tempi)
    assert tempi[-1] == pytest.approx(150, rel=0.1)


def test_a_composer_that_is_started_again_knows_that_the_song_is_on(
    composerd: Start, sequencer: Sequencer, ear: Ear
) -> None:
    daemon = composerd(
        *("--port", "ear", "--sync", "clock", "--clock-input", "jack_midi_clock", "--rng", 1)
    )
    sequencer.does("play")
    ear.hears(onsets=2)
    for pid in daemon.children()["composer"]:
        os.kill(pid, signal.SIGKILL)
    time.sleep(0.3)  # what was on its way has left
    ear.hears(onsets=3)


def test_it_sends_a_clock_that_a_foreign_program_reads_and_plays_in_it(
    composerd: Start, jack, tmp_path: Path
) -> None:
    if shutil.which("jack_mclk_dump") is None:
        pytest.fail("no jack_mclk_dump here: install jack-midi-clock", pytrace=False)
    stats, read = tmp_path / "stats.json", tmp_path / "read"
    with read.open("w") as out:
        reader = subprocess.Popen(["jack_mclk_dump", "-n"], stdout=out)
        jack.wait_for("jack_mclk_dump:mclk_in")
        daemon = composerd("--port", "mclk_in", "--send-clock", 150, "--stats", stats, "--rng", 1)
        time.sleep(3)
        daemon.send_signal(signal.SIGINT)
        daemon.wait()
        time.sleep(0.2)
        reader.send_signal(signal.SIGINT)
        reader.wait()
    said = read.read_text()
    assert said.index("start") < said.index("CLK") < said.index("stop")
    frames = [int(frame) for frame in re.findall(r"CLK.*@\s*(\d+)", said)]
    bpm = 60 * RATE / 24 * (len(frames) - 1) / (frames[-1] - frames[0])
    assert bpm == pytest.approx(150, rel=0.02)
    assert json.loads(stats.read_text())["onsets"] > 0


def beats_of_onsets(composerd: Start, ear: Ear, *grid: object) -> list[float]:
    """Where in its beat, of a second, each of its notes was struck."""
    daemon = composerd(
        *("--port", "ear", "--send-clock", 60, "--tempo-scale", 2, "--rng", 1, "--grid"), *grid
    )
    ear.hears(onsets=20)
    daemon.terminate()
    daemon.said()
    heard = ear.heard()
    first_s = moments(heard, 0xF8)[0]
    return [(at_s - first_s) % 1 for at_s in onsets(heard)]


def near(beats: list[float], *asked: float) -> float:
    """The share of them that is within two of JACK's periods of where it was asked for."""
    off = [min(abs((beat - where + 0.5) % 1 - 0.5) for where in asked) for beat in beats]
    return sum(each < 0.045 for each in off) / len(off)


def test_the_grid_swings(composerd: Start, ear: Ear) -> None:
    beats = beats_of_onsets(composerd, ear, "1/8", "--swing", 0.75)
    assert near(beats, 0, 0.75) >= 0.9
    assert near(beats, 0.75) > 0.1


def test_a_grid_of_no_strength_pulls_nothing(composerd: Start, ear: Ear) -> None:
    assert near(beats_of_onsets(composerd, ear, "1/4", "--grid-strength", 0), 0) < 0.7


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--clock-input", "Clock"], "give that too"),
        (["--sync", "clock", "--send-clock", "120"], "give --sync, to follow a clock"),
    ],
)
def test_what_makes_no_sense_together_is_said(arguments: list[str], complaint: str) -> None:
    done = run("--port", "none", *arguments)
    assert done.returncode == 1
    assert complaint in done.stderr


def test_two_daemons_in_a_link_session_agree_on_tempo_and_beat_with_a_third_program(
    composerd: Start, ear: Ear
) -> None:
    link = pytest.importorskip("link")
    other = link.Link(90)
    other.startStopSyncEnabled = other.enabled = True
    time.sleep(1.5)  # of two sessions that meet, the older one stays
    if other.numPeers():
        pytest.skip("somebody makes music here in a Link session, which is not to be disturbed")
    for channel in (1, 2):
        composerd(
            *("--port", "ear", "--sync", "link", "--grid", "1/4", "--tempo-scale", 2),
            *("--channel", channel, "--rng", channel, "--density", 8),
        )
    for channel in (0, 1):
        ear.hears(onsets=4, channel=channel)
    state = other.captureSessionState()
    assert state.tempo() == 90
    now_us = other.clock().micros()
    state.setIsPlaying(True, now_us)
    other.commitSessionState(state)
    time.sleep(0.3)
    state.setIsPlaying(False, now_us + 300_000)
    other.commitSessionState(state)
    time.sleep(0.7)
    other.enabled = False
    heard = ear.heard()
    assert not sounding(message for _, message in heard)
    beat_s = 60 / 90
    struck = [
        {round(at_s / beat_s * 8) % 8 for at_s, message in heard if message[0] == 0x90 + channel}
        for channel in (0, 1)
    ]
    # In eighths of a beat, by JACK's clock: each keeps to one place in it, and both to the same.
    assert struck[0]
    assert struck[1]
    places = struck[0] | struck[1]
    assert any(places <= {place, (place + 1) % 8} for place in range(8))
