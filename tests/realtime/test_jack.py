"""A sound server that stands still is noticed; a player that did is not mistaken for one."""

from __future__ import annotations

import ctypes
from types import SimpleNamespace

import pytest

from realtime.clock import NS_PER_MS
from realtime.jack import STANDS_AFTER_NS, Server, Standstill


def test_a_server_whose_time_does_not_move_stands_still() -> None:
    watch = Standstill()
    seen = [watch.lasts(ms * NS_PER_MS, min(ms, 1000) * 48) for ms in range(0, 2000, 100)]
    assert seen.index(True) * 100 * NS_PER_MS == 1000 * NS_PER_MS + STANDS_AFTER_NS
    assert not watch.lasts(2000 * NS_PER_MS, 1001 * 48)


def test_who_has_not_looked_for_long_finds_a_server_that_has_gone_on() -> None:
    watch = Standstill()
    watch.lasts(0, 0)
    assert not watch.lasts(10_000 * NS_PER_MS, 48)


def test_a_server_that_tells_no_time_is_not_said_to_stand_still() -> None:
    watch = Standstill()
    assert not any(watch.lasts(ms * NS_PER_MS, 7) for ms in range(0, 5000, 100))


def test_a_server_that_turns_us_down_once_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [None, 1]
    library = SimpleNamespace(
        jack_client_open=lambda *_: answers.pop(0),
        jack_last_frame_time=lambda client: 48 * client,
        jack_port_by_name=lambda *_: None,
        jack_port_get_all_connections=lambda *_: None,
        jack_free=lambda *_: None,
    )
    monkeypatch.setattr(ctypes, "CDLL", lambda _: library)
    assert Server("libjack", "composer").frames() == 48
