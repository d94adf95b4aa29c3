"""The beats of a Link session, as a clock's; and two daemons in one session."""

from __future__ import annotations

import pytest

from realtime.link import Session
from realtime.tempo import TICKS_PER_BEAT, Tempo
from realtime.wire import CONTINUE, STOP, TICK, Record

MS = 1_000_000
BEAT_NS = 480 * MS  # 125 bpm, 20 ms a tick


def looks(*moments: tuple[float, float, bool]) -> list[tuple[float, bytes, int]]:
    """(ms, beat, whether it is on) of each look -> (ms, message, number of a tick)."""
    session = Session()
    told: list[Record] = []
    for at_ms, beat, is_on in moments:
        told += session.look(beat, BEAT_NS, round(at_ms * MS), is_on=is_on)
    return [(record.at_ns / MS, record.message, record.epoch) for record in told]


def test_ticks_are_told_at_the_moments_at_which_they_were() -> None:
    assert looks((100, 2.0, True), (105, 2 + 5 / 480, True), (150, 2 + 50 / 480, True)) == [
        (100, CONTINUE, 0),
        (100, TICK, 48),
        (120, TICK, 49),
        (140, TICK, 50),
    ]


def test_before_the_session_begins_there_are_no_ticks() -> None:
    assert looks((100, -0.1, True)) == [(100, CONTINUE, 0)]


def test_a_jump_to_the_others_beat_is_a_place_somewhere_else() -> None:
    jump = looks((100, 2.0, True), (105, 7.0, True))
    assert jump[2:] == [(105, CONTINUE, 0), (105, TICK, 7 * TICKS_PER_BEAT)]


def test_a_small_step_back_is_none() -> None:
    assert looks((100, 2.0, True), (105, 1.99, True)) == looks((100, 2.0, True))


def test_start_and_stop_by_somebody_are_told() -> None:
    told = looks((100, 2.0, True), (101, 2.001, False), (200, 2 + 100 / 480, True))
    assert [message for _, message, _ in told if message != TICK] == [CONTINUE, STOP, CONTINUE]


def test_a_tempo_follows_a_session() -> None:
    session, tempo = Session(), Tempo()
    for at_ms in range(0, 1000, 5):
        for record in session.look(at_ms / 480, BEAT_NS, at_ms * MS, is_on=True):
            tempo.heard(record.message, record.at_ns, record.epoch)
    assert tempo.rolling
    assert tempo.line
    assert tempo.line.bpm == pytest.approx(125)
    assert tempo.line.ns_at(8) == pytest.approx(8 * BEAT_NS, abs=10)
