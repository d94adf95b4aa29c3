"""The player as it runs: a process of its own, on real ports, heard by a foreign program."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from realtime import wire
from realtime.clock import NS_PER_MS, RealClock
from realtime.ports import open_output
from realtime.wire import Kind, Record, control_change, note_off, note_on

if TYPE_CHECKING:
    from conftest import Jack, Listener

REPOSITORY = Path(__file__).parent.parent.parent
CHORD = [note_on(0, pitch, 80) for pitch in (60, 64, 67)]
RELEASES = [note_off(0, pitch) for pitch in (60, 64, 67)]
ENDING = [*RELEASES, control_change(0, 64, 0), control_change(0, 123, 0)]


class Player:
    """The process, and the daemon's end of its pipes."""

    process: subprocess.Popen[bytes]

    def open(self, **orders: Any) -> dict[str, Any]:
        """Start it, and return its greeting."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "realtime.player"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=REPOSITORY,
        )
        assert self.process.stdin
        assert self.process.stdout
        self.down, self.up = self.process.stdin, self.process.stdout
        # A test that waits in vain fails, because the pipe closes, and does not hang.
        self._patience = threading.Timer(30, self.process.kill)
        self._patience.start()
        wire.greet(self.down, orders)
        return wire.greeting(self.up)

    def send(self, *records: Record) -> None:
        self.down.write(b"".join(map(wire.pack, records)))
        self.down.flush()

    def play(self, *messages: bytes, in_ms: int = 0) -> int:
        """Returns when they are due."""
        due_ns = RealClock().now_ns() + in_ms * NS_PER_MS
        self.send(*(Record(Kind.PLAY, message, due_ns) for message in messages))
        return due_ns

    def next(self, kind: Kind) -> Record:
        """Skips records of other kinds."""
        return next(record for record in wire.records(self.up) if record.kind is kind)

    def sent(self, count: int) -> list[bytes]:
        return [self.next(Kind.SENT).message for _ in range(count)]

    def hang_up(self) -> None:
        """As the system does when the daemon dies, however it dies."""
        self.down.close()
        self.up.close()

    def close(self) -> None:
        with suppress(OSError):
            self.hang_up()
        self.process.wait()
        self._patience.cancel()


@pytest.fixture
def player() -> Iterator[Player]:
    player = Player()
    yield player
    player.close()


def test_the_greeting_tells_what_was_opened_and_granted(player: Player, jack: Jack) -> None:
    greeting = player.open(port="Composer", input="Keys", api="jack")
    assert greeting.keys() == {
        *("port", "virtual", "input", "input_virtual"),
        *("clock_input", "clock_input_virtual"),
        *("realtime", "fine_timer", "memory_locked"),
    }
    assert greeting["port"] == "Composer"
    assert greeting["virtual"] is True
    assert {"composer:Composer", "composer-in:Keys"} <= {*jack.ports()}


def test_what_cannot_be_opened_is_one_line_and_exit_1(
    player: Player, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "nobody-runs-this")
    error = player.open(port="Composer", api="jack")["error"]
    assert error.startswith("no MIDI system is running")
    assert player.process.wait() == 1


def test_a_rehearsal_needs_no_port(player: Player) -> None:
    assert player.open(port=None)["port"] == "rehearsal"
    player.play(*CHORD)
    assert player.sent(3) == CHORD
    player.send(Record(Kind.STOP))
    assert player.sent(5) == ENDING
    assert player.process.wait() == 0


def test_a_message_does_not_leave_before_it_is_due(player: Player) -> None:
    player.open(port=None)
    due_ns = player.play(*CHORD, in_ms=20)
    sent = [player.next(Kind.SENT) for _ in CHORD]
    assert [record.due_ns for record in sent] == [due_ns] * 3
    assert all(record.at_ns >= due_ns for record in sent)


def test_an_onset_that_is_too_late_is_dropped_and_its_release_with_it(player: Player) -> None:
    player.open(port=None)
    player.play(note_on(0, 60, 80), in_ms=-1000)
    assert player.next(Kind.DROPPED).message == note_on(0, 60, 80)
    player.play(note_off(0, 60), note_on(0, 64, 80))
    assert player.sent(1) == [note_on(0, 64, 80)]


def test_a_hush_releases_what_sounds_and_forgets_what_was_to_come(player: Player) -> None:
    player.open(port=None)
    player.play(*CHORD)
    player.play(note_on(0, 72, 80), in_ms=500)
    assert player.sent(3) == CHORD
    player.send(Record(Kind.HUSH, epoch=1))
    assert player.sent(3) == RELEASES
    player.send(Record(Kind.PLAY, note_on(0, 48, 80), RealClock().now_ns(), epoch=1))
    assert player.sent(1) == [note_on(0, 48, 80)]


def test_what_a_former_player_left_sounding_is_released_first(
    player: Player, listener: Listener
) -> None:
    player.open(port="listener", api="jack", sounding=[[0, 60], [9, 35]])
    player.play(note_on(0, 64, 80))
    assert player.sent(3) == [note_off(0, 60), note_off(9, 35), note_on(0, 64, 80)]
    player.send(Record(Kind.STOP))
    player.process.wait()
    heard = listener.heard()
    before = heard[: heard.index(note_on(0, 64, 80))]
    assert {*before} == {note_off(0, 60), note_off(9, 35)}


# However it ends, a foreign program hears the release of each note.

ENDS: dict[str, Callable[[Player], None]] = {
    "the daemon says so": lambda player: player.send(Record(Kind.STOP)),
    "the daemon dies": Player.hang_up,
    "the pipe closes in the middle of a record": lambda player: (
        player.down.write(b"\x01\x03") and player.hang_up()
    ),
    "SIGTERM": lambda player: player.process.send_signal(signal.SIGTERM),
    "SIGHUP": lambda player: player.process.send_signal(signal.SIGHUP),
    "two signals": lambda player: [
        player.process.send_signal(number) for number in (signal.SIGTERM, signal.SIGHUP)
    ],
    "a record that it does not understand": lambda player: (
        player.down.write(b"\xff" * wire.RECORD_SIZE) and player.down.flush()
    ),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_however_it_ends_what_sounds_is_released(
    end: Callable[[Player], None], player: Player, listener: Listener
) -> None:
    player.open(port="listener", api="jack")
    player.play(*CHORD)
    player.play(note_on(0, 72, 80), in_ms=5000)
    assert player.sent(3) == CHORD
    end(player)
    player.process.wait()
    # Twice: a sound server that is late loses what it was given in a period.
    assert listener.heard() == CHORD + ENDING + ENDING


def test_the_terminals_ctrl_c_does_not_end_it(player: Player) -> None:
    player.open(port=None)
    player.process.send_signal(signal.SIGINT)
    player.play(*CHORD)
    assert player.sent(3) == CHORD


def test_a_note_ends_after_the_longest_that_was_ordered(player: Player) -> None:
    player.open(port=None, max_note_s=0.1)
    player.play(*CHORD)
    assert player.sent(6) == CHORD + RELEASES


def test_a_composer_that_falls_silent_has_its_notes_released_and_may_go_on(player: Player) -> None:
    player.open(port=None)
    player.play(*CHORD)
    player.send(Record(Kind.PING))  # the daemon is there, but that is no music
    assert player.sent(6) == CHORD + RELEASES
    player.play(*CHORD)
    assert player.sent(3) == CHORD


def test_nobody_reading_its_reports_does_not_stop_it(player: Player) -> None:
    player.open(port=None)
    for _ in range(40):
        player.play(*[note_on(0, 60, 80), note_off(0, 60)] * 50)
    player.send(Record(Kind.STOP))
    assert player.process.wait() == 0


def test_a_program_that_goes_is_reported_and_the_player_goes_too(
    player: Player, listener: Listener
) -> None:
    player.open(port="listener", api="jack")
    player.play(*CHORD)
    assert player.sent(3) == CHORD
    listener.leave()
    assert player.next(Kind.LOST)
    assert player.process.wait() == 0


def test_a_server_that_dies_is_reported_and_the_player_goes_too(player: Player, jack: Jack) -> None:
    player.open(port="Composer", input="Keys", api="jack")
    player.play(*CHORD)
    assert player.sent(3) == CHORD
    jack.kill()
    assert player.next(Kind.LOST)
    assert player.process.wait() == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot interrupt a driver's call")
def test_a_server_that_hangs_does_not_keep_the_player(player: Player, jack: Jack) -> None:
    player.open(port="Composer", api="jack")
    jack.freeze()
    player.play(*[note_on(0, 60, 80), note_off(0, 60)] * 1500)
    assert player.process.wait() == -signal.SIGALRM
    jack.kill()


def test_a_keyboard_is_heard_with_the_time_of_its_arrival(player: Player, jack: Jack) -> None:
    with closing(open_output("Keyboard", "jack")) as keyboard:
        greeting = player.open(port=None, input="Keyboard", api="jack")
        assert greeting["input"] == "composer:Keyboard"
        jack.wait_for("composer-in:input")
        before_ns = RealClock().now_ns()
        keyboard.send(note_on(0, 60, 80))
        heard = player.next(Kind.HEARD)
        assert heard.message == note_on(0, 60, 80)
        assert before_ns < heard.at_ns < RealClock().now_ns()


def test_a_keyboard_that_goes_and_comes_back_is_heard_again(player: Player, jack: Jack) -> None:
    with closing(open_output("Keyboard", "jack")):
        player.open(port=None, input="Keyboard", api="jack")
    assert player.next(Kind.DEAF)
    player.play(*CHORD)
    assert player.sent(3) == CHORD  # plays on
    with closing(open_output("Keyboard", "jack")) as keyboard:
        assert player.next(Kind.HEARING)
        jack.wait_for("composer-in:input")
        keyboard.send(note_on(0, 60, 80))
        assert player.next(Kind.HEARD).message == note_on(0, 60, 80)


@pytest.mark.usefixtures("jack")
def test_a_keyboard_that_is_away_for_a_moment_is_heard_again(player: Player) -> None:
    with closing(open_output("Keyboard", "jack")):
        player.open(port=None, input="Keyboard", api="jack")
    time.sleep(0.3)  # it looks for all ports once a second
    with closing(open_output("Keyboard", "jack")) as keyboard:
        assert player.next(Kind.HEARING)
        keyboard.send(note_on(0, 60, 80))
        assert player.next(Kind.HEARD).message == note_on(0, 60, 80)


def test_a_successor_waits_for_a_keyboard_that_is_not_there_and_plays(
    player: Player, jack: Jack
) -> None:
    keys = {"input": "composer:Keyboard", "existing_inputs": ["input"]}
    greeting = player.open(port=None, api="jack", **keys)
    assert not greeting["input_virtual"]
    assert player.next(Kind.DEAF)
    player.play(*CHORD)
    assert player.sent(3) == CHORD
    with closing(open_output("Keyboard", "jack")) as keyboard:
        assert player.next(Kind.HEARING)
        jack.wait_for("composer-in:input")
        keyboard.send(note_on(0, 60, 80))
        assert player.next(Kind.HEARD).message == note_on(0, 60, 80)


# JACK connects nobody to a program that has its ports already, but has not said that it is ready.
STARTING = """
import jack, sys
client = jack.Client("starting", no_start_server=True)
port = client.midi_outports.register("out")

@client.set_process_callback
def process(_):
    port.clear_buffer()
    port.write_midi_event(0, (0x90, 60, 80))

sys.stdin.readline()
client.activate()
sys.stdin.readline()
"""


def test_a_keyboard_that_is_still_starting_is_heard_when_it_has(player: Player, jack: Jack) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STARTING], stdin=subprocess.PIPE, text=True
    ) as keyboard:
        assert keyboard.stdin
        jack.wait_for("starting:out")
        ready = threading.Timer(1.0, print, ["ready"], {"file": keyboard.stdin, "flush": True})
        ready.start()
        player.open(port=None, input="starting", api="jack")
        assert player.next(Kind.HEARD).message == note_on(0, 60, 80)
        keyboard.communicate("enough")


def test_its_own_output_is_not_its_keyboard(player: Player, jack: Jack) -> None:
    greeting = player.open(port="Composer", input="Composer", api="jack")
    assert (greeting["virtual"], greeting["input_virtual"]) == (True, True)
    assert {"composer:Composer", "composer-in:Composer"} <= {*jack.ports()}
