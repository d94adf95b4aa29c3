"""What is sounding, per channel and pitch, and which messages end it. Knows no port, no clock."""

from __future__ import annotations

from realtime.wire import (
    ALL_NOTES_OFF,
    SUSTAIN_PEDAL,
    control_change,
    is_onset,
    is_release,
    note_of,
    note_off,
)


class Ledger:
    """Written before an onset leaves and after its release has left.

    Whatever happens in between, a note that may have been struck is in the book: to release a
    note twice does no harm, to forget one does.
    """

    def __init__(self) -> None:
        self._sounding: dict[tuple[int, int], int] = {}  # struck at, in that order
        self._pedals: set[int] = set()  # channels whose pedal is down
        self._pedalled: dict[int, int] = {}  # of what only a pedal holds, the first strike
        self._channels: set[int] = set()

    @property
    def sounding(self) -> tuple[tuple[int, int], ...]:
        """(channel 0..15, pitch) of each note, in the order in which they were struck."""
        return tuple(self._sounding)

    def sounds(self, message: bytes) -> bool:
        """Whether the note that a note message strikes or releases is sounding."""
        return note_of(message) in self._sounding

    def leaving(self, message: bytes, now_ns: int = 0) -> None:
        """Call before sending any message; `now_ns` is for `overlong`, and `releases`."""
        channel = message[0] & 0x0F
        if message[0] < 0xF0:
            self._channels.add(channel)
        if is_onset(message):
            self._sounding[note_of(message)] = now_ns
        elif _pedal(message) is True:
            self._pedals.add(channel)

    def left(self, message: bytes, at_ns: int | None = None) -> None:
        """Call after sending any message. A release ends no note struck at `at_ns` or later."""
        channel = message[0] & 0x0F
        if is_release(message):
            if at_ns is not None and self._sounding.get(note_of(message), 0) >= at_ns:
                return
            struck_ns = self._sounding.pop(note_of(message), None)
            if struck_ns is not None and channel in self._pedals:
                self._pedalled[channel] = min(struck_ns, self._pedalled.get(channel, struck_ns))
        elif _pedal(message) is False:
            self._pedals.discard(channel)
            self._pedalled.pop(channel, None)

    @property
    def oldest_ns(self) -> int | None:
        """When the note that has sounded longest, by key or pedal, was struck."""
        return min((*self._sounding.values(), *self._pedalled.values()), default=None)

    def overlong(self, since_ns: int) -> list[bytes]:
        """What ends the notes that have sounded since `since_ns` or longer, by key or pedal."""
        notes = [note for note, struck_ns in self._sounding.items() if struck_ns <= since_ns]
        pedals = {channel for channel, _ in notes if channel in self._pedals}
        pedals |= {channel for channel, ns in self._pedalled.items() if ns <= since_ns}
        return [
            *(note_off(channel, pitch) for channel, pitch in notes),
            *(control_change(channel, SUSTAIN_PEDAL, 0) for channel in sorted(pedals)),
        ]

    def releases(self, channel: int | None = None, after_ns: int = -1) -> list[bytes]:
        """A release for each sounding note, struck after then, on this channel or on all."""
        return [
            note_off(on, pitch)
            for (on, pitch), struck_ns in self._sounding.items()
            if channel in (None, on) and struck_ns > after_ns
        ]

    def endings(self) -> list[bytes]:
        """All that ends all: releases, then pedal up and all notes off on the channels used.

        All-notes-off comes last and only besides: some instruments ignore it.
        """
        return [
            *self.releases(),
            *(control_change(channel, SUSTAIN_PEDAL, 0) for channel in sorted(self._channels)),
            *(control_change(channel, ALL_NOTES_OFF, 0) for channel in sorted(self._channels)),
        ]


def _pedal(message: bytes) -> bool | None:
    """True when it presses the sustain pedal, False when it lifts it."""
    is_pedal = message[0] & 0xF0 == 0xB0 and message[1] == SUSTAIN_PEDAL
    return message[2] >= 64 if is_pedal else None
