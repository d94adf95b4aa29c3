"""All parts as one: they begin together, hear each other, and end together."""

from __future__ import annotations

from collections.abc import Sequence

from core.errors import SettingsError
from realtime.child import Arrivals, Child, Spare
from realtime.clock import NS_PER_S
from realtime.modes import in_vain
from realtime.part import Part, PartOrders
from realtime.song import Song
from realtime.wire import Kind, Record

BEGIN_IN_NS = NS_PER_S // 10  # for parts that begin together: the last has heard of it by then
COMPOSER = "realtime.composer"


class Band:
    """Its composers get up at once, and wait for `begin`.

    Args:
        orders: of each part.
        inbox: takes what the composers, and those that follow them, have to say.
    """

    def __init__(self, orders: Sequence[PartOrders], inbox: Arrivals) -> None:
        self._inbox = inbox
        self._spare = Spare(COMPOSER)
        # Those that play. Another thread may be going through them: never changed, but replaced.
        self.parts = [Part(each, Child(COMPOSER)) for each in orders]
        self._together = len(self.parts) > 1

    def begin(self) -> None:
        """Wait until all are ready. A lone composer plays at once; several wait for `strike_up`.

        Raises:
            ComposerError: one of them cannot play, in its own words.
        """
        for part in self.parts:
            part.order(together=self._together)
        for part in self.parts:
            part.begin(self._inbox)

    def strike_up(self, now_ns: int) -> None:
        """Those that wait for each other begin."""
        if self._together:
            self.tell(Record(Kind.RESUME, at_ns=now_ns + BEGIN_IN_NS))

    def stock(self) -> None:
        """Have another composer up, for the day on which one dies."""
        self._spare.stock()

    def whose(self, composer: Child | None) -> Part | None:
        """The part that it composes; None if it does not, or has been replaced."""
        return next((part for part in self.parts if part.composer is composer), None)

    def called(self, name: str | None) -> list[Part]:
        """The part of this name; with None, all.

        Raises:
            SettingsError: there is no such part.
        """
        parts = [part for part in self.parts if name in (None, part.name)]
        if not parts:
            names = ", ".join(part.name for part in self.parts)
            raise SettingsError(f"there is no part {name!a}; there is {names}")
        return parts

    def in_vain(self) -> list[str]:
        """The names of those that never play where there is no keyboard: they answer nobody."""
        modes = {part.name: part.settings.mode for part in self.parts}
        hears = {p.name: {o.name for o in self.parts if p.hears(o)} for p in self.parts}
        return in_vain(modes, hears)

    def tell(self, record: Record) -> None:
        """To all composers."""
        for part in self.parts:
            part.composer.tell(record)

    def heard(self, record: Record) -> bool:
        """The human played this; True when it was an onset that one of them cannot hear."""
        # All of them hear it; an onset counts once.
        return max(part.heard(record) for part in self.parts)

    def sounded(self, record: Record) -> Part | None:
        """A message has left: those who hear its part hear it. The part; None: the human's."""
        channel = record.message[0] & 0x0F
        sender = next((part for part in self.parts if part.channel == channel), None)
        for part in self.parts:
            if part is sender:
                part.sounded(record)
            elif sender and part.hears(sender):
                part.overheard(record)
        return sender

    def forgive(self) -> None:
        """A composer that missed something hears again, as soon as it has room."""
        for part in self.parts:
            part.forgive()

    def succeed(self, part: Part, song: Song) -> None:
        """Another composer takes the place of one that died, and goes on from what sounded."""
        part.succeed(self._spare.take(), self._inbox, song.bpm)
        for told in song.so_far():
            part.composer.tell(told)

    def leave(self, part: Part) -> None:
        """It plays no more; the others play on."""
        self.parts = [other for other in self.parts if other is not part]

    def hang_up(self) -> None:
        """The composers see their pipes close, and go."""
        self._spare.hang_up()
        for part in self.parts:
            part.composer.hang_up()

    def close(self) -> None:
        """End them: they have a moment to go."""
        for part in self.parts:
            part.composer.close()
        self._spare.close()
