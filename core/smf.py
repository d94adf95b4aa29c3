"""Standard MIDI Files: bytes as columns of messages. The only one who knows the file format.

What the messages mean as music is `midi_file`'s affair. The walk is plain Python, a fraction of a
microsecond a byte; see docs/decisions/own-midi-reader.md for why it is our own.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

# A long opera takes 2 MiB. A message takes two bytes or more, so that this bounds their number,
# and with it time (a few seconds) and memory (about 50 times the bytes, in all of reading).
MAX_BYTES = 8 * 2**20
MAX_TRACKS = 4096

META = 0xFF
_SYSEX, _SYSEX_MORE = 0xF0, 0xF7
_TEMPO, _END_OF_TRACK = 0x51, 0x2F
_SYSTEM_DATA_BYTES = {0xF1: 1, 0xF2: 2, 0xF3: 1}  # no business in a file, yet found; others have 0

Integers = NDArray[np.integer[Any]]


class BrokenError(Exception):
    """Why the bytes are no music, as the end of a sentence that starts with the file's name."""


class Messages(NamedTuple):
    """Channel messages, tempi and the ends of tracks as columns, track after track.

    Other meta events, SysEx and system messages are left out.
    """

    track: Integers  # uint16
    tick: Integers  # int64, since the start of the track
    status: Integers  # uint8; META for tempi and ends of tracks
    data1: Integers  # uint8
    data2: Integers  # uint8; 0 where a message has only one
    tempo_us: Integers  # uint32, microseconds a quarter note; 0 unless it sets a tempo


class File(NamedTuple):
    """A file as it stands; nothing is merged, sorted or timed."""

    kind: int  # 0 one track, 1 tracks that sound together, 2 sequences that follow each other
    division: int  # ticks a quarter note, or SMPTE time where the highest of 16 bits is set
    messages: Messages


def parse(data: bytes) -> File:
    """All messages of a file.

    RMID and other wrappings, unknown chunks, long headers, a wrong count of tracks, and running
    status past meta events and SysEx are all understood.

    Raises:
        BrokenError: it is no MIDI file, is damaged, or is larger than `MAX_BYTES`.
    """
    if not data:
        raise BrokenError("it is empty")
    if len(data) > MAX_BYTES:
        raise BrokenError(f"it has more than {MAX_BYTES // 2**20} MiB, far beyond any piece")
    # RMID and MacBinary wrap a whole file, mail gateways add lines above.
    header = data.find(b"MThd")
    if header < 0:
        raise BrokenError("it is not a MIDI file; choose a standard MIDI file (.mid)")
    if len(data) < header + 14:
        raise BrokenError("it breaks off in its header; get the file again")
    kind, division = _number(data, header + 8, 2), _number(data, header + 12, 2)

    ticks, words = array("q"), array("I")
    counts = []  # of messages in each track
    for number, (track, missing) in enumerate(_tracks(data, header), 1):
        if number > MAX_TRACKS:
            raise BrokenError(f"it has more than {MAX_TRACKS} tracks, far beyond any piece")
        before = len(ticks)
        try:
            ended = _walk(track, ticks, words)
        except IndexError:
            fault = "breaks off in the middle of a message"
            raise BrokenError(f"track {number} {fault}; get the file again") from None
        except BrokenError as error:
            raise BrokenError(f"track {number} {error}; get the file again") from None
        if missing and not ended:
            raise BrokenError(f"track {number} breaks off; get the file again")
        counts.append(len(ticks) - before)
    if not counts:
        raise BrokenError("it has no notes, not even a track")
    return File(kind, division, _columns(counts, ticks, words))


def _tracks(data: bytes, header: int) -> Iterator[tuple[bytes, bool]]:
    """The data of each track, and whether its header promises more of it."""
    at = header
    while at + 8 <= len(data):
        start = at + 8
        end = start + _number(data, at + 4, 4)
        if data[at : at + 4] == b"MTrk":
            yield data[start:end], end > len(data)
        at = end


def _number(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "big")


def _walk(track: bytes, ticks: array[int], words: array[int]) -> bool:
    """Append each message: its tick, and its status, a byte of zeros and two data bytes as a word.

    A tempo takes the last three bytes of its word. A track's last word is META alone, at the tick
    where it ends. Tells if it ended with an end of track.

    Raises:
        IndexError: the track breaks off.
    """
    at, tick = 0, 0
    running = data_bytes = 0  # the status that a message without its own has; 0 is none yet
    ended = False
    while at < len(track) and not ended:
        byte = track[at]
        if byte < 0x80:  # as most are
            tick += byte
            at += 1
        else:
            delta, at = _variable_length(track, at)
            tick += delta
        byte = track[at]
        if byte < 0xF0:
            if byte >= 0x80:
                running = byte
                data_bytes = 1 if 0xC0 <= byte < 0xE0 else 2
                at += 1
            elif not running:
                raise BrokenError("starts with data that no status explains")
            data2 = track[at + 1] if data_bytes == 2 else 0
            words.append(running << 24 | track[at] << 8 | data2)
            ticks.append(tick)
            at += data_bytes
        elif byte in (_SYSEX, _SYSEX_MORE):
            length, at = _variable_length(track, at + 1)
            at += length
        elif byte == META:
            meta = track[at + 1]
            length, at = _variable_length(track, at + 2)
            if meta == _TEMPO and length == 3 and at + 3 <= len(track):
                words.append(META << 24 | _number(track, at, 3))
                ticks.append(tick)
            at += length
            ended = meta == _END_OF_TRACK
        else:
            at += 1 + _SYSTEM_DATA_BYTES.get(byte, 0)
    if at > len(track):
        raise IndexError
    words.append(META << 24)
    ticks.append(tick)
    return ended


def _variable_length(data: bytes, at: int) -> tuple[int, int]:
    """A number of up to 4 bytes, 7 bits in each, and where what follows it starts."""
    number = 0
    for here in range(at, at + 4):
        byte = data[here]
        number = number << 7 | byte & 0x7F
        if byte < 0x80:
            return number, here + 1
    raise BrokenError("has a number longer than the 4 bytes that MIDI allows")


def _columns(counts: list[int], ticks: array[int], words: array[int]) -> Messages:
    word, tick = np.frombuffer(words, np.uint32), np.frombuffer(ticks, np.int64)
    track = np.repeat(np.arange(len(counts), dtype=np.uint16), counts)
    status = (word >> 24).astype(np.uint8)
    is_meta = status == META
    data1 = np.where(is_meta, 0, word >> 8).astype(np.uint8)
    data2 = np.where(is_meta, 0, word).astype(np.uint8)
    # Bends and programs out of range do no harm to a note.
    if ((data1 | data2)[status < 0xC0] > 0x7F).any():
        raise BrokenError("it has data bytes over 127, so it is damaged; get the file again")
    tempo_us = np.where(is_meta, word & 0xFFFFFF, 0).astype(np.uint32)
    return Messages(track, tick, status, data1, data2, tempo_us)
