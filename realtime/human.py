"""What the human holds and how much they play, from the messages of their keyboard."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from core.codec import Codec
from realtime.clock import NS_PER_S
from realtime.wire import ALL_NOTES_OFF, ALL_SOUND_OFF, SUSTAIN_PEDAL, is_note, is_onset

STUCK_NS = 60 * NS_PER_S  # a key held for so long without another is not held by a human
LATELY_NS = 4 * NS_PER_S  # how far back one looks to see how much they play


class Act(NamedTuple):
    """A note (not a pitch) is struck, or with velocity 0 released."""

    note: int
    velocity: int


class Human:
    """A note sounds as long as its key or the pedal holds it; struck again it is released first.

    Args:
        codec: notes that it does not hold are not heard.
    """

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self.held: set[int] = set()  # notes that they let sound
        self._keys: set[int] = set()
        self._pedal = False
        self._acted_ns = 0
        self._strikes_ns: deque[int] = deque(maxlen=256)

    def does(self, at_ns: int, message: bytes) -> list[Act]:
        """What comes of a message, in order."""
        if is_note(message) and self._codec.holds(message[1]):
            note = message[1] - self._codec.lowest_pitch
            if is_onset(message):
                return self._strikes(at_ns, note, message[2])
            self._keys.discard(note)
        elif message[0] & 0xF0 == 0xB0 and message[1] == SUSTAIN_PEDAL:
            self._pedal = message[2] >= 64
        elif message[0] & 0xF0 == 0xB0 and message[1] in (ALL_SOUND_OFF, ALL_NOTES_OFF):
            return self.leaves(at_ns)
        return self._releases(at_ns)

    def leaves(self, at_ns: int) -> list[Act]:
        """The keyboard is gone: nobody is left to release its keys."""
        self._keys.clear()
        self._pedal = False
        return self._releases(at_ns)

    @property
    def acted_ns(self) -> int:
        """When they last struck or released a note."""
        return self._acted_ns

    @property
    def stuck_ns(self) -> int | None:
        """When what is held counts as stuck."""
        return self._acted_ns + STUCK_NS if self.held else None

    def density(self, now_ns: int) -> float:
        """Notes a second, of late."""
        strikes = sum(now_ns - at_ns <= LATELY_NS for at_ns in self._strikes_ns)
        return strikes / (LATELY_NS / NS_PER_S)

    def _strikes(self, at_ns: int, note: int, velocity: int) -> list[Act]:
        acts = [Act(note, 0)] if note in self.held else []  # under the pedal, or without a release
        self._keys.add(note)
        self.held.add(note)
        self._acted_ns = at_ns
        self._strikes_ns.append(at_ns)
        return [*acts, Act(note, velocity)]

    def _releases(self, at_ns: int) -> list[Act]:
        released = set() if self._pedal else self.held - self._keys
        if released:
            self._acted_ns = at_ns
        self.held -= released
        return [Act(note, 0) for note in sorted(released)]
