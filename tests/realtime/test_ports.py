from __future__ import annotations

import queue
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
import rtmidi

from core.errors import PortError
from realtime.ports import (
    NoMidiSystemError,
    list_inputs,
    list_outputs,
    open_input,
    open_output,
)
from realtime.rehearsal import MemoryPort
from realtime.wire import control_change, note_off, note_on

if TYPE_CHECKING:
    from conftest import Jack, Listener


def test_a_memory_port_keeps_what_it_is_sent_as_far_as_it_is_told_to() -> None:
    everything, last = MemoryPort(), MemoryPort(keep=1)
    for pitch in (60, 61):
        everything.send(note_on(0, pitch, 80))
        last.send(note_on(0, pitch, 80))
    assert [*everything.sent] == [note_on(0, 60, 80), note_on(0, 61, 80)]
    assert [*last.sent] == [note_on(0, 61, 80)]


def test_a_system_that_does_not_run_is_told_apart_from_a_missing_port(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "nobody-runs-this")
    monkeypatch.setenv("JACK_NO_START_SERVER", "1")
    with pytest.raises(NoMidiSystemError, match="no MIDI system is running"):
        open_output("Piano", "jack")
    assert capfd.readouterr().err == ""


def test_a_system_that_turns_us_down_once_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    class Moody:
        def __init__(self, _: int, name: str) -> None:
            asked.append(name)
            if len(asked) == 1:
                raise rtmidi.RtMidiError("JACK server not running?")

        def get_ports(self) -> list[str]:
            return ["Piano"]

        def delete(self) -> None:
            pass

    monkeypatch.setattr(rtmidi, "MidiOut", Moody)
    assert list_outputs("jack") == ["Piano"]


def test_a_system_that_nobody_knows_is_answered_with_those_there_are() -> None:
    with pytest.raises(PortError, match="no MIDI system 'jakc' here; there may be: "):
        list_outputs("jakc")


# Over a real JACK server.


@pytest.mark.usefixtures("jack")
def test_our_own_ports_are_not_in_our_lists_and_never_match() -> None:
    with closing(open_output("Composer", "jack")) as output:
        assert list_inputs("jack") == []
        with closing(open_input("Composer", "jack")) as keyboard:
            assert output.virtual
            assert keyboard.virtual
            assert list_outputs("jack") == []


def test_a_name_that_matches_nothing_becomes_a_virtual_port(jack: Jack) -> None:
    with (
        closing(open_output("Composer", "jack")) as output,
        closing(open_input("Keys", "jack")) as keyboard,
    ):
        assert (output.name, output.virtual) == ("Composer", True)
        assert (keyboard.name, keyboard.virtual) == ("Keys", True)
        assert {"composer:Composer", "composer-in:Keys"} <= {*jack.ports()}
    assert not {"composer:Composer", "composer-in:Keys"} & {*jack.ports()}


def test_a_foreign_program_is_found_by_part_of_its_name(listener: Listener) -> None:
    assert list_outputs("jack") == ["listener:input"]
    with closing(open_output("Listen")) as output:
        assert (output.name, output.virtual) == ("listener:input", False)
        time.sleep(0.1)  # a new connection loses what is sent at once
        output.send(note_on(0, 60, 80))
        output.send(note_off(0, 60))
        time.sleep(0.1)  # and one that closes, what it has not sent yet
    assert listener.heard() == [note_on(0, 60, 80), note_off(0, 60)]


def test_an_input_hears_what_is_played_and_not_the_clock(jack: Jack) -> None:
    heard: queue.Queue[bytes] = queue.Queue()
    with (
        closing(open_input("Keys", "jack")) as keyboard,
        closing(open_output("Piano", "jack")) as output,
    ):
        keyboard.listen(heard.put)
        jack.connect("composer:Piano", "composer-in:Keys")
        pedal = control_change(5, 64, 127)
        timing_clock, program_change = b"\xf8", b"\xc0\x05"
        for message in (note_on(3, 60, 80), timing_clock, program_change, pedal, note_off(3, 60)):
            output.send(message)
        assert [heard.get(timeout=5) for _ in range(4)] == [
            note_on(3, 60, 80),
            program_change,
            pedal,
            note_off(3, 60),
        ]


def test_an_output_whose_program_has_gone_is_no_longer_present(
    listener: Listener, jack: Jack
) -> None:
    with closing(open_output("listener", "jack")) as output:
        assert output.present()
        listener.leave()
        jack.wait_until_gone("listener:input")
        assert not output.present()


def test_ports_of_a_server_that_has_died_are_no_longer_present(jack: Jack) -> None:
    with (
        closing(open_output("Composer", "jack")) as output,
        closing(open_input("Keys", "jack")) as keyboard,
    ):
        assert output.present()
        assert keyboard.present()
        jack.kill()
        for _ in range(200):
            if not (output.present() or keyboard.present()):
                return
            time.sleep(0.01)
        pytest.fail("both are still taken for present")
