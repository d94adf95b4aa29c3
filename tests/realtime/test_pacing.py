"""The model's seconds and our moments, there and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.clock import NS_PER_MS, NS_PER_S
from realtime.grid import Grid
from realtime.pacing import Pacing
from realtime.tempo import Line

AT_100_BPM = Line(zero_ns=0, beat_ns=600 * NS_PER_MS)


def paced(line: Line | None = None, grid: Grid | None = None, tempo_scale: float = 1) -> Pacing:
    pacing = Pacing(tempo_scale, grid)
    pacing.line = line
    return pacing


def test_without_a_song_a_second_is_a_second() -> None:
    assert paced().later_ns(7, 1.5) == 7 + 1_500_000_000
    assert paced(tempo_scale=2).later_ns(7, 1.5) == 7 + 750_000_000


def test_in_a_song_a_second_is_two_beats() -> None:
    assert paced(AT_100_BPM).later_ns(0, 1.0) == 1200 * NS_PER_MS
    assert paced(AT_100_BPM, tempo_scale=2).later_ns(0, 1.0) == 600 * NS_PER_MS


def test_only_what_is_at_once_is_at_once() -> None:
    assert paced().later_ns(7, 0) == 7
    assert paced().later_ns(7, 1e-12) == 8


@given(
    st.floats(0.001, 20),
    st.floats(0.1, 10),
    st.none() | st.floats(20, 400).map(lambda bpm: Line(0, 60e9 / bpm)),
)
def test_the_model_hears_the_time_that_it_meant(
    delta_s: float, tempo_scale: float, line: Line | None
) -> None:
    pacing = paced(line, tempo_scale=tempo_scale)
    due_ns = pacing.later_ns(NS_PER_S, delta_s)
    assert pacing.seconds(NS_PER_S, due_ns) == pytest.approx(delta_s, abs=1e-6)


def test_what_was_pulled_does_not_pull_what_follows() -> None:
    """Deltas of 0.13 beats on a grid of 0.25: the tempo stays what the model wants."""
    pacing = paced(AT_100_BPM, Grid(0.25))
    at_ns, beats = 0, list[float]()
    for _ in range(100):
        due_ns = pacing.later_ns(at_ns, 0.065)
        played_ns = pacing.played_ns(due_ns, at_ns)
        pacing.place(due_ns, played_ns)
        at_ns = played_ns
        beats.append(AT_100_BPM.beat_at(played_ns))
    assert all(beat % 0.25 == pytest.approx(0, abs=1e-6) for beat in beats)
    assert beats[-1] == 13


def test_what_was_undone_pulls_nothing() -> None:
    pacing = paced(AT_100_BPM, Grid(0.25))
    pacing.place(due_ns=70 * NS_PER_MS, played_ns=150 * NS_PER_MS)
    assert pacing.later_ns(150 * NS_PER_MS, 0.1) == 190 * NS_PER_MS
    assert pacing.later_ns(100 * NS_PER_MS, 0.1) == 220 * NS_PER_MS


def test_without_a_song_there_is_no_grid() -> None:
    assert paced(None, Grid(0.25)).played_ns(70 * NS_PER_MS, 0) == 70 * NS_PER_MS


def test_a_chord_leaves_together_though_the_beats_have_moved_by_a_little() -> None:
    pacing = paced(AT_100_BPM, Grid(0.25))
    at_ns = pacing.played_ns(310 * NS_PER_MS, 0)
    pacing.line = AT_100_BPM._replace(zero_ns=-NS_PER_MS)
    assert at_ns == 300 * NS_PER_MS
    assert pacing.played_ns(320 * NS_PER_MS, at_ns) == at_ns
    pacing.line = AT_100_BPM._replace(zero_ns=NS_PER_MS)
    assert pacing.played_ns(320 * NS_PER_MS, at_ns) == at_ns
