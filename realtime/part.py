"""A voice: its composer process, and what another one has to know to take its place."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from realtime.child import Arrivals, Child
from realtime.wire import Kind, Record, is_onset

PAST_EVENTS = 512  # what a composer that is started again hears of the music so far


class Part:
    """Begins when its composer does.

    Args:
        orders: see realtime.composer.
        composer: a process without orders.
    """

    def __init__(self, orders: dict[str, Any], composer: Child) -> None:
        self._orders = orders
        self.composer = composer
        self.epoch = 0  # the composer's latest
        self.listening = False  # the composer, to the human: it is silent for a reason
        self._missed = False  # the composer, something that the human did
        self._past: deque[tuple[int, bytes]] = deque(maxlen=PAST_EVENTS)  # what sounded, and when

    def begin(self, inbox: Arrivals) -> dict[str, Any]:
        """The composer gets its orders, and plays. Returns its greeting.

        Raises:
            ComposerError: it cannot, in its own words.
        """
        return self.composer.begin(self._orders, inbox)

    def succeed(self, composer: Child, inbox: Arrivals) -> None:
        """Another composer goes on from what sounded, in an epoch of its own.

        Raises:
            ComposerError: it cannot, in its own words.
        """
        self.epoch += 1
        past = [(at_ns, message.hex()) for at_ns, message in self._past]
        self.composer = composer
        composer.begin(self._orders | {"epoch": self.epoch, "past": past}, inbox)

    def wrote(self, record: Record) -> None:
        """The composer says so."""
        if record.kind is Kind.PLAY:
            self.listening = False
        elif record.kind is Kind.HUSH:
            self.listening = True
            self.epoch = record.epoch

    def sounded(self, record: Record) -> None:
        """A message has left: a successor hears it."""
        self._past.append((record.at_ns, record.message))

    def heard(self, record: Record) -> bool:
        """The human did this; True when it was an onset that the composer cannot hear.

        A composer that is slower than the human misses some; then all keys count as released.
        """
        self._past.append((record.at_ns, record.message))
        self.forgive()
        if self._missed or not self.composer.send(record):
            self._missed = True
        return self._missed and is_onset(record.message)

    def forgive(self) -> None:
        """A composer that missed something hears again, as soon as it has room."""
        if self._missed:
            self._missed = not self.composer.send(Record(Kind.DEAF))

    def since(self, at_ns: int) -> Iterator[bytes]:
        """What sounded then or later."""
        return (message for sounded_ns, message in self._past if sounded_ns >= at_ns)
