"""Settings have ranges, and a default that does nothing."""

import re
from dataclasses import fields
from math import nan
from pathlib import Path

import pytest

from core.errors import SettingsError
from realtime.settings import CHOICES, KNOBS, Settings


def test_every_setting_is_a_knob_or_a_choice() -> None:
    assert {*KNOBS, *CHOICES} == {field.name for field in fields(Settings)}


@pytest.mark.parametrize("name", KNOBS)
def test_a_knob_beyond_its_range_is_refused_and_can_be_clamped(name: str) -> None:
    knob = KNOBS[name]
    for beyond in (knob.low - 1, knob.high + 1, nan):
        with pytest.raises(SettingsError, match=f"{name} must be within"):
            Settings(**{name: beyond})
        assert knob.low <= knob.clamped(beyond) <= knob.high


@pytest.mark.parametrize("name", CHOICES)
def test_what_cannot_be_chosen_is_refused_with_what_can(name: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} is one of {CHOICES[name][0]}"):
        Settings(**{name: "anything"})


def test_a_range_has_its_low_end_below() -> None:
    with pytest.raises(SettingsError, match="register_low must not be above register_high"):
        Settings(register_low=60, register_high=50)


def test_the_guide_tells_each_knob_its_range_and_its_default() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "steering.md").read_text()
    rows = [line.split("|") for line in guide.splitlines() if line.startswith("| `")]
    told = {name: row for row in rows for name in re.findall(r"`(\w+)`", row[1])}
    assert told.keys() == {*KNOBS, *CHOICES}
    for name, knob in KNOBS.items():
        unit = f" {knob.unit}" if knob.unit else ""
        assert told[name][2].strip() == f"{knob.low:g}..{knob.high:g}{unit}"
        assert told[name][3].strip() == f"{getattr(Settings(), name):g}"
