"""How a piece is made: a first part, the same once more, and what comes of it.

A network of this size remembers some hundred events and never comes back to what it said minutes
ago; real pieces do, and half of what makes music hang together is that. So the first part is
played twice: the network hears it again as it hears everything, and goes on from there.
"""

from __future__ import annotations

import numpy as np

from core.codec import Token

PART_EVENTS = 300, 900  # the first part has so many, at least and at most
PIECE_EVENTS = 3000  # about as long as a song of the corpus; then it looks for an end
CALM, CROWD = 3, 20  # notes that sound at a good moment to end; and when the way is lost


class Form:
    """Where a piece stands. The performer asks it after every event."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self.begin()

    def begin(self) -> None:
        """Another piece."""
        self._part: list[Token] = []
        self._keeping = True  # until the first part is over
        self._part_events = int(self._rng.integers(*PART_EVENTS))
        self._again: list[Token] = []  # what is still to be played once more, the last one first

    def leave(self) -> None:
        """Somebody else takes over: nothing is played again in this piece."""
        self._keeping = False
        self._again = []

    def keep(self, token: Token) -> None:
        """The network chose it."""
        if self._keeping:
            self._part.append(token)

    def repeat(self) -> Token | None:
        """What comes now if it is a repetition."""
        return self._again.pop() if self._again else None

    def part_ends(self, sounding: int) -> bool:
        """Whether the first part is whole: what sounds is released, then comes `play_again`."""
        return self._keeping and len(self._part) >= self._part_events and sounding <= CALM

    def play_again(self) -> Token:
        """The first event of the repetition; `repeat` gives the others."""
        self._again = self._part[::-1]
        self._keeping = False
        return self._again.pop()

    @property
    def repeating(self) -> bool:
        return bool(self._again)

    def piece_ends(self, events: int, sounding: int) -> bool:
        """Whether a piece of so many events, with so many notes sounding, is to end here."""
        if sounding > CROWD:
            return True
        return not self._again and events > PIECE_EVENTS and sounding <= CALM
