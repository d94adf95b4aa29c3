"""The whole of composerd over a real MIDI system, heard by a foreign program."""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import mido
import numpy as np
import pytest

from core import midi_file

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


def said(daemon: subprocess.Popen[str]) -> str:
    """What it said, when it has ended."""
    return daemon.communicate(timeout=60)[1]


def said_so_far(daemon: subprocess.Popen[str], words: str) -> None:
    """Wait until it says so, whatever libjack says in between."""
    assert daemon.stderr
    assert any(words in line for line in daemon.stderr), f"it never said: {words}"


def playing(daemon: subprocess.Popen[str]) -> None:
    """Wait until it plays."""
    said_so_far(daemon, "playing to")
    time.sleep(1.0)


def children(daemon: subprocess.Popen[str]) -> dict[str, int]:
    """Process number by module: the one at work is older than the one that waits beside it."""
    task = Path(f"/proc/{daemon.pid}/task/{daemon.pid}/children")
    found = {}
    for pid in map(int, task.read_text().split()):
        command = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        if len(command) > 1:  # else it is only just there
            found.setdefault(command[-2].rpartition(".")[2], pid)
    return found


def is_onset(message: bytes) -> bool:
    return message[0] >> 4 == 9 and message[2] > 0


def left_sounding(messages: list[bytes]) -> Counter[int]:
    """Pitches struck more often than released."""
    balance: Counter[int] = Counter()
    for message in messages:
        if message[0] >> 4 in (8, 9):
            balance[message[1]] += 1 if is_onset(message) else -1
    return +balance


def test_it_plays_to_a_foreign_program_and_records_what_that_one_heard(
    composerd: Composerd, listener, tmp_path: Path
) -> None:
    record, stats = tmp_path / "take.mid", tmp_path / "stats.json"
    daemon = composerd(
        *("--port", "LISTENER", "--duration", 12, "--rng", 1, "--program", 5),
        *("--record", record, "--stats", stats),
    )
    output = said(daemon)
    assert daemon.returncode == 0, output
    heard = listener.heard()
    assert "playing to port listener:input" in output
    assert heard[0][:2] == bytes([0xC0, 4])

    struck = [message for message in heard if is_onset(message)]
    assert len(struck) >= 20
    assert not left_sounding(heard)

    figures = json.loads(stats.read_text())
    assert figures["onsets"] == len(struck)
    assert figures["onsets"] <= figures["releases"] <= figures["onsets"]
    assert figures["dropped"] == 0
    assert figures["lateness_us"]["p50"] <= figures["lateness_us"]["max"]

    recorded = midi_file.read(record)
    assert [(e.pitch, e.velocity) for e in recorded if e.is_onset] == [
        (message[1], message[2]) for message in struck
    ]


def test_what_was_played_until_a_kill_is_in_the_recording(
    composerd: Composerd, listener, tmp_path: Path
) -> None:
    take = tmp_path / "take.mid"
    daemon = composerd("--port", "listener", "--rng", 1, "--record", take)
    playing(daemon)
    while not (saved := struck_in(take)):
        assert daemon.poll() is None
        time.sleep(0.1)
    time.sleep(1.5)
    daemon.kill()
    said(daemon)
    recorded = struck_in(take)
    assert len(recorded) >= len(saved)
    time.sleep(1.0)  # for the player to end
    assert [(m[1], m[2]) for m in listener.heard() if is_onset(m)][: len(recorded)] == recorded


def struck_in(take: Path) -> list[tuple[int, int]]:
    """(pitch, velocity) of each onset, read by a library that is not ours."""
    [_, track] = mido.MidiFile(take).tracks  # one of tempi, and one for who plays
    return [(m.note, m.velocity) for m in track if m.type == "note_on" and m.velocity]


def test_a_full_disk_ends_the_recording_and_not_the_music(tmp_path: Path) -> None:
    take = tmp_path / "take.mid"
    program = (
        "import resource, sys; sys.argv[0] = 'composerd'\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))\n"
        "import realtime.recording; realtime.recording.ROOM = 60\n"
        "from realtime.cli import composerd; composerd()"
    )
    options = ("--port", "none", "--rng", "1", "--duration", "6", "--record", str(take))
    done = subprocess.run(
        [sys.executable, "-c", program, *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "File too large; what was recorded before is kept" in done.stderr
    assert done.stderr.count("recorded") == 1
    struck = int(re.search(r"(\d+) notes struck", done.stderr)[1])
    assert len(struck_in(take)) < struck


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_asked_to_stop_it_releases_everything_and_exits_with_0(
    composerd: Composerd, listener, number: signal.Signals
) -> None:
    daemon = composerd("--port", "listener", "--rng", 2)
    playing(daemon)
    daemon.send_signal(number)
    output = said(daemon)
    assert daemon.returncode == 0, output
    assert "notes struck" in output
    heard = listener.heard()
    assert any(map(is_onset, heard))
    assert not left_sounding(heard)


@pytest.mark.parametrize("victim", ["composer", "player"])
def test_a_process_that_is_killed_is_replaced_and_leaves_nothing_sounding(
    composerd: Composerd, jack, listener, tmp_path: Path, victim: str
) -> None:
    stats = tmp_path / "stats.json"
    daemon = composerd("--port", "listener", "--rng", 3, "--stats", stats)
    playing(daemon)
    killed = children(daemon)[victim]
    os.kill(killed, signal.SIGKILL)
    time.sleep(1.0)
    later = type(listener)(jack, "later")
    jack.connect("composer:output", "later:input")
    time.sleep(3.0)
    assert children(daemon)[victim] != killed
    daemon.send_signal(signal.SIGTERM)
    output = said(daemon)
    assert daemon.returncode == 0, output
    assert "1 restarts" in output
    figures = json.loads(stats.read_text())
    assert figures["restarts"] == 1
    assert not left_sounding(listener.heard())
    assert any(map(is_onset, later.heard()))  # the music went on
    later.forget()


@pytest.mark.parametrize("victim", ["composer", "player"])
def test_a_process_that_hangs_is_replaced_and_leaves_nothing_sounding(
    composerd: Composerd, listener, victim: str
) -> None:
    daemon = composerd("--port", "listener", "--rng", 3)
    playing(daemon)
    hung = children(daemon)[victim]
    os.kill(hung, signal.SIGSTOP)
    said_so_far(daemon, f"{victim} hangs")
    time.sleep(3)
    assert children(daemon)[victim] != hung
    daemon.send_signal(signal.SIGTERM)
    output = said(daemon)
    assert daemon.returncode == 0, output
    assert "1 restarts" in output
    assert not left_sounding(listener.heard())


def test_a_process_that_dies_again_and_again_ends_it(composerd: Composerd, listener) -> None:
    daemon = composerd("--port", "listener", "--rng", 3)
    playing(daemon)
    for _ in range(4):
        os.kill(children(daemon)["composer"], signal.SIGKILL)
        time.sleep(1.0)
    output = said(daemon)
    assert daemon.returncode == 1
    assert "composerd: composer died 4 times within a minute" in output
    assert not left_sounding(listener.heard())


def test_the_daemon_itself_killed_leaves_nothing_sounding(composerd: Composerd, listener) -> None:
    daemon = composerd("--port", "listener", "--rng", 4)
    playing(daemon)
    orphans = children(daemon).values()
    daemon.kill()
    said(daemon)
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in orphans):
        assert time.monotonic() < deadline, "a process goes on without its daemon"
        time.sleep(0.05)
    assert not left_sounding(listener.heard())


def test_a_port_that_is_lost_ends_it_cleanly(composerd: Composerd, listener) -> None:
    daemon = composerd("--port", "listener", "--rng", 5, "--on-port-loss", "exit")
    playing(daemon)
    listener.leave()
    output = said(daemon)
    assert daemon.returncode == 1
    assert "listener:input" in output.splitlines()[-1]
    assert "gone" in output.splitlines()[-1]


def test_a_port_that_comes_back_first_hears_the_releases_it_missed_then_the_music(
    composerd: Composerd, jack, listener
) -> None:
    daemon = composerd("--port", "listener", "--rng", 6)
    playing(daemon)
    before = listener.heard()
    assert any(map(is_onset, before))
    said_so_far(daemon, "listener:input is gone")
    time.sleep(1.5)
    again = type(listener)(jack)
    said_so_far(daemon, "listener:input is back")
    time.sleep(3)
    daemon.send_signal(signal.SIGINT)
    output = said(daemon)
    assert daemon.returncode == 0, output
    after = again.heard()
    missed = set(left_sounding(before))
    first = list(itertools.takewhile(lambda message: not is_onset(message), after))
    assert missed <= {message[1] for message in first if message[0] >> 4 == 8}
    again.forget()
    assert any(map(is_onset, after))
    assert not left_sounding(after)


def test_a_midi_system_that_stands_still_and_goes_on_leaves_nothing_sounding(
    composerd: Composerd, jack, listener
) -> None:
    daemon = composerd("--port", "listener", "--rng", 6, "--tempo-scale", 3)
    playing(daemon)
    jack.freeze()
    time.sleep(1.5)
    jack.thaw()
    said_so_far(daemon, "listener:input is back")
    time.sleep(1.0)
    daemon.send_signal(signal.SIGINT)
    output = said(daemon)
    assert daemon.returncode == 0, output
    assert not left_sounding(listener.heard())


def test_a_program_that_is_away_for_a_moment_is_played_to_again(
    composerd: Composerd, jack, listener
) -> None:
    daemon = composerd("--port", "listener", "--rng", 6)
    playing(daemon)
    listener.leave()
    time.sleep(0.3)
    again = type(listener)(jack)
    said_so_far(daemon, "listener:input is back")
    time.sleep(1.5)
    daemon.send_signal(signal.SIGINT)
    output = said(daemon)
    assert daemon.returncode == 0, output
    heard = again.heard()
    again.forget()
    assert any(map(is_onset, heard))
    assert not left_sounding(heard)


def test_a_midi_system_that_dies_and_comes_back_finds_the_virtual_port_again(
    composerd: Composerd, jack
) -> None:
    daemon = composerd("--rng", 7)
    playing(daemon)
    jack.kill()
    said_so_far(daemon, "port Composer is gone")
    time.sleep(1.5)
    jack.start()
    jack.wait_for("composer:Composer")
    said_so_far(daemon, "port Composer is back")
    daemon.send_signal(signal.SIGINT)
    assert "notes struck" in said(daemon)
    assert daemon.returncode == 0


def test_without_a_matching_port_it_makes_a_virtual_one(composerd: Composerd, jack) -> None:
    daemon = composerd("--port", "My Machine", "--duration", 3)
    jack.wait_for("composer:My Machine")
    assert "virtual port My Machine" in said(daemon)
    assert daemon.returncode == 0


def test_a_phrase_on_the_keyboard_is_listened_to_and_answered(
    composerd: Composerd, listener, tmp_path: Path
) -> None:
    take = tmp_path / "take.mid"
    daemon = composerd(
        *("--port", "listener", "--input", "Keys", "--rng", 6, "--duration", 7, "--record", take)
    )
    said_so_far(daemon, "listening to Keys")
    time.sleep(1.0)
    script = (
        "import rtmidi, time\n"
        "out = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name='pianist')\n"
        "[index] = [i for i, name in enumerate(out.get_ports()) if name.endswith(':Keys')]\n"
        "out.open_port(index)\n"
        "for pitch in (60, 64, 67):\n"
        "    out.send_message([0x90, pitch, 80]); time.sleep(0.15)\n"
        "    out.send_message([0x80, pitch, 0])\n"
        "time.sleep(0.2)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
    output = said(daemon)
    assert daemon.returncode == 0, output
    # The machine is silent for a second after the human; then it answers.
    music = midi_file.read(take)
    answer, *_ = np.flatnonzero(music.delta_s > 0.95)
    assert music.velocity[:answer].any()
    assert music.velocity[answer] > 0
    assert music.velocity[:answer].astype(bool).sum() * 2 == answer  # all released before it
    [_, human, machine] = mido.MidiFile(take).tracks
    assert human.name == "human"
    assert [m.note for m in human if m.type == "note_on"] == [60, 64, 67]
    assert any(m.type == "note_on" for m in machine)
    replayed = tmp_path / "again.mid"
    script = "from realtime.generate import composer_generate; composer_generate()"
    command = [sys.executable, "-c", script, "--replay", f"{take}.take", "--out", replayed]
    subprocess.run(command, check=True)
    assert replayed.read_bytes() == take.read_bytes()
    assert not left_sounding(listener.heard())


def test_in_a_duet_both_play_each_on_a_channel_of_its_own(composerd: Composerd, listener) -> None:
    daemon = composerd(
        *("--port", "listener", "--input", "Keys", "--mode", "duet", "--thru", "--rng", 6)
    )
    said_so_far(daemon, "listening to Keys")
    time.sleep(1.5)
    script = (
        "import rtmidi, time\n"
        "out = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name='pianist')\n"
        "[index] = [i for i, name in enumerate(out.get_ports()) if name.endswith(':Keys')]\n"
        "out.open_port(index)\n"
        "time.sleep(0.2)\n"
        "for pitch in (60, 64, 67, 72):\n"
        "    out.send_message([0x90, pitch, 80]); time.sleep(0.5)\n"
        "    out.send_message([0x80, pitch, 0])\n"
        "out.send_message([0x90, 48, 80]); time.sleep(0.3)\n"  # and leaves with a key down
    )
    subprocess.run([sys.executable, "-c", script], check=True)
    daemon.send_signal(signal.SIGINT)
    assert "notes struck" in said(daemon)
    assert daemon.returncode == 0
    heard = listener.heard()
    human = [message[1] for message in heard if message[0] == 0x91]
    assert human == [60, 64, 67, 72, 48]
    first, last = (heard.index(bytes([0x91, pitch, 80])) for pitch in (60, 48))
    assert any(message[0] == 0x90 for message in heard[:first])
    assert any(message[0] == 0x90 for message in heard[first:last])
    assert not left_sounding(heard)


def test_a_keyboard_that_floods_it_is_heard_as_far_as_anybody_plays(
    composerd: Composerd, listener, tmp_path: Path
) -> None:
    stats = tmp_path / "stats.json"
    daemon = composerd("--port", "listener", "--input", "Keys", "--rng", 6, "--stats", stats)
    said_so_far(daemon, "listening to Keys")
    time.sleep(1.0)
    script = (
        "import rtmidi, time\n"
        "out = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name='pianist')\n"
        "[index] = [i for i, name in enumerate(out.get_ports()) if name.endswith(':Keys')]\n"
        "out.open_port(index)\n"
        "time.sleep(0.2)\n"
        "for burst in range(200):\n"  # 10,000 a second, none of them released
        "    for number in range(100):\n"
        "        out.send_message([0x90 | number % 16, (burst + number) % 128, 80])\n"
        "    out.send_message([0xF0, *[1] * 100, 0xF7])\n"
        "    out.send_message([0xFE])\n"
        "    time.sleep(0.01)\n"
        "time.sleep(0.2)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
    time.sleep(1.5)
    daemon.send_signal(signal.SIGINT)
    output = said(daemon)
    assert daemon.returncode == 0, output
    assert "not heard" in output
    assert "Traceback" not in output
    figures = json.loads(stats.read_text())
    assert figures["unheard"] > 1000
    assert figures["restarts"] == 0
    assert not left_sounding(listener.heard())


def test_without_a_midi_system_it_rehearses(
    composerd: Composerd, monkeypatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "no such server")
    monkeypatch.setenv("JACK_NO_START_SERVER", "1")
    record = tmp_path / "take.mid"
    daemon = composerd("--duration", 3, "--record", record, "--api", "jack")
    output = said(daemon)
    assert daemon.returncode == 0, output
    assert "rehearsing without a MIDI port" in output
    assert len(midi_file.read(record)) > 0
    named = composerd("--port", "Piano", "--duration", 3, "--api", "jack")
    assert "no MIDI system is running" in said(named)
    assert named.returncode == 1


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--temperature", "-1"], "temperature must be within"),
        (["--top-p", "0"], "top_p must be within"),
        (["--tempo-scale", "0"], "tempo_scale must be within"),
        (["--model", "nothing.safetensors"], "no checkpoint at nothing.safetensors"),
        (["--seed-file", "notes.txt"], "notes.txt"),
        (["--record", "no/folder/take.mid"], "cannot write no/folder/take.mid"),
        (["--record", "."], "cannot write .: what is there is no file"),
        (["--stats", "."], "cannot write .: what is there is no file"),
        (["--model", "."], "no checkpoint at ."),
        (["--seed-file", "."], "cannot read .: Is a directory"),
        (["--record", "/dev/full"], "cannot write /dev/full: what is there is no file"),
        (["--api", "gramophone"], "no MIDI system 'gramophone'"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_exit_1(
    composerd: Composerd,
    arguments: list[str],
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("no music")
    port = [] if "--api" in arguments else ["--port", "none"]
    daemon = composerd(*port, "--duration", "1", *arguments)
    output = said(daemon)
    assert daemon.returncode == 1
    assert expected in output
    assert output.startswith("composerd: ")
    assert output.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    ("option", "value"),
    [("--duration", "soon"), ("--duration", "inf"), ("--rng", "-1"), ("--channel", "17")],
)
def test_a_value_of_the_wrong_kind_is_told_with_its_option(
    composerd: Composerd, option: str, value: str
) -> None:
    daemon = composerd("--port", "none", option, value)
    output = said(daemon)
    assert daemon.returncode == 2
    plain = re.sub(r"\x1b\[[0-9;]*m", "", output)  # a build server may ask for colours
    assert "Invalid value" in plain
    assert option in plain
    assert "Traceback" not in output


@pytest.mark.usefixtures("listener")
def test_several_ports_of_a_name_are_listed(composerd: Composerd, jack) -> None:
    second = subprocess.Popen(["jack_midi_dump", "second"], stdout=subprocess.DEVNULL)
    jack.wait_for("second:input")
    daemon = composerd("--port", "input", "--duration", "1")
    output = said(daemon)
    second.kill()
    second.wait()
    assert daemon.returncode == 1
    assert output.startswith("composerd: 2 output ports match 'input': ")
    assert output.count("\n") == 1


@pytest.mark.usefixtures("listener")
def test_ports_are_listed_for_people_and_for_programs() -> None:
    command = [sys.executable, "-m", "realtime.cli", "--list-ports"]
    plain = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "  listener:input" in plain.stdout
    as_json = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)
    assert "listener:input" in json.loads(as_json.stdout)["outputs"]
