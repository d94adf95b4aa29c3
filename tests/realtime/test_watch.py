"""An input that comes back, as the player's watch sees it."""

from __future__ import annotations

from typing import cast

import pytest

from realtime.ports import Input
from realtime.watch import STARTS_WITHIN, Plug


class Keyboard:
    """A port that is plugged in and out, and whose program takes some looks to start."""

    def __init__(self) -> None:
        self.there = True
        self.starts_in = 0  # looks

    def present(self) -> bool:
        return self.there

    def away(self) -> bool:
        return not self.there

    def connect(self) -> bool:
        self.starts_in -= 1
        return True

    def connected(self) -> bool:
        return self.starts_in < 0


def plugged(keyboard: Keyboard) -> Plug:
    return Plug(cast(Input, keyboard))


def test_to_come_and_to_go_are_each_told_once() -> None:
    keyboard = Keyboard()
    plug = plugged(keyboard)
    told = []
    for keyboard.there in (True, False, False, True, True):
        told.append((plug.changes(), plug.plugged_in))
    assert told == [(False, True), (True, False), (False, False), (True, True), (False, True)]


def test_to_be_away_between_two_looks_is_to_go_and_to_come_back() -> None:
    keyboard = Keyboard()
    plug = plugged(keyboard)
    keyboard.there = False
    plug.glance()
    keyboard.there = True
    plug.glance()
    assert plug.changes()
    assert not plug.plugged_in
    assert plug.changes()
    assert plug.plugged_in


@pytest.mark.parametrize(
    ("starts_in", "changes"),
    [(2, [False, False, True]), (1000, [False] * (STARTS_WITHIN - 1) + [True, False])],
)
def test_what_is_there_but_cannot_be_connected_is_tried_again_and_then_left_as_it_is(
    starts_in: int, changes: list[bool]
) -> None:
    keyboard = Keyboard()
    plug = plugged(keyboard)
    keyboard.there = False
    assert plug.changes()
    keyboard.there, keyboard.starts_in = True, starts_in
    assert [plug.changes() for _ in changes] == changes
    assert plug.plugged_in
