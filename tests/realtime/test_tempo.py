"""Clocks as they are, in virtual time: the song's beats are found in spite of their jitter."""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.clock import NS_PER_MS, NS_PER_S
from realtime.tempo import TICKS_PER_BEAT, Tempo
from realtime.wire import CONTINUE, START, STOP, TICK

AHEAD_NS = 30 * NS_PER_MS  # how far ahead the music is written
PERIOD_NS = 64 * NS_PER_S / 48_000  # of a sound server that is set up to be quick

Jitter = Callable[[float, random.Random], float]


def steady(bpm: float) -> Callable[[float], float]:
    return lambda _: bpm


def exactly(at_ns: float, _: random.Random) -> float:
    return at_ns


def by_periods(period_ns: float) -> Jitter:
    """A sound server hands on, at the beginning of each period, what belongs into it."""
    return lambda at_ns, _: at_ns // period_ns * period_ns


def late_by_up_to(most_ns: float) -> Jitter:
    return lambda at_ns, rng: at_ns + rng.random() * most_ns


def hiccups(at_ns: float, rng: random.Random) -> float:
    """A busy computer: one tick in fifty comes 15 ms late, the others within 1 ms."""
    return at_ns + rng.random() * 1e6 + (15e6 if rng.random() < 0.02 else 0)


def follow(
    bpm_at: Callable[[float], float], jitter: Jitter, beats: int = 32
) -> Iterator[tuple[float, float, float]]:
    """After each tick: (its beat, what was foretold is off by so many ms, bpm)."""
    rng = random.Random(1)
    moments = [float(NS_PER_S)]
    for number in range(beats * TICKS_PER_BEAT + 24):
        interval_ns = 60 * NS_PER_S / TICKS_PER_BEAT / bpm_at(number / TICKS_PER_BEAT)
        moments.append(moments[-1] + interval_ns)
    tempo = Tempo()
    tempo.heard(START, round(moments[0]) - NS_PER_MS)
    for number in range(beats * TICKS_PER_BEAT):
        tempo.heard(TICK, round(jitter(moments[number], rng)), number)
        if tempo.line:
            later = bisect_left(moments, moments[number] + AHEAD_NS)
            off_ns = tempo.line.ns_at(later / TICKS_PER_BEAT) - moments[later]
            yield number / TICKS_PER_BEAT, off_ns / NS_PER_MS, tempo.line.bpm


@pytest.mark.parametrize("bpm", [30, 60, 97.3, 120, 174, 300])
def test_a_clock_without_jitter_is_followed_from_the_first_sixteenth_on(bpm: float) -> None:
    told = list(follow(steady(bpm), exactly))
    assert told[0][0] == 5 / TICKS_PER_BEAT
    for _, off_ms, told_bpm in told:
        assert abs(off_ms) < 0.01
        assert told_bpm == pytest.approx(bpm)


# (jitter, how early or late the ticks are on the whole, what a beat may be off from that: ms)
CLOCKS: list[tuple[Jitter, float, float]] = [
    (by_periods(PERIOD_NS), -0.67, 0.5),
    (by_periods(4 * PERIOD_NS), -2.67, 1.0),
    (late_by_up_to(1e6), 0.5, 0.3),
    (late_by_up_to(5e6), 2.5, 1.5),
    (hiccups, 0.5, 0.5),
]


@pytest.mark.parametrize(("jitter", "late_ms", "off_ms"), CLOCKS)
@pytest.mark.parametrize("bpm", [60, 97.3, 120, 174])
def test_a_jittering_clock_is_followed_as_if_it_were_steady(
    bpm: float, jitter: Jitter, late_ms: float, off_ms: float
) -> None:
    for beat, off, told_bpm in follow(steady(bpm), jitter):
        if beat >= 4:
            assert abs(off - late_ms) < off_ms
            assert told_bpm == pytest.approx(bpm, rel=0.01)


@pytest.mark.parametrize("jitter", [exactly, by_periods(PERIOD_NS), late_by_up_to(1e6)])
def test_after_a_change_of_tempo_the_beats_are_found_within_a_beat(jitter: Jitter) -> None:
    for beat, off_ms, bpm in follow(lambda beat: 120 if beat < 8 else 140, jitter):
        if 4 <= beat < 8 - 2 / TICKS_PER_BEAT or beat >= 9:
            assert abs(off_ms) < 2
        if beat >= 9:
            assert bpm == pytest.approx(140, rel=0.01)


@pytest.mark.parametrize("jitter", [exactly, by_periods(PERIOD_NS), late_by_up_to(1e6)])
def test_a_ritardando_is_followed(jitter: Jitter) -> None:
    for beat, off_ms, _ in follow(lambda beat: 120 - 2 * beat, jitter, beats=24):
        if beat >= 2:
            assert abs(off_ms) < 3


def heard(*messages: tuple[float, bytes] | tuple[float, bytes, int]) -> Tempo:
    """(ms, message, number of a tick)."""
    tempo = Tempo()
    for at_ms, message, *number in messages:
        tempo.heard(message, round(at_ms * NS_PER_MS), *number)
    return tempo


def ticks(
    numbers: Iterable[int], start_ms: int = 0, every_ms: int = 20
) -> list[tuple[int, bytes, int]]:
    return [(start_ms + index * every_ms, TICK, number) for index, number in enumerate(numbers)]


def test_without_ticks_there_are_no_beats() -> None:
    tempo = heard((0, START))
    assert tempo.rolling
    assert tempo.line is None


def test_a_start_is_beat_0_at_its_first_tick_at_the_tempo_known_before() -> None:
    before = ticks(range(96))
    assert not heard(*before).rolling
    assert heard(*before, (3000, START)).line is None
    tempo = heard(*before, (3000, START), (3005, TICK, 0))
    assert tempo.rolling
    assert tempo.line == (3005 * NS_PER_MS, 480 * NS_PER_MS)


def test_stop_and_continue_somewhere_else() -> None:
    eight_beats_on = bytes((0xF2, 32, 0))
    song = [(0, START), *ticks(range(96)), (2000, STOP), (2000, eight_beats_on)]
    assert not heard(*song).rolling
    tempo = heard(*song, (5000, CONTINUE), (5000, TICK, 32 * 6))
    assert tempo.rolling
    assert tempo.line
    assert tempo.line.beat_at(5000 * NS_PER_MS) == 8


def test_ticks_that_were_lost_leave_the_beats_where_they_are() -> None:
    tempo = heard(*ticks(range(20)), *ticks(range(27, 60), 27 * 20))
    assert tempo.line
    assert tempo.line.ns_at(3) == 3 * 480 * NS_PER_MS


def on_arrival(numbers: Iterable[int], jitter: Jitter = exactly) -> Tempo:
    """Of the ticks of these numbers, 20 ms each, but counted as they arrive."""
    rng = random.Random(1)
    return heard(
        *((jitter(n * 20e6, rng) / 1e6, TICK, counted) for counted, n in enumerate(numbers))
    )


@pytest.mark.parametrize("jitter", [exactly, by_periods(4 * PERIOD_NS), late_by_up_to(5e6)])
@pytest.mark.parametrize("lost", [1, 2, 5])
def test_ticks_that_were_lost_before_they_were_counted_are_counted(
    lost: int, jitter: Jitter
) -> None:
    tempo = on_arrival([*range(50), *range(50 + lost, 80), *range(80 + lost, 110)], jitter)
    assert tempo.line
    assert tempo.line.beat_at(96 * 20 * NS_PER_MS) == pytest.approx(4, abs=0.02)


def test_a_server_that_lost_a_tick_and_stood_still_for_a_moment_lost_one_tick() -> None:
    def stood_still(at_ns: float, _: random.Random) -> float:
        return at_ns + (7e6 if at_ns >= 50 * 20e6 else 0)

    tempo = on_arrival([*range(50), *range(51, 110)], stood_still)
    assert tempo.line
    assert tempo.line.beat_at((96 * 20 + 7) * NS_PER_MS) == pytest.approx(4, abs=0.02)


@pytest.mark.parametrize("held_up_ms", [15, 25, 45, 100])
def test_ticks_that_were_held_up_are_not_counted_twice(held_up_ms: float) -> None:
    """They come in a bunch, and what follows is on time."""
    free_ns = (50 * 20 + held_up_ms) * 1e6

    def held_up(at_ns: float, _: random.Random) -> float:
        return max(at_ns, free_ns) if at_ns >= 50 * 20e6 else at_ns

    tempo = on_arrival(range(110), held_up)
    assert tempo.line
    assert tempo.line.beat_at(96 * 20 * NS_PER_MS) == pytest.approx(4, abs=0.02)


@pytest.mark.parametrize("bpm", [50, 100, 114, 120, 130, 200, 300])
def test_a_change_of_tempo_loses_no_ticks(bpm: float) -> None:
    after_ms = [1000 + n * 2500 / bpm for n in range(1, 100)]
    tempo = heard(
        *ticks(range(51)),
        *((at_ms, TICK, 50 + n) for n, at_ms in enumerate(after_ms, 1)),
    )
    assert tempo.line
    assert tempo.line.beat_at(after_ms[-1] * NS_PER_MS) == pytest.approx(149 / 24, abs=1e-3)


def test_a_clock_that_falls_silent_is_followed_in_thought_and_afterwards_anew() -> None:
    song = ticks(range(48))
    silent = heard(*song)
    assert silent.line
    assert silent.line.ns_at(100) == 48_000 * NS_PER_MS
    back = heard(*song, *ticks(range(48, 60), 10_000, every_ms=25))
    assert back.line
    assert back.line.ns_at(3) == 10_600 * NS_PER_MS


@given(st.lists(st.tuples(st.sampled_from((TICK, START, CONTINUE, STOP)), st.integers(0, 10**9))))
def test_whatever_comes_moments_and_beats_are_each_others_inverse(
    messages: list[tuple[bytes, int]],
) -> None:
    tempo, at_ns = Tempo(), 0
    for number, (message, later_ns) in enumerate(messages):
        at_ns += later_ns
        tempo.heard(message, at_ns, number)
        if tempo.line:
            assert 9.99 < tempo.line.bpm < 500.1
            for beat in (number / 24, number / 24 + 7):
                assert tempo.line.beat_at(tempo.line.ns_at(beat)) == pytest.approx(beat, abs=1e-6)
