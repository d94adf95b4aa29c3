"""What is known of the song so far, told to those who come later."""

from __future__ import annotations

import pytest

from realtime.song import Song
from realtime.tempo import Tempo
from realtime.wire import CONTINUE, START, STOP, TICK, Kind, Record

MS = 1_000_000


def told(*messages: tuple[int, bytes, int]) -> Song:
    """(ms, message, number of a tick)."""
    song = Song()
    for at_ms, message, number in messages:
        song.heard(Record(Kind.CLOCK, message, at_ns=at_ms * MS, epoch=number))
    return song


TICKS = [(n * 20, TICK, n) for n in range(200)]


def successor(song: Song) -> Tempo:
    tempo = Tempo()
    for record in song.so_far():
        tempo.heard(record.message, record.at_ns, record.epoch)
    return tempo


def test_another_composer_knows_the_tempo_and_that_the_song_is_on() -> None:
    song = told((0, START, 0), *TICKS)
    tempo = successor(song)
    assert tempo.rolling
    assert tempo.line == song.tempo.line


def test_another_composer_waits_for_a_song_that_is_not_on() -> None:
    assert not successor(told((0, START, 0), *TICKS, (4000, STOP, 0))).rolling
    assert successor(told()).line is None


def test_another_player_counts_on_from_the_last_tick() -> None:
    assert told((0, START, 0), *TICKS).last_tick() == (199, 3980 * MS, pytest.approx(20 * MS))
    assert told((0, START, 0), *TICKS, (4000, STOP, 0)).last_tick() is None


def written_down(*messages: tuple[int, bytes, int]) -> list[tuple[int, int]]:
    """(ms of a beat, ms that one takes from then on)."""
    song, written = Song(), []
    for at_ms, message, number in messages:
        song.heard(Record(Kind.CLOCK, message, at_ns=at_ms * MS, epoch=number))
        if tempo := song.to_write_down():
            written.append((round(tempo[0] / MS), round(tempo[1] / 1000)))
    return written


def test_tempi_are_written_down_from_the_first_beat_on_and_as_they_change() -> None:
    slower = [(48 * 20 + n * 25, TICK, 48 + n) for n in range(200)]
    assert written_down((0, START, 0), *TICKS[:48], *slower) == [(0, 480), (1560, 600)]
    assert written_down(*TICKS) == []


def test_a_musician_is_told_what_is_waited_for() -> None:
    assert told(*TICKS).words() == "waiting for Start"
    assert told((0, START, 0), *TICKS[:3]).words() == "waiting for the tempo"
    assert told((0, CONTINUE, 0), *TICKS).words() == "125.0 bpm"
    assert told((0, START, 0), *TICKS[:49]).stats(960 * MS) == {
        "bpm": 125.0,
        "beat": 2.0,
        "rolling": True,
    }
