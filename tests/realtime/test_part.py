"""A part: what its composer hears, and what the next one is told when it dies."""

from __future__ import annotations

from typing import Any, cast

from realtime.child import Arrivals
from realtime.part import Part
from realtime.wire import Kind, Record, note_off, note_on


class FakeComposer:
    """Has room in its pipe, or not."""

    def __init__(self, *, room: bool = True) -> None:
        self.room = room
        self.taken: list[Record] = []
        self.orders: dict[str, Any] = {}

    def begin(self, orders: dict[str, Any], _: Arrivals) -> dict[str, Any]:
        self.orders = orders
        return {"model": "none"}

    def send(self, record: Record) -> bool:
        if self.room:
            self.taken.append(record)
        return self.room


def heard(at_ns: int, message: bytes) -> Record:
    return Record(Kind.HEARD, message, at_ns=at_ns)


def sent(at_ns: int, message: bytes) -> Record:
    return Record(Kind.SENT, message, at_ns=at_ns)


def test_a_composer_that_missed_something_is_told_first_that_all_keys_are_released() -> None:
    composer = FakeComposer(room=False)
    part = Part({}, cast(Any, composer))
    onset, release = heard(1, note_on(0, 60, 80)), heard(1, note_off(0, 60))
    assert [part.heard(onset), part.heard(release)] == [True, False]
    assert composer.taken == []
    composer.room = True
    assert [part.heard(onset), part.heard(release)] == [False, False]
    assert composer.taken == [Record(Kind.DEAF), onset, release]


def test_a_successor_begins_above_all_epochs_and_knows_what_sounded() -> None:
    first, second = FakeComposer(), FakeComposer()
    part = Part({"channel": 0}, cast(Any, first))
    part.begin(Arrivals())
    assert first.orders == {"channel": 0}
    part.wrote(Record(Kind.PLAY, note_on(0, 60, 80), due_ns=1))
    part.sounded(sent(2, note_on(0, 60, 80)))
    part.wrote(Record(Kind.HUSH, epoch=4))
    part.heard(heard(3, note_on(0, 72, 80)))
    part.succeed(cast(Any, second), Arrivals())
    assert second.orders == {
        "channel": 0,
        "epoch": 5,
        "past": [(2, "903c50"), (3, "904850")],
    }


def test_it_listens_from_its_silence_to_its_next_note_whatever_else_it_says() -> None:
    part = Part({}, cast(Any, FakeComposer()))
    said = [Kind.PONG, Kind.HUSH, Kind.PONG, Kind.PLAY]
    listening = []
    for kind in said:
        part.wrote(Record(kind, note_on(0, 60, 80)))
        listening.append(part.listening)
    assert listening == [False, True, True, False]
