"""Clock messages in a row, and the number that each tick has in the song."""

from __future__ import annotations

from realtime.transport import Transport
from realtime.wire import CONTINUE, START, STOP, TICK, Kind, Record


def position(sixteenths: int) -> bytes:
    return bytes((0xF2, sixteenths & 0x7F, sixteenths >> 7))


def numbers(*messages: bytes) -> list[int]:
    told: list[Record] = []
    transport = Transport(told.append)
    for message in messages:
        transport.heard(message, 0)
    return [record.epoch for record in told if record.message == TICK]


def test_each_message_is_told_of_at_the_moment_at_which_it_came() -> None:
    told: list[Record] = []
    transport = Transport(told.append)
    for at_ns, message in enumerate((START, TICK, TICK, position(8), STOP)):
        transport.heard(message, at_ns)
    assert told == [
        Record(Kind.CLOCK, START, at_ns=0),
        Record(Kind.CLOCK, TICK, at_ns=1, epoch=0),
        Record(Kind.CLOCK, TICK, at_ns=2, epoch=1),
        Record(Kind.CLOCK, position(8), at_ns=3),
        Record(Kind.CLOCK, STOP, at_ns=4),
    ]


def test_start_begins_the_song() -> None:
    assert numbers(TICK, TICK, START, TICK, TICK, START, TICK) == [0, 1, 0, 1, 0]


def test_continue_goes_on_where_stop_was_whatever_ticks_came_meanwhile() -> None:
    assert numbers(START, TICK, TICK, STOP, TICK, TICK, TICK, CONTINUE, TICK) == [0, 1, 2, 3, 4, 2]


def test_continue_goes_on_from_the_song_position() -> None:
    assert numbers(START, TICK, STOP, position(8), CONTINUE, TICK) == [0, 48]
    assert numbers(position(1000), CONTINUE, TICK, TICK) == [6000, 6001]


def test_a_song_position_on_the_way_is_a_jump() -> None:
    assert numbers(START, TICK, position(4), TICK) == [0, 24]


def test_start_forgets_the_song_position() -> None:
    assert numbers(position(4), START, TICK) == [0]


def test_a_successor_counts_on_over_the_ticks_that_nobody_heard() -> None:
    told: list[Record] = []
    transport = Transport(told.append, before=(100, 1_000, 20.0))
    for at_ns in (1_198, 1_221, 1_240):
        transport.heard(TICK, at_ns)
    assert [record.epoch for record in told] == [110, 111, 112]
