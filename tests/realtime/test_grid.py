"""What would be played -> what is played, in beats."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.grid import STEPS, Grid

SIXTEENTHS = Grid(STEPS["1/16"])


def struck(grid: Grid, *beats: float) -> list[float]:
    """Onsets one after the other."""
    played: list[float] = []
    for beat in beats:
        played.append(grid.onset(beat, played[-1] if played else 0.0))
    return played


def test_a_note_is_struck_on_the_nearest_line() -> None:
    assert struck(SIXTEENTHS, 0.02, 0.24, 0.3, 1.38, 1.62) == [0, 0.25, 0.25, 1.5, 1.5]


def test_half_the_strength_goes_half_the_way() -> None:
    assert struck(Grid(0.25, strength=0.5), 0.3, 0.46) == [0.275, 0.48]


def test_without_strength_nothing_moves() -> None:
    assert struck(Grid(0.25, strength=0), 0.3, 0.46, 1.1) == [0.3, 0.46, 1.1]


def test_swing_delays_every_second_line() -> None:
    swung = Grid(0.5, swing=2 / 3)
    assert struck(swung, 0.1, 0.5, 0.95, 1.5) == pytest.approx([0, 2 / 3, 1, 5 / 3])


def test_what_has_been_played_is_not_overtaken() -> None:
    assert SIXTEENTHS.onset(0.26, after=0.29) == 0.5


def test_a_chord_stays_one_when_its_line_has_moved_meanwhile() -> None:
    assert SIXTEENTHS.onset(0.27, after=0.252) == 0.252
    assert SIXTEENTHS.onset(0.27, after=0.248) == 0.248


def test_releases_go_to_the_nearest_line_too() -> None:
    assert SIXTEENTHS.release(0.55, after=0.25, struck=0.25) == 0.5


def test_a_note_too_short_for_the_grid_sounds_for_half_a_step() -> None:
    assert SIXTEENTHS.release(0.3, after=0.25, struck=0.25) == 0.375
    assert Grid(0.25, strength=0).release(0.3, after=0.25, struck=0.25) == 0.3


@given(
    st.sampled_from(sorted(STEPS.values())),
    st.floats(0.5, 0.75),
    st.lists(st.tuples(st.floats(0, 2), st.booleans()), min_size=1),
)
def test_onsets_lie_on_lines_in_their_order_and_notes_have_a_length(
    step: float, swing: float, music: list[tuple[float, bool]]
) -> None:
    grid = Grid(step, 1.0, swing)
    lines = [n * step + (n % 2) * (2 * swing - 1) * step for n in range(int(400 / step))]
    beat, played, sounding = 0.0, 0.0, list[float]()
    for delta, is_onset in music[:100]:
        beat = max(beat, played - step) + delta
        before = played
        if is_onset or not sounding:
            played = grid.onset(beat, played)
            assert min(abs(line - played) for line in lines) < 1e-9 or played == before
            assert played - beat < 2.5 * step
            sounding.append(played)
        else:
            onset = sounding.pop(0)
            played = grid.release(beat, played, onset)
            assert played >= onset + step / 2
        assert played >= before


@given(st.floats(0, 1), st.floats(0.5, 0.75), st.floats(0, 100))
def test_a_note_moves_by_less_than_a_step(strength: float, swing: float, beat: float) -> None:
    grid = Grid(0.25, strength, swing)
    assert abs(grid.onset(beat, 0.0) - beat) < 0.25 * max(strength, 1e-9) + 1e-9
