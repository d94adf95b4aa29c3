"""Between the processes no queue grows: who says too much waits, what finds no room is dropped."""

from __future__ import annotations

import threading
from typing import cast

from realtime.child import ROOM, Arrival, Arrivals, Child
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
