"""What the player that takes another one's place is told to release."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest

from realtime import outlet
from realtime.child import Arrivals, Child
from realtime.clock import NS_PER_MS, NS_PER_S
from realtime.outlet import UNSEEN_NS, Outlet
from realtime.wire import Kind, Record, note_off, note_on

Key = tuple[int, int]


class Player(Child):
    """Does nothing, and keeps its orders."""

    def __init__(self) -> None:
        self.orders: dict[str, Any] = {}
        self.process = Mock()

    def begin(self, orders: dict[str, Any], _inbox: Arrivals) -> dict[str, Any]:
        self.orders = orders
        return {"port": "listener", "virtual": False}

    def begin_later(self, orders: dict[str, Any], _inbox: Arrivals) -> None:
        self.orders = orders

    def tell(self, _record: Record) -> None:
        pass

    def close(self) -> None:
        pass


class Spare:
    def __init__(self, _module: str) -> None:
        pass

    def take(self) -> Player:
        return Player()


@pytest.fixture
def way_out(monkeypatch: pytest.MonkeyPatch) -> Outlet:
    monkeypatch.setattr(outlet, "Spare", Spare)
    return Outlet({}, Player(), Arrivals())


def sent(message: bytes, at_ns: int) -> Record:
    return Record(Kind.SENT, message, at_ns, at_ns)


def left_to_release(way_out: Outlet) -> set[Key]:
    way_out.succeed(None)
    assert isinstance(way_out.player, Player)
    return set(way_out.player.orders["sounding"])


def test_what_it_was_told_to_play_may_sound(way_out: Outlet) -> None:
    way_out.tell(Record(Kind.PLAY, note_on(0, 60, 80), NS_PER_MS))
    assert left_to_release(way_out) == {(0, 60)}


def test_what_was_released_just_before_may_sound_as_that_may_not_have_left_the_process(
    way_out: Outlet,
) -> None:
    way_out.sent(sent(note_on(0, 60, 80), 0))
    way_out.sent(sent(note_off(0, 60), 10 * NS_PER_MS))
    assert left_to_release(way_out) == {(0, 60)}


def test_what_was_released_long_before_its_last_word_sounds_no_more(way_out: Outlet) -> None:
    way_out.tell(Record(Kind.PLAY, note_on(0, 60, 80), 0))
    way_out.sent(sent(note_on(0, 60, 80), 0))
    way_out.sent(sent(note_off(0, 60), NS_PER_S))
    way_out.sent(sent(note_off(0, 61), NS_PER_S + UNSEEN_NS + 1))
    assert left_to_release(way_out) == {(0, 61)}


def test_who_has_lost_the_port_is_not_waited_for_as_closing_it_may_take_long(
    way_out: Outlet,
) -> None:
    way_out.begin()
    loser = way_out.player
    way_out.lose(None)
    assert isinstance(loser.process, Mock)
    loser.process.kill.assert_called_once()
    assert isinstance(way_out.player, Player)
    assert way_out.player.orders["wait"]
