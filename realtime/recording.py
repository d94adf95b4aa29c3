"""What is played, as a MIDI file that grows meanwhile and can be read at every moment.

A process that is killed says nothing more, so what it has recorded must be in the file already;
and its memory must not grow with the length of an evening.

The tracks of a file stand one behind the other, yet all of them grow. So each has some room at its
end, inside an event that says nothing to anybody: music overwrites the room from the front. When a
track has used its room up, all are copied into another file with new room, which takes the place
of the first one. The last copy has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import IO, Self

from core.errors import MidiFileError
from core.ticks import PPQN, TEMPO_US

ROOM = 64 * 1024  # bytes that a track can grow by in place: a quarter of an hour of dense music

_NAME, _SEQUENCERS, _TEMPO, _END_OF_TRACK = 0x03, 0x7F, 0x51, b"\x00\xff\x2f\x00"
_LONGEST_DELTA = 0x0FFF_FFFF  # ticks: a day and a half
_ROOM_HEADER = 6  # bytes before the room: no time later, META, for sequencers, its length in 3


class _Track:
    """Where it stands in the file, and what is not there yet."""

    def __init__(self, opening: bytes) -> None:
        self.unsaved = bytearray(opening)
        self.last_tick = 0
        self.start = self.end = 0  # of its music, in the file; then comes the room
        self.limit = 0  # up to where it can grow

    def add(self, at_tick: int, event: bytes) -> None:
        at_tick = max(self.last_tick, at_tick)
        delta = at_tick - self.last_tick
        self.last_tick = at_tick
        while delta > _LONGEST_DELTA:
            self.unsaved += _variable_length(_LONGEST_DELTA) + _meta(_SEQUENCERS, b"")
            delta -= _LONGEST_DELTA
        self.unsaved += _variable_length(delta) + event


class Recording:
    """A type 1 file: a track of tempi, and one for each who plays.

    Messages are kept in memory until `save`. The same messages, in the same order, give the same
    bytes in the end, whenever they were saved. As a context it is closed in the end; left by an
    exception, it stays as it was saved last.

    Args:
        path: replaced when it exists.
        names: of those who play.

    Raises:
        MidiFileError: the file cannot be written.
    """

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        self._path = path
        self._tempi = _Track(b"\x00" + _meta(_TEMPO, TEMPO_US.to_bytes(3, "big")))
        self._players = {name: _Track(b"\x00" + _meta(_NAME, name.encode())) for name in names}
        self._tracks = [self._tempi, *self._players.values()]
        self._start_ns: int | None = None
        # Ticks are counted from here on; in nanoseconds times PPQN all of it is whole numbers.
        self._tempo_us, self._tempo_tick, self._tempo_at = TEMPO_US, 0, 0
        self._file: IO[bytes] = BytesIO()  # nothing has been saved yet
        try:
            self._lay_out(ROOM)
        except OSError as error:
            raise self._cannot_write(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind:
            self._file.close()
        else:
            self.close()

    def add(self, name: str, at_ns: int, message: bytes) -> None:
        """One MIDI channel message; the first one of all is at the start of the file.

        On each track order is kept: a time before the last one counts as the last one. Each time
        is rounded to its tick, so that no rounding adds up.
        """
        self._players[name].add(self._tick(at_ns), message)

    def tempo(self, at_ns: int, tempo_us: int) -> None:
        """A quarter note lasts so many microseconds from then on; what is added later knows.

        It changes no message's time, only which bar that is in.
        """
        at_tick = max(self._tick(at_ns), self._tempo_tick)
        self._tempo_at += (at_tick - self._tempo_tick) * self._tempo_us * 1000
        self._tempo_us, self._tempo_tick = tempo_us, at_tick
        self._tempi.add(at_tick, _meta(_TEMPO, tempo_us.to_bytes(3, "big")))

    def save(self) -> None:
        """Bring the file up to date.

        Killed at any moment, it leaves a file that can be read, with each track as it was before
        or as it is after.

        Raises:
            MidiFileError: the disk is full, or gone. The file stays as it was, and is closed.
        """
        try:
            if all(track.end + len(track.unsaved) <= track.limit for track in self._tracks):
                for track in self._tracks:
                    self._grow(track)
            else:
                self._lay_out(ROOM)
        except OSError as error:
            self._file.close()
            raise self._cannot_write(error) from error

    def close(self) -> None:
        """Raises MidiFileError when the last messages cannot be saved, or the room not be left."""
        self.save()
        try:
            self._lay_out(0)
        except OSError as error:
            raise self._cannot_write(error) from error
        finally:
            self._file.close()

    def _tick(self, at_ns: int) -> int:
        if self._start_ns is None:
            self._start_ns = at_ns
        since = (at_ns - self._start_ns) * PPQN - self._tempo_at
        half = self._tempo_us * 500
        return self._tempo_tick + (since + half) // (self._tempo_us * 1000)

    def _grow(self, track: _Track) -> None:
        """Write the new music where the room begins, and less room behind it."""
        if not track.unsaved:
            return
        grown = bytes(track.unsaved) + _room(track.limit - track.end - len(track.unsaved))
        # First what comes to stand in the room, where nobody reads yet; then over its header.
        for start, end in ((_ROOM_HEADER, len(grown)), (0, _ROOM_HEADER)):
            self._file.seek(track.end + start)
            _write(self._file, grown[start:end])
        track.end += len(track.unsaved)
        track.unsaved.clear()

    def _lay_out(self, room: int) -> None:
        """Write all tracks into another file, each with so many bytes of room, and go on there."""
        beside = self._path.with_name(f"{self._path.name}.part")
        places = []
        try:
            with beside.open("wb", buffering=0) as file:
                fields = (6, 4), (1, 2), (len(self._tracks), 2), (PPQN, 2)
                _write(file, b"MThd" + b"".join(n.to_bytes(size, "big") for n, size in fields))
                for track in self._tracks:
                    music = self._saved(track) + track.unsaved
                    tail = (_room(room) + bytes(room) if room else b"") + _END_OF_TRACK
                    start = file.tell() + 8
                    _write(file, b"MTrk" + (len(music) + len(tail)).to_bytes(4, "big"))
                    _write(file, music + tail)
                    places.append((start, start + len(music), start + len(music) + room))
            self._file.close()
            beside.replace(self._path)
        except OSError:
            with suppress(OSError):
                beside.unlink()
            raise
        self._file = self._path.open("r+b", buffering=0)
        for track, (track.start, track.end, track.limit) in zip(self._tracks, places, strict=True):
            track.unsaved.clear()

    def _saved(self, track: _Track) -> bytes:
        self._file.seek(track.start)
        return self._file.read(track.end - track.start)

    def _cannot_write(self, error: OSError) -> MidiFileError:
        return MidiFileError(f"cannot write {self._path}: {error.strerror}")


def _meta(kind: int, data: bytes) -> bytes:
    return bytes((0xFF, kind)) + _variable_length(len(data)) + data


def _room(size: int) -> bytes:
    """The header of an event for sequencers without anything in it but room."""
    length = bytes((0x80 | size >> 14, 0x80 | size >> 7 & 0x7F, size & 0x7F))
    return b"\x00\xff" + bytes((_SEQUENCERS,)) + length


def _write(file: IO[bytes], data: bytes) -> None:
    while data:
        data = data[file.write(data) :]


def _variable_length(number: int) -> bytes:
    """7 bits a byte, the highest first; all but the last byte have their top bit set.

    >>> _variable_length(0x4000).hex()
    '818000'
    """
    data = bytes((number & 0x7F,))
    while number := number >> 7:
        data = bytes((0x80 | number & 0x7F,)) + data
    return data
