"""What is played, as a MIDI file that grows meanwhile and can be read at every moment.

A process that is killed says nothing more, so what it has recorded must be in the file already;
and its memory must not grow with the length of an evening.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from core.errors import MidiFileError
from core.ticks import PPQN, TEMPO_US, tick

_HEADER = b"MThd" + b"".join(field.to_bytes(2, "big") for field in (0, 6, 0, 1, PPQN))
_TRACK_AT = len(_HEADER) + 8  # where the track's events begin, after its name and length
_TEMPO = b"\x00\xff\x51\x03" + TEMPO_US.to_bytes(3, "big")
_END_OF_TRACK = b"\x00\xff\x2f\x00"
_NOTHING = b"\x00\xff\x7f\x00"  # an event for sequencers, without anything in it
_LONGEST_DELTA = 0x0FFF_FFFF  # ticks: a day and a half


class Recording:
    """A type 0 file at 120 bpm. Messages are kept in memory until `save`.

    Args:
        path: replaced when it exists.

    Raises:
        MidiFileError: the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._unsaved = bytearray()
        self._start_ns: int | None = None
        self._last_tick = 0
        music = _TEMPO + _END_OF_TRACK
        self._end = _TRACK_AT + len(music)  # of the track, and of the file
        try:
            self._file = path.open("wb", buffering=0)
        except OSError as error:
            raise MidiFileError(f"cannot write {path}: {error.strerror}") from error
        try:
            self._write(0, _HEADER + b"MTrk" + len(music).to_bytes(4, "big") + music)
        except OSError as error:
            self._file.close()
            raise MidiFileError(f"cannot write {path}: {error.strerror}") from error

    def add(self, at_ns: int, message: bytes) -> None:
        """One MIDI channel message; the first one is at the start of the file.

        Order is kept: a time before the last one counts as the last one. Each time is rounded to
        its tick, so that no rounding adds up.
        """
        if self._start_ns is None:
            self._start_ns = at_ns
        at_tick = max(self._last_tick, tick(at_ns - self._start_ns))
        delta = at_tick - self._last_tick
        self._last_tick = at_tick
        while delta > _LONGEST_DELTA:
            self._unsaved += _variable_length(_LONGEST_DELTA) + _NOTHING[1:]
            delta -= _LONGEST_DELTA
        self._unsaved += _variable_length(delta) + message

    def save(self) -> None:
        """Bring the file up to date.

        Killed between any two writes, it leaves a file that can be read, as it was before or as
        it is after.

        Raises:
            MidiFileError: the disk is full, or gone. The file stays as it was, and is closed.
        """
        if not self._unsaved:
            return
        grown = bytes(self._unsaved) + _END_OF_TRACK
        end = self._end + len(grown)
        try:
            self._write(self._end, grown)  # behind the track, where nobody reads yet
            self._write(self._end - len(_NOTHING), _NOTHING)  # over the end of track
            self._write(_TRACK_AT - 4, (end - _TRACK_AT).to_bytes(4, "big"))
        except OSError as error:
            with suppress(OSError):
                self._file.truncate(self._end)
            self._file.close()
            raise MidiFileError(f"cannot write {self._path}: {error.strerror}") from error
        self._end = end
        self._unsaved.clear()

    def close(self) -> None:
        """Raises MidiFileError when the last messages cannot be saved."""
        with self._file:
            self.save()

    def _write(self, at: int, data: bytes) -> None:
        self._file.seek(at)
        while data:
            data = data[self._file.write(data) :]


def _variable_length(number: int) -> bytes:
    """7 bits a byte, the highest first; all but the last byte have their top bit set.

    >>> _variable_length(0x4000).hex()
    '818000'
    """
    data = bytes((number & 0x7F,))
    while number := number >> 7:
        data = bytes((0x80 | number & 0x7F,)) + data
    return data
