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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mido
import numpy as np
import psutil
import pytest
import rtmidi

from core import midi_file
from tests.realtime.composerd import CLI, PATIENCE_S, Composerd, Start, run
from tests.realtime.heard import is_onset, onsets, sounding
from tests.realtime.pianist import pianist


def playing(daemon: Composerd) -> None:
    """Wait until it plays."""
    daemon.says("playing to")
    time.sleep(1.0)


def test_it_plays_to_a_foreign_program_and_records_what_that_one_heard(
    composerd: Start, listener, tmp_path: Path
) -> None:
    record, stats = tmp_path / "take.mid", tmp_path / "stats.json"
    daemon = composerd(
        *("--port", "LISTENER", "--duration", 12, "--rng", 1, "--program", 5),
        *("--record", record, "--stats", stats),
    )
    output = daemon.said()
    assert daemon.returncode == 0, output
    heard = listener.heard()
    assert "playing to port listener:input" in output
    assert heard[0][:2] == bytes([0xC0, 4])

    struck = onsets(heard)
    assert len(struck) >= 20
    assert not sounding(heard)

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
    composerd: Start, listener, tmp_path: Path
) -> None:
    take = tmp_path / "take.mid"
    daemon = composerd("--port", "listener", "--rng", 1, "--record", take)
    playing(daemon)
    while not (saved := struck_in(take)):
        assert daemon.poll() is None
        time.sleep(0.1)
    time.sleep(1.5)
    daemon.kill()
    daemon.said()
    recorded = struck_in(take)
    assert len(recorded) >= len(saved)
    time.sleep(1.0)  # for the player to end
    assert [(m[1], m[2]) for m in onsets(listener.heard())][: len(recorded)] == recorded


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
    composerd: Start, listener, number: signal.Signals
) -> None:
    daemon = composerd("--port", "listener", "--rng", 2)
    playing(daemon)
    daemon.send_signal(number)
    output = daemon.said()
    assert daemon.returncode == 0, output
    assert "notes struck" in output
    heard = listener.heard()
    assert onsets(heard)
    assert not sounding(heard)


@pytest.mark.parametrize("victim", ["composer", "player"])
def test_a_process_that_is_killed_is_replaced_and_leaves_nothing_sounding(
    composerd: Start, jack, listener, tmp_path: Path, victim: str
) -> None:
    stats = tmp_path / "stats.json"
    daemon = composerd("--port", "listener", "--rng", 3, "--stats", stats)
    playing(daemon)
    killed = daemon.children()[victim][0]
    os.kill(killed, signal.SIGKILL)
    time.sleep(1.0)
    later = type(listener)(jack, "later")
    jack.connect("composer:output", "later:input")
    time.sleep(3.0)
    assert daemon.children()[victim][0] != killed
    daemon.send_signal(signal.SIGTERM)
    output = daemon.said()
    assert daemon.returncode == 0, output
    assert "1 restarts" in output
    figures = json.loads(stats.read_text())
    assert figures["restarts"] == 1
    assert not sounding(listener.heard())
    assert onsets(later.heard())  # the music went on
    later.forget()


@pytest.mark.parametrize("victim", ["composer", "player"])
def test_a_process_that_hangs_is_replaced_and_leaves_nothing_sounding(
    composerd: Start, listener, victim: str
) -> None:
    daemon = composerd("--port", "listener", "--rng", 3)
    playing(daemon)
    hung = daemon.children()[victim][0]
    os.kill(hung, signal.SIGSTOP)
    daemon.says(f"{victim} hangs")
    time.sleep(3)
    assert daemon.children()[victim][0] != hung
    daemon.send_signal(signal.SIGTERM)
    output = daemon.said()
    assert daemon.returncode == 0, output
    assert "1 restarts" in output
    assert not sounding(listener.heard())


def test_a_process_that_dies_again_and_again_ends_it(composerd: Start, listener) -> None:
    daemon = composerd("--port", "listener", "--rng", 3)
    playing(daemon)
    for _ in range(4):
        os.kill(daemon.children()["composer"][0], signal.SIGKILL)
        time.sleep(1.0)
    output = daemon.said()
    assert daemon.returncode == 1
    assert "composerd: composer died 4 times within a minute" in output
    assert not sounding(listener.heard())


def test_the_daemon_itself_killed_leaves_nothing_sounding(composerd: Start, listener) -> None:
    daemon = composerd("--port", "listener", "--rng", 4)
    playing(daemon)
    orphans = [*itertools.chain(*daemon.children().values())]
    daemon.kill()
    daemon.said()
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in orphans):
        assert time.monotonic() < deadline, "a process goes on without its daemon"
        time.sleep(0.05)
    assert not sounding(listener.heard())


def test_a_port_that_is_lost_ends_it_cleanly(composerd: Start, listener) -> None:
    daemon = composerd("--port", "listener", "--rng", 5, "--on-port-loss", "exit")
    playing(daemon)
    listener.leave()
    output = daemon.said()
    assert daemon.returncode == 1
    assert "listener:input" in output.splitlines()[-1]
    assert "gone" in output.splitlines()[-1]


def test_a_port_that_comes_back_first_hears_the_releases_it_missed_then_the_music(
    composerd: Start, jack, listener
) -> None:
    daemon = composerd("--port", "listener", "--rng", 6)
    playing(daemon)
    before = listener.heard()
    assert onsets(before)
    daemon.says("listener:input is gone")
    time.sleep(1.5)
    again = type(listener)(jack)
    daemon.says("listener:input is back")
    time.sleep(3)
    daemon.send_signal(signal.SIGINT)
    output = daemon.said()
    assert daemon.returncode == 0, output
    after = again.heard()
    missed = sounding(before)
    first = list(itertools.takewhile(lambda message: not is_onset(message), after))
    assert missed <= {(m[0] & 0x0F, m[1]) for m in first if m[0] >> 4 == 8}
    again.forget()
    assert onsets(after)
    assert not sounding(after)


def test_a_midi_system_that_stands_still_and_goes_on_leaves_nothing_sounding(
    composerd: Start, jack, listener
) -> None:
    daemon = composerd("--port", "listener", "--rng", 6, "--tempo-scale", 3)
    playing(daemon)
    jack.freeze()
    time.sleep(1.5)
    jack.thaw()
    daemon.says("listener:input is back")
    time.sleep(1.0)
    daemon.send_signal(signal.SIGINT)
    output = daemon.said()
    assert daemon.returncode == 0, output
    assert not sounding(listener.heard())


def test_a_program_that_is_away_for_a_moment_is_played_to_again(
    composerd: Start, jack, listener
) -> None:
    daemon = composerd("--port", "listener", "--rng", 6)
    playing(daemon)
    listener.leave()
    time.sleep(0.3)
    again = type(listener)(jack)
    daemon.says("listener:input is back")
    time.sleep(1.5)
    daemon.send_signal(signal.SIGINT)
    output = daemon.said()
    assert daemon.returncode == 0, output
    heard = again.heard()
    again.forget()
    assert onsets(heard)
    assert not sounding(heard)


def test_a_midi_system_that_dies_and_comes_back_finds_the_virtual_port_again(
    composerd: Start, jack
) -> None:
    daemon = composerd("--rng", 7)
    playing(daemon)
    jack.kill()
    daemon.says("port Composer is gone")
    time.sleep(1.5)
    jack.start()
    jack.wait_for("composer:Composer")
    daemon.says("port Composer is back")
    daemon.send_signal(signal.SIGINT)
    assert "notes struck" in daemon.said()
    assert daemon.returncode == 0


def test_without_a_matching_port_it_makes_a_virtual_one(composerd: Start, jack) -> None:
    daemon = composerd("--port", "My Machine", "--duration", 3)
    jack.wait_for("composer:My Machine")
    assert "virtual port My Machine" in daemon.said()
    assert daemon.returncode == 0


def test_a_phrase_on_the_keyboard_is_listened_to_and_answered(
    composerd: Start, listener, tmp_path: Path
) -> None:
    take = tmp_path / "take.mid"
    daemon = composerd(
        *("--port", "listener", "--input", "Keys", "--rng", 6, "--duration", 7, "--record", take)
    )
    daemon.says("listening to Keys")
    time.sleep(1.0)
    pianist(
        "for pitch in (60, 64, 67):\n"
        "    out.send_message([0x90, pitch, 80]); time.sleep(0.15)\n"
        "    out.send_message([0x80, pitch, 0])\n"
        "time.sleep(0.2)\n"
    )
    output = daemon.said()
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
    assert not sounding(listener.heard())


@contextmanager
def keyboard() -> Iterator[None]:
    """A foreign program's port, 'pianist:Keys'."""
    out = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name="pianist")
    out.open_virtual_port("Keys")
    try:
        yield
    finally:
        out.close_port()
        out.delete()


@pytest.mark.usefixtures("jack")
def test_a_keyboard_that_goes_and_comes_back_is_told_of(composerd: Start) -> None:
    with keyboard():
        daemon = composerd("--input", "Keys", "--rng", 6)
        daemon.says("listening to pianist:Keys")
    daemon.says("input pianist:Keys is gone; the music goes on")
    with keyboard():
        daemon.says("input pianist:Keys is back")
    daemon.send_signal(signal.SIGINT)
    daemon.said()
    assert daemon.returncode == 0


@pytest.mark.usefixtures("jack")
def test_a_keyboard_is_waited_for_even_when_the_player_dies_meanwhile(composerd: Start) -> None:
    with keyboard():
        daemon = composerd("--input", "Keys", "--rng", 6)
        daemon.says("listening to pianist:Keys")
    daemon.says("input pianist:Keys is gone")
    psutil.Process(daemon.pid).children()[0].kill()
    daemon.says("input pianist:Keys is gone")
    with keyboard():
        daemon.says("input pianist:Keys is back")
    daemon.send_signal(signal.SIGINT)
    daemon.said()
    assert daemon.returncode == 0


def test_in_a_duet_both_play_each_on_a_channel_of_its_own(composerd: Start, listener) -> None:
    daemon = composerd(
        *("--port", "listener", "--input", "Keys", "--mode", "duet", "--thru", "--rng", 6)
    )
    daemon.says("listening to Keys")
    time.sleep(1.5)
    pianist(
        "for pitch in (60, 64, 67, 72):\n"
        "    out.send_message([0x90, pitch, 80]); time.sleep(0.5)\n"
        "    out.send_message([0x80, pitch, 0])\n"
        "out.send_message([0x90, 48, 80]); time.sleep(0.3)\n"  # and leaves with a key down
    )
    daemon.send_signal(signal.SIGINT)
    assert "notes struck" in daemon.said()
    assert daemon.returncode == 0
    heard = listener.heard()
    human = [message[1] for message in heard if message[0] == 0x91]
    assert human == [60, 64, 67, 72, 48]
    first, last = (heard.index(bytes([0x91, pitch, 80])) for pitch in (60, 48))
    assert any(message[0] == 0x90 for message in heard[:first])
    assert any(message[0] == 0x90 for message in heard[first:last])
    assert not sounding(heard)


def test_a_keyboard_that_floods_it_is_heard_as_far_as_anybody_plays(
    composerd: Start, listener, tmp_path: Path
) -> None:
    stats = tmp_path / "stats.json"
    daemon = composerd("--port", "listener", "--input", "Keys", "--rng", 6, "--stats", stats)
    daemon.says("listening to Keys")
    time.sleep(1.0)
    pianist(
        "for burst in range(200):\n"  # 10,000 a second, none of them released
        "    for number in range(100):\n"
        "        out.send_message([0x90 | number % 16, (burst + number) % 128, 80])\n"
        "    out.send_message([0xF0, *[1] * 100, 0xF7])\n"
        "    out.send_message([0xFE])\n"
        "    time.sleep(0.01)\n"
        "time.sleep(0.2)\n"
    )
    time.sleep(1.5)
    daemon.send_signal(signal.SIGINT)
    output = daemon.said()
    assert daemon.returncode == 0, output
    assert "not heard" in output
    assert "Traceback" not in output
    figures = json.loads(stats.read_text())
    assert figures["unheard"] > 1000
    assert figures["restarts"] == 0
    assert not sounding(listener.heard())


# JACK connects nobody to a program that has its ports already, but has not said that it is ready.
STARTING = """
import jack, sys, threading
client = jack.Client("starting", no_start_server=True)
port = client.midi_inports.register("in")
heard = threading.Event()

@client.set_process_callback
def process(_):
    if any(bytes(message)[0] >> 4 == 9 for _, message in port.incoming_midi_events()):
        heard.set()

sys.stdin.readline()
client.activate()
heard.wait(30)
print("heard" if heard.is_set() else "silence")
"""


def test_a_program_that_is_still_starting_is_connected_when_it_has(composerd: Start, jack) -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", STARTING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    jack.wait_for("starting:in")
    daemon = composerd("--port", "starting", "--rng", 1)
    time.sleep(1.5)
    said, _ = program.communicate("ready\n")
    assert said == "heard\n"
    daemon.says("playing to port starting:in")


def test_whoever_reads_what_it_says_may_go(tmp_path: Path) -> None:
    stats = tmp_path / "stats.json"
    arguments = ["--port", "none", "--duration", "5", "--stats", str(stats)]
    daemon = subprocess.Popen([*CLI, *arguments], stderr=subprocess.PIPE)
    assert daemon.stderr
    with daemon.stderr as reader:
        assert b"rehearsing" in reader.readline()
    psutil.Process(daemon.pid).children()[0].kill()  # there is much to say about that
    assert daemon.wait(PATIENCE_S) == 0
    figures = json.loads(stats.read_text())
    assert figures["restarts"] == 1
    assert figures["onsets"] > 0


def test_without_a_midi_system_it_rehearses(composerd: Start, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "no such server")
    monkeypatch.setenv("JACK_NO_START_SERVER", "1")
    record = tmp_path / "take.mid"
    daemon = composerd("--duration", 3, "--record", record, "--api", "jack")
    output = daemon.said()
    assert daemon.returncode == 0, output
    assert "rehearsing without a MIDI port" in output
    assert len(midi_file.read(record)) > 0
    named = composerd("--port", "Piano", "--duration", 3, "--api", "jack")
    assert "no MIDI system is running" in named.said()
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
    composerd: Start,
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
    output = daemon.said()
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
    composerd: Start, option: str, value: str
) -> None:
    daemon = composerd("--port", "none", option, value)
    output = daemon.said()
    assert daemon.returncode == 2
    plain = re.sub(r"\x1b\[[0-9;]*m", "", output)  # a build server may ask for colours
    assert "Invalid value" in plain
    assert option in plain
    assert "Traceback" not in output


@pytest.mark.usefixtures("listener")
def test_several_ports_of_a_name_are_listed(composerd: Start, jack) -> None:
    second = subprocess.Popen(["jack_midi_dump", "second"], stdout=subprocess.DEVNULL)
    jack.wait_for("second:input")
    daemon = composerd("--port", "input", "--duration", "1")
    output = daemon.said()
    second.kill()
    second.wait()
    assert daemon.returncode == 1
    assert output.startswith("composerd: 2 output ports match 'input': ")
    assert output.count("\n") == 1


@pytest.mark.usefixtures("listener")
def test_ports_are_listed_for_people_and_for_programs() -> None:
    assert "  listener:input" in run("--list-ports").stdout
    assert "listener:input" in json.loads(run("--list-ports", "--json").stdout)["outputs"]
