from __future__ import annotations

import pytest

from core.errors import PortError
from realtime.names import match

JACK_NAMES = ["fluidsynth:midi_00", "IAC:Bus 1", "IAC:Bus 2", "a2j:Keystation [20]"]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("fluidsynth:midi_00", "fluidsynth:midi_00"),
        ("fluidsynth", "fluidsynth:midi_00"),
        ("midi_00", "fluidsynth:midi_00"),
        ("bus 2", "IAC:Bus 2"),
        ("KEYSTATION", "a2j:Keystation [20]"),
        ("Composer", None),
    ],
)
def test_a_port_is_meant_by_its_name_or_a_part_of_it(asked: str, found: str | None) -> None:
    assert match(asked, JACK_NAMES) == found


def test_an_exact_name_wins_over_a_longer_one() -> None:
    assert match("Piano", ["Grand Piano", "Piano", "Piano 2"]) == "Piano"


def test_an_exact_part_wins_over_a_substring() -> None:
    assert match("Synth", ["FLUID Synth:port 128:0", "Synth:in 129:0"]) == "Synth:in 129:0"


def test_the_numbers_that_alsa_appends_need_not_be_known() -> None:
    names = ["Midi Through:Midi Through Port-0 14:0", "FLUID Synth:Synth input port 128:0"]
    assert match("FLUID Synth:Synth input port", names) == names[1]


def test_several_matches_are_listed() -> None:
    with pytest.raises(PortError) as raised:
        match("IAC", ["IAC Bus 1", "IAC Bus 2", "Piano"])
    assert str(raised.value) == (
        "2 output ports match 'IAC': IAC Bus 1, IAC Bus 2; name one in full"
    )
