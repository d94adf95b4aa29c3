"""What a composer does, call by call: told the same calls again, it writes the same records.

So whoever writes the calls down has all that there is to say about a performance. Moments are
arguments; nothing here looks at a clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from realtime.follower import Follower
from realtime.obeying import Obeying
from realtime.performer import Performer
from realtime.wire import Kind, Record

LOADED_WITHIN_S = 60.0  # another model, when it is loaded once more


class Course:
    """A performer, the song that it follows, and the orders that it obeys.

    Args:
        plays: as it begins.
        model: the checkpoint that it plays from.
        sync: whether it plays only while a song is on.
        send: takes words for the daemon.
        tell: is given each call, as JSON, before or while it is done; see `again`.
    """

    def __init__(
        self,
        plays: Performer,
        model: Path,
        *,
        sync: bool,
        send: Callable[[Record], None],
        tell: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        self._plays = plays
        self._song = Follower(plays) if sync else None
        self._obeying = Obeying(plays, model, send)
        self._tell = tell or (lambda _: None)

    def wake_ns(self, now_ns: int) -> int:
        """Until when there is nothing to do, unless something comes."""
        idle_ns = now_ns + self._obeying.wait_ns
        return idle_ns if self._plays.wake_ns is None else min(idle_ns, self._plays.wake_ns)

    def begin(self, now_ns: int) -> Iterator[Record]:
        """The performance is on."""
        self._tell({"began": now_ns})
        if self._song:
            yield from self._song.begin(now_ns)

    def take_in(self, record: Record, now_ns: int) -> Iterator[Record]:
        """Something comes from the daemon. To be asked for all, at once."""
        kind, message, due_ns, at_ns, epoch = record
        self._tell({"took": [kind, message.hex(), due_ns, at_ns, epoch], "now": now_ns})
        if kind is Kind.HEARD:
            yield from self._plays.heard(at_ns, message, now_ns)
        elif kind is Kind.CLOCK and self._song:
            yield from self._song.heard(record, now_ns)
        elif kind is Kind.DEAF:
            yield from self._plays.human_gone(now_ns, now_ns)
        elif kind is Kind.PAUSE:
            yield from self._plays.pause(at_ns)
        elif kind is Kind.RESUME:
            self._plays.resume(from_ns=at_ns or None)
        elif kind is Kind.ORDER:
            self._obeying.ordered(record)

    def plan(self, now_ns: int, interrupted: Callable[[], bool]) -> Iterator[Record]:
        """Write ahead what is to be written by now; asked after each record, one may leave."""
        wake_ns = self._plays.wake_ns
        if wake_ns is None or wake_ns > now_ns:
            return
        self._tell({"plan": now_ns})
        for count, record in enumerate(self._plays.plan(now_ns), 1):
            yield record
            if interrupted():
                self._tell({"left": count})
                return

    def go_on(self) -> None:
        """Bring another model nearer, if one is on its way and has been loaded."""
        if self._obeying.can_go_on(0):
            self._tell({"go_on": True, "files": self._obeying.files})
            self._obeying.go_on()

    def again(self, calls: list[dict[str, Any]]) -> Iterator[Record]:
        """All records of calls that were told, in their order."""
        for call, following in zip(calls, [*calls[1:], {}], strict=True):
            if "began" in call:
                yield from self.begin(call["began"])
            elif "took" in call:
                kind, message, *times = call["took"]
                record = Record(Kind(kind), bytes.fromhex(message), *times)
                yield from self.take_in(record, call["now"])
            elif "plan" in call:
                yield from islice(self._plays.plan(call["plan"]), following.get("left"))
            elif "go_on" in call:
                self._obeying.can_go_on(LOADED_WITHIN_S)
                self._obeying.go_on()
