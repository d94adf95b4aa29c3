"""What is sounding, per channel and pitch, and which messages end it. Knows no port and no time."""

from __future__ import annotations

from realtime.wire import control_change, is_onset, is_release, note_off

SUSTAIN_PEDAL = 64
ALL_NOTES_OFF = 123


class Ledger:
    """Written before an onset leaves and after its release has left.

    Whatever happens in between, a note that may have been struck is in the book: to release a
    note twice does no harm, to forget one does.
    """

    def __init__(self) -> None:
        self._sounding: dict[tuple[int, int], None] = {}  # a set that keeps its order
        self._channels: set[int] = set()

    @property
    def sounding(self) -> tuple[tuple[int, int], ...]:
        """(channel 0..15, pitch) of each note, in the order in which they were struck."""
        return tuple(self._sounding)

    def sounds(self, message: bytes) -> bool:
        """Whether the note that a note message strikes or releases is sounding."""
        return _note(message) in self._sounding

    def leaving(self, message: bytes) -> None:
        """Call before sending any message."""
        self._channels.add(message[0] & 0x0F)
        if is_onset(message):
            self._sounding[_note(message)] = None

    def left(self, message: bytes) -> None:
        """Call after sending any message."""
        if is_release(message):
            self._sounding.pop(_note(message), None)

    def releases(self) -> list[bytes]:
        """A release for every sounding note."""
        return [note_off(channel, pitch) for channel, pitch in self._sounding]

    def endings(self) -> list[bytes]:
        """All that ends all: releases, then pedal up and all notes off on the channels used.

        All-notes-off comes last and only besides: some instruments ignore it.
        """
        return [
            *self.releases(),
            *(control_change(channel, SUSTAIN_PEDAL, 0) for channel in sorted(self._channels)),
            *(control_change(channel, ALL_NOTES_OFF, 0) for channel in sorted(self._channels)),
        ]


def _note(message: bytes) -> tuple[int, int]:
    return message[0] & 0x0F, message[1]
