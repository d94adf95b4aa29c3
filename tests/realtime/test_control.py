"""Knobs turn within the range of their setting; all else leaves the settings alone."""

from hypothesis import given
from hypothesis import strategies as st

from realtime.control import KNOBS, turned
from realtime.settings import Settings

bytes7 = st.integers(0, 127)


@given(st.sampled_from(sorted(KNOBS)), bytes7, bytes7)
def test_a_knob_moves_its_setting_and_no_other(number: int, low: int, high: int) -> None:
    low, high = sorted((low, high))
    knob = KNOBS[number]
    before = Settings()
    lower, upper = (turned(before, bytes([0xB0, number, value])) for value in (low, high))
    assert knob.low <= getattr(lower, knob.setting) <= getattr(upper, knob.setting) <= knob.high
    for other in {"temperature", "top_p"} - {knob.setting}:
        assert getattr(upper, other) == getattr(before, other)


@given(st.integers(0x80, 0xEF), bytes7, bytes7)
def test_other_messages_leave_the_settings_alone(status: int, data1: int, data2: int) -> None:
    settings = Settings(temperature=0.9)
    if status & 0xF0 != 0xB0 or data1 not in KNOBS:
        assert turned(settings, bytes([status, data1, data2])) is settings
