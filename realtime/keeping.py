"""What keeps a piece together for longer than a network remembers: its key, and its place.

A network of this size wanders off to other keys, and to the ends of the keyboard. So it is told
what the piece has struck so far: classes of pitches that came often come a little sooner, and a
piece that lies too high or too low is drawn back to the middle.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.codec import Codec
from realtime.settings import Settings

MIDDLE = 63  # the mean pitch of the music that the model comes of
KEY_STRENGTH = 0.15  # a class that came e times as often comes e**0.15 times as often as it would
FEW_NOTES = 10  # of each class, as if it had come so often before the first note
PITCH_NOTES = 100  # the mean pitch is that of about so many
# Semitones: where a piece lies so far from the middle, a note on the other side of it, and as far,
# comes e times sooner than one in the middle.
PITCH_WIDTH = 30

_PITCHES = np.arange(128.0)
_CLASSES = np.arange(128) % 12


class Keeping(NamedTuple):
    """All that a piece has struck, in short; whoever struck it. Begins with nothing."""

    classes: tuple[int, ...] = (0,) * 12  # how often each was struck, from C
    pitch: float = MIDDLE  # the mean, of late

    def and_struck(self, pitch: int) -> Keeping:
        """With one note more.

        >>> Keeping().and_struck(73).pitch
        63.1
        """
        classes, struck = self.classes, pitch % 12
        return Keeping(
            (*classes[:struck], classes[struck] + 1, *classes[struck + 1 :]),
            self.pitch + (pitch - self.pitch) / PITCH_NOTES,
        )

    def bias(self, codec: Codec, settings: Settings) -> NDArray[np.float64]:
        """float64 [notes]: of two notes, the one with more is to be struck sooner.

        What the musician asks for counts: where it is a key, and as firmly as it is, not the one
        that there was; and the middle is that of the register.
        """
        of = slice(codec.lowest_pitch, codec.lowest_pitch + codec.notes)
        strength = KEY_STRENGTH
        if settings.key != "off":
            strength *= 1 - settings.key_strength
        middle = settings.register_center or MIDDLE
        middle = min(max(middle, settings.register_low), settings.register_high)
        of_key = strength * np.log(np.add(self.classes, FEW_NOTES))
        return of_key[_CLASSES[of]] + (middle - self.pitch) / PITCH_WIDTH**2 * _PITCHES[of]


NOTHING = Keeping()
