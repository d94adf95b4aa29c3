"""A performer follows a song: plays while it is on, in its tempo."""

from __future__ import annotations

from collections.abc import Iterator

from realtime.performer import Performer
from realtime.tempo import Tempo
from realtime.wire import Record

_WHY = "song"  # the performer pauses


class Follower:
    """Told of each CLOCK record. Until Start or Continue, and a tempo, nobody plays."""

    def __init__(self, performer: Performer) -> None:
        self._performer = performer
        self._tempo = Tempo()
        self._on = False

    def begin(self, now_ns: int) -> Iterator[Record]:
        """Wait for the song: what the performer has to say about it."""
        yield from self._performer.pause(now_ns, _WHY)

    def heard(self, record: Record, now_ns: int) -> Iterator[Record]:
        """The song goes on: as `begin`."""
        self._tempo.heard(record.message, record.at_ns, record.epoch)
        if self._tempo.line:
            self._performer.pacing.line = self._tempo.line
        is_on = self._tempo.rolling and self._tempo.line is not None
        was_on, self._on = self._on, is_on
        if was_on and not is_on:
            yield from self._performer.pause(now_ns, _WHY)
        elif is_on and not was_on:
            self._performer.resume(_WHY)
