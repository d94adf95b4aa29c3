"""An event refuses the impossible; columns are the same events."""

import math

import pytest

from core.events import Event, Events


@pytest.mark.parametrize(
    ("delta_s", "pitch", "velocity"),
    [(-0.1, 60, 64), (math.nan, 60, 64), (math.inf, 60, 64), (0, 128, 64), (0, 60, -1)],
)
def test_the_impossible_is_refused(delta_s: float, pitch: int, velocity: int) -> None:
    with pytest.raises(ValueError, match="must be"):
        Event(delta_s, pitch, velocity)


def test_columns_are_the_same_events() -> None:
    phrase = [Event(0.0, 60, 90), Event(0.5, 64, 80), Event(0.25, 60, 0)]
    columns = Events.of(phrase)
    assert list(columns) == phrase
    assert list(columns[1:]) == phrase[1:]
    assert columns.duration_s == 0.75
    assert len(Events.of([])) == 0
