"""Between the processes no queue grows: who says too much waits, what finds no room is dropped."""

from __future__ import annotations

import threading
from typing import Any, cast

from realtime.child import ROOM, Arrival, Arrivals, Child
from realtime.daemon import Daemon, Orders
from realtime.wire import Kind, Record, note_off, note_on


def test_who_says_too_much_waits_until_it_is_heard_and_the_musician_never_does() -> None:
    arrivals = Arrivals()
    child = cast(Child, object())
    said: list[int] = []

    def talk() -> None:
        for number in range(ROOM + 1):
            arrivals.put(Arrival(child, Record(Kind.SENT, at_ns=number)))
            said.append(number)

    talker = threading.Thread(target=talk, daemon=True)
    talker.start()
    talker.join(0.5)
    assert len(said) <= ROOM
    arrivals.stop()
    heard = [arrivals.get(10) for _ in range(ROOM + 2)]
    talker.join()
    assert [a.record.at_ns for a in heard if a.record] == list(range(ROOM + 1))
    assert [a for a in heard if a.child is None] == [Arrival(None)]


class SlowComposer:
    """Has room in its pipe, or not."""

    room = False

    def __init__(self) -> None:
        self.taken: list[Record] = []

    def send(self, record: Record) -> bool:
        if self.room:
            self.taken.append(record)
        return self.room


def test_a_composer_that_missed_something_is_told_first_that_all_keys_are_released() -> None:
    daemon = Daemon(Orders(player={}, composer={}), 0)
    composer = SlowComposer()
    daemon._composer = cast(Any, composer)
    heard = [Record(Kind.HEARD, m, at_ns=1) for m in (note_on(0, 60, 80), note_off(0, 60))]
    for record in heard:
        daemon._heard(record)
    assert composer.taken == []
    assert daemon.report.unheard == 1
    composer.room = True
    daemon._heard(heard[0])
    daemon._heard(heard[1])
    assert composer.taken == [Record(Kind.DEAF), *heard]
    assert daemon.report.unheard == 1
