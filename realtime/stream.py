"""The one stream that the model hears: its own events and the human's, in the order they sound.

The machine writes ahead of time, and what it wrote is undone when the human gets in first. So the
stream keeps the moments to come back to: after each event that may still be undone.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from core.codec import Codec, Token
from core.events import Event
from realtime.engine import Engine, Snapshot
from realtime.pacing import Pacing


class Moment(NamedTuple):
    """The stream right after one of its events."""

    at_ns: int
    state: Snapshot
    struck_ns: dict[int, int]  # of each sounding note, in the order in which they were struck
    age: int  # events since the piece began


class Stream:
    """Keeps the engine where the stream is.

    Args:
        engine: as it stands; what it has heard so far went before, and nothing of it sounds.
        codec: of the engine's checkpoint.
        pacing: between the model's time and ours.
        start_ns: the first delta counts from here.
    """

    def __init__(self, engine: Engine, codec: Codec, pacing: Pacing, start_ns: int) -> None:
        self._engine = engine
        self._codec = codec
        self._pacing = pacing
        # After the last event that cannot be undone, and after each one since.
        self._moments = deque([Moment(start_ns, engine.snapshot(), {}, 0)])

    @property
    def last(self) -> Moment:
        return self._moments[-1]

    @property
    def fixed_ns(self) -> int:
        """The last event that cannot be undone."""
        return self._moments[0].at_ns

    def token(self, at_ns: int, note: int, velocity: int) -> Token:
        """An event at a time that is not the model's choice."""
        delta_s = self._pacing.seconds(self.last.at_ns, at_ns)
        return self._codec.encode(Event(delta_s, note + self._codec.lowest_pitch, velocity))

    def hear(self, at_ns: int, token: Token, *, begins: bool = False) -> None:
        """One event more, which may be undone; `begins`: it is the first of a piece."""
        self._engine.step(token)
        struck_ns = self.last.struck_ns.copy()
        if token.velocity:
            struck_ns[token.note] = at_ns
        else:
            del struck_ns[token.note]
        age = 1 if begins else self.last.age + 1
        self._moments.append(Moment(at_ns, self._engine.snapshot(), struck_ns, age))

    def happens(self, at_ns: int, note: int, velocity: int) -> int:
        """Somebody else does this: now, or at the last event if that was heard of too late.

        It cannot be undone, nor what was before. Returns when.
        """
        at_ns = max(at_ns, self.last.at_ns)
        self.hear(at_ns, self.token(at_ns, note, velocity))
        self._moments = deque([self.last])
        return at_ns

    def sounded(self, until_ns: int) -> None:
        """What was due by then cannot be undone any more."""
        while len(self._moments) > 1 and self._moments[1].at_ns <= until_ns:
            self._moments.popleft()

    def undo(self, after_ns: int) -> bool:
        """What was written for later has never been, if it can be undone; whether there was any."""
        count = len(self._moments)
        while len(self._moments) > 1 and self.last.at_ns > after_ns:
            self._moments.pop()
        self._engine.restore(self.last.state)
        return count > len(self._moments)
