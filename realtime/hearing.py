"""What comes from a keyboard, cut down to what matters, and to as much as anybody can play.

Runs in a thread of the MIDI system, beside the player's own: so it does little, gives up early,
and passes on so few messages that nobody behind it needs a queue without an end.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from realtime.allowance import Allowance
from realtime.wire import (
    ALL_NOTES_OFF,
    ALL_SOUND_OFF,
    CONTINUE,
    START,
    STOP,
    SUSTAIN_PEDAL,
    TICK,
    is_onset,
    is_release,
)

# Ten fingers that each strike 16 times a second send 320 messages.
PER_SECOND = 400
AT_ONCE = 256  # messages: two arms on the keys, and off them
TICKS_PER_SECOND = 250  # of a clock: 24 a beat, at 625 beats a minute
TICKS_AT_ONCE = 64
LONGEST = 1024  # bytes at once; more is a dump, not music


_PROGRAM = 0xC0
_REAL_TIME = 0xF8  # and above: one byte, even in the middle of a message
_SONG_POSITION = 0xF2
_CLOCK = frozenset(TICK + START + CONTINUE + STOP)


class Hearing:
    """Bytes in, in whatever pieces; messages out.

    Out go onsets and their releases, pedals going down and up, all-notes-off, and what turns a
    knob. An onset and a pedal pay for their end too: what was passed on is always ended, whatever
    comes between.

    Args:
        tell: is given (a message of 2 or 3 bytes, at_ns).
        tell_clock: the same with what a clock sends: ticks, Start, Continue, Stop, Song Position.
        controllers: that turn a knob; pedals and all-notes-off never do.
        programs: whether program changes are passed on.
    """

    def __init__(
        self,
        tell: Callable[[bytes, int], None],
        tell_clock: Callable[[bytes, int], None] | None = None,
        *,
        controllers: Collection[int] = (),
        programs: bool = False,
    ) -> None:
        self.dropped = 0  # onsets beyond what anybody can play
        self._tell = tell
        self._tell_clock = tell_clock
        self._controllers = frozenset(controllers)
        self._programs = programs
        self._status = 0  # that data bytes belong to; 0 where nobody asks for them
        self._data1 = -1  # waits for its second byte
        self._keys: set[tuple[int, int]] = set()  # (channel, pitch) that were passed on
        self._pedals: set[int] = set()  # channels
        self._allowance = Allowance(AT_ONCE, PER_SECOND)
        self._clock_allowance = Allowance(TICKS_AT_ONCE, TICKS_PER_SECOND)

    def heard(self, data: bytes, at_ns: int) -> None:
        """Any bytes, whole messages or not, running status and real-time bytes in between."""
        if len(data) > LONGEST:
            self._status = 0
            return
        for byte in data:
            if byte >= _REAL_TIME:
                if byte in _CLOCK:
                    self._clock(bytes((byte,)), at_ns)
                continue
            if byte >= 0x80:
                # Pressures and bends are not heard: nobody asks for their data.
                asked_for = byte < 0xA0 or byte & 0xF0 == 0xB0 or byte == _SONG_POSITION
                asked_for = asked_for or (self._programs and byte & 0xF0 == _PROGRAM)
                self._status = byte if asked_for else 0
                self._data1 = -1
            elif self._status & 0xF0 == _PROGRAM:
                self._turn(bytes((self._status, byte)), at_ns)
            elif self._status and self._data1 < 0:
                self._data1 = byte
            elif self._status:
                self._message(bytes((self._status, self._data1, byte)), at_ns)
                self._data1 = -1

    def forget(self) -> None:
        """The keyboard is gone: nobody is left to release its keys."""
        self._status = 0
        self._keys.clear()
        self._pedals.clear()

    def _message(self, message: bytes, at_ns: int) -> None:
        channel, number = message[0] & 0x0F, message[1]
        if message[0] == _SONG_POSITION:
            self._status = 0  # which does not run on
            self._clock(message, at_ns)
        elif is_onset(message):
            if self._allowance.pays(2, at_ns):
                self._keys.add((channel, number))
                self._tell(message, at_ns)
            else:
                self.dropped += 1
        elif is_release(message):
            if (channel, number) in self._keys:
                self._keys.remove((channel, number))
                self._tell(message, at_ns)
        elif number == SUSTAIN_PEDAL:
            self._pedal(message, channel, at_ns)
        elif number in self._controllers:
            self._turn(message, at_ns)
        elif number in (ALL_SOUND_OFF, ALL_NOTES_OFF) and (self._keys or self._pedals):
            self._keys.clear()
            self._pedals.clear()
            self._tell(message, at_ns)

    def _pedal(self, message: bytes, channel: int, at_ns: int) -> None:
        """Half-pedals send their way down and up: only its middle matters."""
        down = message[2] >= 64
        if down and channel not in self._pedals and self._allowance.pays(2, at_ns):
            self._pedals.add(channel)
            self._tell(message, at_ns)
        elif not down and channel in self._pedals:
            self._pedals.remove(channel)
            self._tell(message, at_ns)

    def _turn(self, message: bytes, at_ns: int) -> None:
        if self._allowance.pays(1, at_ns):
            self._tell(message, at_ns)

    def _clock(self, message: bytes, at_ns: int) -> None:
        if self._tell_clock and self._clock_allowance.pays(1, at_ns):
            self._tell_clock(message, at_ns)
