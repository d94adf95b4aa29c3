"""Between the processes no queue grows: who says too much waits, what finds no room is dropped."""

from __future__ import annotations

import threading
from typing import cast

from realtime.child import ROOM, Arrival, Arrivals, Child, Spare
from realtime.wire import Kind, Record


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


def test_a_spare_waits_for_its_orders_and_one_that_died_is_not_handed_out() -> None:
    spare = Spare("realtime.player")
    spare.stock()
    spare.stock()
    waiting = spare.take()
    another = spare.take()
    spare._child = waiting
    assert spare.take() is waiting
    waiting.process.kill()
    waiting.process.communicate()
    spare._child = waiting
    third = spare.take()
    inbox = Arrivals()
    for child in (another, third):
        assert child.begin({"port": None}, inbox)["port"] == "rehearsal"
        child.close()
        assert inbox.get(10) == Arrival(child)
