"""The one stream that the model hears: its own events and the human's, in the order they sound.

The machine writes ahead of time, and what it wrote is undone when the human gets in first. So the
stream keeps the moments to come back to: after each event that may still be undone.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import numpy as np

from core.codec import Codec, Token
from core.events import Event
from realtime import bias
from realtime.clock import NS_PER_S
from realtime.engine import Engine, Snapshot
from realtime.keeping import NOTHING, Keeping
from realtime.pacing import Pacing

PAST_EVENTS = 512  # what a model that takes over hears of the stream
_KEPT = 2 * PAST_EVENTS  # with those that are heard while it does


class Heard(NamedTuple):
    """One event of the stream, as the model heard it."""

    number: int  # from 0, in their order
    event: Event
    begins: bool  # a piece


class Moment(NamedTuple):
    """The stream right after one of its events."""

    at_ns: int
    state: Snapshot
    struck_ns: dict[int, int]  # of each sounding note, in the order in which they were struck
    age: int  # events since the piece began
    keeping: Keeping  # what the piece has struck
    ahead: float = 0.0  # notes of the machine beyond what was asked for


class Stream:
    """Keeps the engine where the stream is.

    Args:
        engine: as it stands; what it has heard so far went before, and nothing of it sounds.
        codec: of the engine's checkpoint.
        pacing: between the model's time and ours.
        start_ns: the first delta counts from here.
        keeping: what was struck before.
    """

    def __init__(
        self,
        engine: Engine,
        codec: Codec,
        pacing: Pacing,
        start_ns: int,
        keeping: Keeping = NOTHING,
    ) -> None:
        self._engine = engine
        self._codec = codec
        self._pacing = pacing
        # After the last event that cannot be undone, and after each one since.
        self._moments = deque([Moment(start_ns, engine.snapshot(), {}, 0, keeping)])
        self._heard: deque[Heard] = deque(maxlen=_KEPT)
        self._asked = 0.0
        self._last_asked = bias.OWN_DENSITY

    @property
    def codec(self) -> Codec:
        return self._codec

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

    def hear(self, at_ns: int, token: Token, *, begins: bool = False, humans: bool = False) -> None:
        """One event more, which may be undone; `begins`: it is the first of a piece."""
        self._engine.step(token)
        number = self._heard[-1].number + 1 if self._heard else 0
        self._heard.append(Heard(number, self._codec.decode(token), begins))
        ahead = self.last.ahead
        if not begins:
            delta_s = (at_ns - self.last.at_ns) / NS_PER_S
            ahead = bias.ahead(ahead, token.velocity > 0 and not humans, self._asked, delta_s)
        struck_ns = self.last.struck_ns.copy()
        keeping = NOTHING if begins else self.last.keeping
        if token.velocity:
            struck_ns[token.note] = at_ns
            keeping = keeping.and_struck(token.note + self._codec.lowest_pitch)
        else:
            del struck_ns[token.note]
        age = 1 if begins else self.last.age + 1
        state = self._engine.snapshot()
        self._moments.append(Moment(at_ns, state, struck_ns, age, keeping, ahead))

    def happens(self, at_ns: int, note: int, velocity: int) -> None:
        """Somebody else does this: now, or at the last event if that was heard of too late.

        It cannot be undone, nor what was before.
        """
        at_ns = max(at_ns, self.last.at_ns)
        self.hear(at_ns, self.token(at_ns, note, velocity), humans=True)
        self._moments = deque([self.last])

    def begin(self, at_ns: int) -> None:
        """The first delta counts from then, if there was none yet."""
        if not self._heard:
            self._moments[0] = self._moments[0]._replace(at_ns=at_ns)

    def sounded(self, until_ns: int) -> None:
        """What was due by then cannot be undone any more."""
        while len(self._moments) > 1 and self._moments[1].at_ns <= until_ns:
            self._moments.popleft()

    def undo(self, after_ns: int) -> bool:
        """What was written for later has never been, if it can be undone; whether there was any."""
        count = len(self._moments)
        while len(self._moments) > 1 and self.last.at_ns > after_ns:
            self._moments.pop()
            self._heard.pop()
        self._engine.restore(self.last.state)
        return count > len(self._moments)

    def ask(self, density: float) -> None:
        """So many notes a second the machine is to play from now on; 0: as many as it likes."""
        self._asked = density
        if density and density != self._last_asked:
            ahead = bias.asked_otherwise(self.last.ahead, self._last_asked, density)
            self._moments[-1] = self.last._replace(ahead=ahead)
            self._last_asked = density

    def nudge(self, rng: np.random.Generator) -> None:
        """What the model remembers is disturbed, as long as its last event stands."""
        self._engine.nudge(rng)
        self._moments[-1] = self.last._replace(state=self._engine.snapshot())

    def heard_since(self, number: int | None) -> list[Heard]:
        """Events that cannot be undone, from this one on; with None the last ones of the piece."""
        fixed = list(self._heard)[: len(self._heard) - len(self._moments) + 1]
        if number is not None:
            return [heard for heard in fixed if heard.number >= number]
        last = fixed[-PAST_EVENTS:]
        begins = [index for index, heard in enumerate(last) if heard.begins]
        return last[begins[-1] :] if begins else last

    def adopt(self, engine: Engine, codec: Codec) -> None:
        """Go on with another engine, which has heard all that cannot be undone.

        Args:
            engine: it hears the rest now.
            codec: of its checkpoint, with the pitches of the one before.
        """
        fixed, *written = self._moments
        self._moments = deque([fixed._replace(state=engine.snapshot())])
        for moment, heard in zip(written, list(self._heard)[-len(written) :], strict=False):
            if heard.begins:
                engine.reset()
            engine.step(codec.encode(heard.event))
            self._moments.append(moment._replace(state=engine.snapshot()))
        self._engine, self._codec = engine, codec
