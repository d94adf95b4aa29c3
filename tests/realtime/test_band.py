"""The parts as one: who hears whom."""

from __future__ import annotations

from typing import Any, cast

import pytest

from core.errors import SettingsError
from realtime.band import Band
from realtime.child import Arrivals
from realtime.part import Part, PartOrders
from realtime.wire import Kind, Record, note_on


class FakeComposer:
    """Has room in its pipe, or not."""

    def __init__(self) -> None:
        self.room = True
        self.taken: list[Record] = []

    def send(self, record: Record) -> bool:
        if self.room:
            self.taken.append(record)
        return self.room


HEARS = {"bass": (), "lead": ("bass",), "drums": ("bass", "lead")}


@pytest.fixture
def composers() -> dict[str, FakeComposer]:
    return {name: FakeComposer() for name in HEARS}


@pytest.fixture
def band(composers: dict[str, FakeComposer]) -> Band:
    """Each on a channel of its own, from 0."""
    band = Band([], Arrivals())
    for channel, (name, composer) in enumerate(composers.items()):
        composer_orders = {"channel": channel, "settings": {}}
        orders = PartOrders(composer=composer_orders, name=name, hears=frozenset(HEARS[name]))
        band.parts.append(Part(orders, cast(Any, composer)))
    return band


def test_what_a_part_plays_is_heard_by_those_that_hear_it(
    band: Band, composers: dict[str, FakeComposer]
) -> None:
    strikes = [note_on(channel, 60, 80) for channel in range(4)]
    senders = [band.sounded(Record(Kind.SENT, message)) for message in strikes]
    assert [sender and sender.name for sender in senders] == ["bass", "lead", "drums", None]
    heard = {name: [record.message for record in it.taken] for name, it in composers.items()}
    assert heard == {"bass": [], "lead": strikes[:1], "drums": strikes[:2]}
    assert [part.onsets for part in band.parts] == [1, 1, 1]


def test_the_human_is_heard_by_all_and_what_several_missed_counts_once(
    band: Band, composers: dict[str, FakeComposer]
) -> None:
    composers["bass"].room = composers["lead"].room = False
    assert band.heard(Record(Kind.HEARD, note_on(9, 60, 80))) == 1
    assert [len(it.taken) for it in composers.values()] == [0, 0, 1]


def test_a_part_is_found_by_its_name_until_it_has_left(band: Band) -> None:
    [lead] = band.called("lead")
    band.leave(lead)
    assert [part.name for part in band.called(None)] == ["bass", "drums"]
    with pytest.raises(SettingsError, match="there is no part 'lead'; there is bass, drums"):
        band.called("lead")
