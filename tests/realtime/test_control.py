"""Knobs turn within the range of their setting; what cannot be is told in a word."""

from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.control import ACTIONS, CONTROLS, Control, changed, of_controller
from realtime.settings import CHOICES, KNOBS, Settings

bytes7 = st.integers(0, 127)
anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.binary(),
    st.lists(st.none()),
)
names = st.sampled_from([*KNOBS, *CHOICES]) | st.text()


@given(st.sampled_from(sorted(CONTROLS)), bytes7, bytes7)
def test_a_controller_moves_its_setting_and_no_other(number: int, low: int, high: int) -> None:
    low, high = sorted((low, high))
    knob = CONTROLS[number].knob
    wishes = [of_controller(CONTROLS, bytes([0xB0, number, value]))[1] for value in (low, high)]
    if knob in ACTIONS:
        assert wishes == [{knob: True} if value >= 64 else {} for value in (low, high)]
        return
    lower, upper = (changed(Settings(), wish) for wish in wishes)
    assert lower.words == upper.words == ()
    if knob in KNOBS:
        assert getattr(lower.settings, knob) <= getattr(upper.settings, knob)
    assert replace(upper.settings, **{knob: getattr(Settings(), knob)}) == Settings()


def test_a_controller_goes_through_all_choices() -> None:
    table = {5: Control("scale", part="bass")}
    turned = [of_controller(table, bytes([0xB0, 5, value])) for value in range(128)]
    assert {part for part, _ in turned} == {"bass"}
    assert list(dict.fromkeys(wish["scale"] for _, wish in turned)) == list(CHOICES["scale"])


def test_a_controller_that_is_not_in_the_table_wishes_nothing() -> None:
    assert of_controller(CONTROLS, bytes([0xB0, 74, 1])) == (None, {})


@given(st.dictionaries(names, anything))
def test_whatever_is_wished_the_settings_are_possible_and_each_refusal_has_a_word(
    wish: dict[str, object],
) -> None:
    before = Settings(temperature=0.9)
    after, words = changed(before, wish)
    assert Settings(**asdict(after)) == after
    assert all(word.isprintable() for word in words)
    for name, value in wish.items():
        asked = value
        if isinstance(getattr(before, name, None), int) and isinstance(value, float) and not words:
            asked = round(value)  # as a controller asks that turns from end to end
        assert getattr(after, name, None) == asked or words


@pytest.mark.parametrize(
    ("wish", "word"),
    [
        ({"temperature": float("inf")}, "temperature ends at 5"),
        ({"temperature": 10**400}, "temperature ends at 5"),
        ({"temperature": float("nan")}, "temperature is a number, not nan"),
        ({"temperature": True}, "temperature is a number, not True"),
        ({"temprature": 1.0}, "there is no 'temprature' to turn; do you mean temperature?"),
        ({"mode": "jazz"}, "mode is one of free, respond, duet; not 'jazz'"),
        ({"register_low": 80, "register_high": 60}, "register_low must not be above register_high"),
    ],
)
def test_what_cannot_be_is_told_in_a_word(wish: dict[str, object], word: str) -> None:
    assert word in changed(Settings(), wish).words


def test_both_ends_of_a_range_move_together() -> None:
    high_up = Settings(register_low=90, register_high=100)
    after, words = changed(high_up, {"register_low": 30, "register_high": 50.4})
    assert (after.register_low, after.register_high, words) == (30, 50, ())
