"""The way out: the player process, and what another one has to know to take its place.

It keeps a copy of the player's ledger: what may sound is known even when the player is gone.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import Any

from core.errors import ComposerError
from realtime.child import Arrivals, Child, Spare
from realtime.clock import NS_PER_S
from realtime.ledger import Ledger
from realtime.pulse import Deaths
from realtime.song import Tick
from realtime.wire import Kind, Record, is_release, note_on

# A port may be gone for so long until the player sees it; and what it has sent right before it dies
# or hangs may never have left its process.
UNSEEN_NS = 3 * NS_PER_S


class Outlet:
    """Begins when its player does.

    Args:
        orders: where to play, see realtime.player.
        player: a process without orders.
        inbox: takes what it, and those that follow it, have to say.
    """

    def __init__(self, orders: dict[str, Any], player: Child, inbox: Arrivals) -> None:
        self._orders = orders
        self._inbox = inbox
        self._spare = Spare("realtime.player")
        self._sounding = Ledger()  # as the player tells
        self._possible = Ledger()  # with what it was told to play and has not told of yet
        self._released: deque[tuple[int, bytes]] = deque()  # when, in the last UNSEEN_NS
        self.player = player
        self.greeting: dict[str, Any] = {}  # the player's: what was opened
        self.lost = False  # the output port: the player waits for it
        self.deaths = Deaths()

    def begin(self) -> None:
        """Wait until the player is ready.

        Raises:
            ComposerError: it cannot play, in its own words.
        """
        self.greeting = self.player.begin(self._orders, self._inbox)

    def stock(self) -> None:
        """Have another player up, for the day on which this one dies."""
        self._spare.stock()

    def tell(self, record: Record) -> None:
        """To the player, unless it waits for its port: what is written meanwhile is not heard."""
        if self.lost:
            return
        if record.kind is Kind.PLAY:
            self._possible.leaving(record.message, record.due_ns)
        self.player.tell(record)

    def sent(self, record: Record) -> None:
        """A message has left."""
        self._sounding.leaving(record.message)
        self._sounding.left(record.message)
        # The next strike of a key may have left before it is told of: a release is not of that.
        self._possible.left(record.message, record.due_ns or record.at_ns)
        if is_release(record.message):
            self._released.append((record.at_ns, record.message))
        while self._released and self._released[0][0] < record.at_ns - UNSEEN_NS:
            self._released.popleft()

    def pitches(self, channel: int) -> list[int]:
        """That sound there."""
        return [pitch for on, pitch in self._sounding.sounding if on == channel]

    def lose(self, tick: Tick | None) -> None:
        """The port is gone, or the player cannot get up: another one waits until it is back.

        Args:
            tick: where the song is.
        """
        self.lost = True
        # It has no more to say, and to close a port whose server has died may take it a second.
        self.player.process.kill()
        self.player.close()
        self._await_port(tick)

    def found(self, greeting: dict[str, Any]) -> None:
        """The port is back, and the player has released what sounded."""
        self.lost = False
        self.greeting |= greeting

    def succeed(self, tick: Tick | None) -> None:
        """Another player takes the place of one that died, and releases first what that one left.

        Raises:
            ComposerError: it cannot get up.
        """
        self.player.close()
        if self.lost:
            self._await_port(tick)
        else:
            self.player = self._spare.take()
            self.player.begin(self._heritage(tick), self._inbox)

    def stop(self) -> None:
        """The player releases all, tells of that, and goes."""
        self.player.tell(Record(Kind.STOP))

    def close(self) -> None:
        """End it; if it died instead, another one, on the same port, releases what may sound."""
        self.player.close()
        if self.player.process.returncode != 0 and self._possible.sounding:
            successor = self._spare.take()
            with suppress(ComposerError):
                successor.begin(self._heritage(None), self._inbox)
            successor.close()
        self._spare.close()

    def _await_port(self, tick: Tick | None) -> None:
        greeting = self.greeting
        orders = {
            "port": greeting["port"],
            "existing": not greeting["virtual"],
            "wait": True,
            "rehearse": False,
        }
        self.player = self._spare.take()
        self.player.begin_later(self._heritage(tick) | orders, self._inbox)

    def _heritage(self, tick: Tick | None) -> dict[str, Any]:
        for _, message in self._released:  # which may have gone nowhere
            self._possible.leaving(note_on(message[0] & 0x0F, message[1], 1))
        # An input that is not there just now is not to become a virtual one.
        found = {
            name: self.greeting[name]
            for name in ("input", "clock_input")
            if self.greeting.get(name) and not self.greeting[f"{name}_virtual"]
        }
        inherited = {"sounding": self._possible.sounding, "song": tick}
        return self._orders | found | {"existing_inputs": [*found]} | inherited
