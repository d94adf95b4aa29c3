"""A part: what its composer hears, and what the next one is told when it dies."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

from realtime.child import Arrivals
from realtime.part import Part, PartOrders
from realtime.settings import Settings
from realtime.wire import Kind, Pieces, Record, note_off, note_on


class FakeComposer:
    """Has room in its pipe, or not."""

    def __init__(self, *, room: bool = True) -> None:
        self.room = room
        self.taken: list[Record] = []
        self.orders: dict[str, Any] = {}

    def order(self, orders: dict[str, Any]) -> None:
        self.orders = orders

    def begin_later(self, orders: dict[str, Any], _: Arrivals) -> None:
        self.orders = orders

    def ready(self, _: Arrivals) -> dict[str, Any]:
        return {"model": "none"}

    def send(self, record: Record) -> bool:
        if self.room:
            self.taken.append(record)
        return self.room


def part(composer: FakeComposer, **orders: Any) -> Part:
    return Part(PartOrders(composer={"channel": 0, "settings": {}}, **orders), cast(Any, composer))


def heard(at_ns: int, message: bytes) -> Record:
    return Record(Kind.HEARD, message, at_ns=at_ns)


def sent(at_ns: int, message: bytes) -> Record:
    return Record(Kind.SENT, message, at_ns=at_ns)


def test_a_composer_that_missed_something_is_told_first_that_all_keys_are_released() -> None:
    composer = FakeComposer(room=False)
    slow = part(composer)
    onset, release = heard(1, note_on(0, 60, 80)), heard(1, note_off(0, 60))
    assert [slow.heard(onset), slow.heard(release)] == [True, False]
    assert composer.taken == []
    composer.room = True
    assert [slow.heard(onset), slow.heard(release)] == [False, False]
    assert composer.taken == [Record(Kind.DEAF), onset, release]


def test_a_successor_begins_above_all_epochs_and_knows_what_sounded() -> None:
    first, second = FakeComposer(), FakeComposer()
    piano = part(first)
    piano.order(together=False)
    piano.begin(Arrivals())
    piano.wrote(Record(Kind.PLAY, note_on(0, 60, 80), due_ns=1))
    piano.sounded(sent(2, note_on(0, 60, 80)))
    piano.wrote(Record(Kind.HUSH, epoch=4))
    piano.heard(heard(3, note_on(0, 72, 80)))
    piano.overheard(sent(4, note_on(1, 36, 80)))
    piano.succeed(cast(Any, second), Arrivals(), bpm=97.5)
    assert second.orders == {
        "channel": 0,
        "settings": asdict(Settings()),
        "epoch": 5,
        "past": [(2, "903c50"), (3, "904850"), (4, "912450")],
        "bpm": 97.5,
    }
    assert not piano.ready  # until it greets


def told(composer: FakeComposer) -> list[Any]:
    """The orders that reached it."""
    joined = Pieces()
    return [order for record in composer.taken if (order := joined.join(record)) is not None]


def test_a_knob_that_is_turned_is_told_to_the_composer_alone_with_what_changed() -> None:
    composer = FakeComposer()
    piano = part(composer)
    assert piano.turn({"temperature": 0.8, "top_p": 0.95}) == ()
    assert piano.turn({"temperature": 0.8}) == ()
    assert piano.turn({"density": 99}) == ("density ends at 32",)
    assert told(composer) == [
        {"settings": {"temperature": 0.8}},
        {"settings": {"density": 32}},
    ]


def test_a_composer_without_room_is_told_later_where_the_knobs_stand_then() -> None:
    composer = FakeComposer(room=False)
    piano = part(composer)
    piano.turn({"temperature": 0.8})
    piano.turn({"temperature": 0.7})
    composer.room = True
    piano.forgive()
    piano.forgive()
    assert told(composer) == [{"settings": {"temperature": 0.7}}]


def test_a_successor_begins_with_the_settings_as_they_stand() -> None:
    first, second = FakeComposer(), FakeComposer()
    piano = part(first)
    piano.turn({"temperature": 0.8})
    piano.succeed(cast(Any, second), Arrivals())
    piano.forgive()
    assert second.orders["settings"]["temperature"] == 0.8
    assert told(second) == []


def test_what_another_part_plays_is_heard_but_not_how_its_instrument_is_set() -> None:
    composer = FakeComposer()
    piano = part(composer)
    piano.overheard(sent(1, bytes([0xC1, 33])))
    piano.overheard(sent(2, note_on(1, 36, 80)))
    assert composer.taken == [heard(2, note_on(1, 36, 80))]


def test_it_hears_the_parts_that_it_was_told_to() -> None:
    piano = part(FakeComposer(), name="piano", hears=frozenset({"bass"}))
    bass = part(FakeComposer(), name="bass")
    assert [piano.hears(bass), bass.hears(piano), piano.hears(piano)] == [True, False, False]


def test_it_listens_from_its_silence_to_its_next_note_whatever_else_it_says() -> None:
    piano = part(FakeComposer())
    listening = []
    for kind in (Kind.PONG, Kind.HUSH, Kind.PONG, Kind.PLAY):
        piano.wrote(Record(kind, note_on(0, 60, 80)))
        listening.append(piano.listening)
    assert listening == [False, True, True, False]


def test_another_model_is_named_so_that_it_is_found_from_any_folder() -> None:
    composer = FakeComposer()
    piano = part(composer)
    piano.order(together=False)
    piano.turn({"model": "mine.safetensors"})
    pieces = Pieces()
    joined = [order for record in composer.taken if (order := pieces.join(record))]
    assert joined == [{"model": str(Path.cwd() / "mine.safetensors")}]
