"""MIDI files as events, and messages as MIDI files; the only reader and writer of files.

The reader is our own: the channel of a note decides which pedal holds it, and a note that a file
forgets to end must still end. Fast libraries lose both; faithful ones are twenty times slower.
Only the walk from message to message is a Python loop, and a tight one; all the rest is numpy
over the bytes of the whole file.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.errors import MidiFileError
from core.events import Events

MAX_BYTES = 16 * 2**20  # a long opera takes 2 MiB; bounds time and memory
MAX_TRACKS = 4096
MAX_S = 24 * 3600.0
GRACE_S = 0.010  # the length of a note that ends at the instant at which it starts

PPQN = 960  # of the files that we write: a tick is 0.52 ms
TEMPO_US = 500_000  # microseconds a quarter note: 120 bpm, what a file without a tempo means

_PERCUSSION = 9  # channel 10 as musicians count
_SUSTAIN, _ALL_SOUND_OFF, _RESET_CONTROLLERS, _ALL_NOTES_OFF = 64, 120, 121, 123
_PEDAL_DOWN = 64
_SYSEX, _SYSEX_MORE, _META = 0xF0, 0xF7, 0xFF
_TEMPO, _END_OF_TRACK = 0x51, 0x2F
_SYSTEM_LENGTH = {0xF1: 2, 0xF2: 3, 0xF3: 2}  # no business in a file, yet found; others have 1

# What follows a delta time, by its first byte: a message with two data bytes, with or without its
# status; 0 asks for a closer look. The longest jump is then 4 + 3.
_LENGTH = np.zeros(256, np.uint8)
_LENGTH[:0x80] = 2
_LENGTH[0x80:0xC0] = 3
_LENGTH[0xE0:0xF0] = 3
_PADDING = 8  # zeros behind the file; also what a chunk's header takes

Longs = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class _Messages(NamedTuple):
    """All messages of a file as columns, track after track, in the order of the file."""

    track: Longs
    tick: Longs
    status: Longs
    data1: Longs
    data2: Longs
    tempo_us: Longs  # 0 unless the message sets a tempo


class _Notes(NamedTuple):
    """Notes as columns; times in seconds."""

    start_s: Floats
    end_s: Floats
    pitch: Longs
    velocity: Longs


def read(path: Path | str, *, pedal: bool = True, percussion: bool = False) -> Events:
    """Read the notes of all tracks and channels as one stream that a player can play as it is.

    Each pitch is struck, released, struck again: one struck while it sounds is released first;
    struck twice at one instant it is one note, the louder and the longer. A note without length
    gets `GRACE_S`, unless the next stroke comes sooner. A note that nobody ends goes on to
    all-notes-off or the end of the file. Releases of nothing vanish. At one instant releases come
    before onsets, each by rising pitch. The silence before the first onset is cut.

    Types 0 and 1 are merged; the sequences of type 2 follow each other. Tempo and SMPTE time,
    RMID and other wrappings, unknown chunks, and a wrong count of tracks are all understood.

    Args:
        path: the file; its name does not matter.
        pedal: a release under the sustain pedal (64 and above, per channel) is heard when the
            pedal rises; when it never does, at the end of the file, as a synthesizer plays it.
        percussion: with channel 10.

    Raises:
        MidiFileError: the file cannot be read, is broken, has no notes, or lasts over a day.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise MidiFileError(f"cannot read {path}: {error.strerror}") from error
    try:
        return _stream(*_parse(data), pedal=pedal, percussion=percussion)
    except _BrokenError as error:
        raise MidiFileError(f"cannot read {path}: {error}") from error


def write(path: Path | str, messages: Iterable[tuple[int, bytes]]) -> None:
    """Write a type 0 file at 120 bpm, all of it or nothing.

    Args:
        path: replaced when it exists.
        messages: (nanoseconds since the start, one MIDI channel message). Their order is kept: a
            time before the last one counts as the last one. Each time is rounded to its tick, so
            that no rounding adds up.

    Raises:
        MidiFileError: the file cannot be written.
    """
    path = Path(path)
    track = bytearray(b"\x00\xff\x51\x03" + TEMPO_US.to_bytes(3, "big"))
    last_tick = 0
    for at_ns, message in messages:
        tick = max(last_tick, (at_ns * PPQN + TEMPO_US * 500) // (TEMPO_US * 1000))
        track += _variable_length(tick - last_tick) + message
        last_tick = tick
    track += b"\x00\xff\x2f\x00"
    header = b"MThd" + b"".join(n.to_bytes(size, "big") for n, size in ((6, 4), (0, 2), (1, 2)))
    data = header + PPQN.to_bytes(2, "big") + b"MTrk" + len(track).to_bytes(4, "big") + track
    beside = path.parent / f".{path.name}.{os.getpid()}"
    try:
        beside.write_bytes(data)
        beside.replace(path)
    except OSError as error:
        raise MidiFileError(f"cannot write {path}: {error.strerror}") from error
    finally:
        with suppress(OSError):
            beside.unlink()


class _BrokenError(Exception):
    """Why the bytes are no music; `read` adds the name of the file."""


def _parse(data: bytes) -> tuple[_Messages, int, int]:
    """Messages, type and division of a file."""
    if not data:
        raise _BrokenError("it is empty")
    if len(data) > MAX_BYTES:
        raise _BrokenError(f"it has more than {MAX_BYTES // 2**20} MiB, far beyond any piece")
    # RMID and MacBinary wrap a whole file, mail gateways add lines above.
    head = data.find(b"MThd")
    if head < 0:
        raise _BrokenError("it is not a MIDI file; choose a standard MIDI file (.mid)")
    fields = data[head + 8 : head + 14]
    if len(fields) < 6:
        raise _BrokenError("it breaks off in its header; get the file again")
    kind, division = int.from_bytes(fields[:2], "big"), int.from_bytes(fields[4:], "big")
    tracks = _tracks(data, head + 8 + int.from_bytes(data[head + 4 : head + 8], "big"))

    padded = data + bytes(_PADDING)
    raw = np.frombuffer(padded, np.uint8)
    # Of every byte, were it the first of a message: the length of its delta time, 1..4 ...
    size = len(data)
    high = raw >> 7
    high2 = high[:size] & high[1 : size + 1]
    high3 = high2 & high[2 : size + 2]
    delta_length = 1 + high[:size] + high2 + high3
    # ... and the way to the next message, 0 where the walk must look closer.
    length = _LENGTH[raw]
    length = np.where(
        high2,
        np.where(high3, length[4 : size + 4], length[3 : size + 3]),
        np.where(high[:size], length[2 : size + 2], length[1 : size + 1]),
    )
    jump = np.zeros(size + _PADDING, np.uint8)
    jump[:size] = (delta_length + length) * ((length > 0) & ~(high3 & high[3 : size + 3] > 0))
    for _, end in tracks:
        jump[end : end + _PADDING] = 0
    jumps = jump.tobytes()

    marks = bytearray(size)
    for number, (start, end) in enumerate(tracks, 1):
        try:
            ended = _walk(padded, jumps, marks, start, min(end, size))
        except _BrokenError as error:
            raise _BrokenError(f"track {number} {error}; get the file again") from None
        if end > size and not ended:
            raise _BrokenError(f"track {number} breaks off; get the file again")

    first = np.flatnonzero(np.frombuffer(marks, np.uint8))
    return _columns(raw, first, delta_length[first], tracks), kind, division


def _tracks(data: bytes, at: int) -> list[tuple[int, int]]:
    """Where the data of each track starts and, as its header says, ends."""
    tracks = []
    while at + 8 <= len(data):
        end = at + 8 + int.from_bytes(data[at + 4 : at + 8], "big")
        if data[at : at + 4] == b"MTrk":
            tracks.append((at + 8, end))
        if len(tracks) > MAX_TRACKS:
            raise _BrokenError(f"it has more than {MAX_TRACKS} tracks, far beyond any piece")
        at = end
    return tracks


def _walk(data: bytes, jumps: bytes, marks: bytearray, at: int, end: int) -> bool:
    """Mark the first byte of each message from `at` to `end`; tell if there was an end of track."""
    data_bytes = 0  # of the running status, which also holds past meta and SysEx; 0 is none yet
    while at < end:
        if data_bytes == 2:
            while jump := jumps[at]:
                marks[at] = 1
                at += jump
            if at >= end:
                break
        body = _end_of_variable_length(data, at)
        status, past = data[body], body
        if status < 0x80:
            if not data_bytes:
                raise _BrokenError("starts with data that no status explains")
            past += data_bytes
        elif status < 0xF0:
            data_bytes = 1 if 0xC0 <= status < 0xE0 else 2
            past += 1 + data_bytes
        elif status in (_SYSEX, _SYSEX_MORE, _META):
            size_at = body + (2 if status == _META else 1)
            past = _end_of_variable_length(data, size_at)
            length = 0
            for byte in data[size_at:past]:
                length = length << 7 | byte & 0x7F
            past += length
        else:
            past += _SYSTEM_LENGTH.get(status, 1)
        if past > end:
            at = past
            break
        marks[at] = 1
        if status == _META and data[body + 1] == _END_OF_TRACK:
            return True
        at = past
    if at > end:
        raise _BrokenError("breaks off in the middle of a message")
    return False


def _end_of_variable_length(data: bytes, at: int) -> int:
    past = at
    while data[past] > 0x7F:
        past += 1
    if past - at > 3:
        raise _BrokenError("has a number longer than the 4 bytes that MIDI allows")
    return past + 1


def _variable_length(number: int) -> bytes:
    groups = [number & 0x7F]
    while number := number >> 7:
        groups.append(number & 0x7F | 0x80)
    return bytes(reversed(groups))


def _columns(
    raw: NDArray[np.uint8],
    first: NDArray[np.intp],
    delta_length: NDArray[np.uint8],
    tracks: list[tuple[int, int]],
) -> _Messages:
    """The messages whose first bytes are at `first`."""
    delta = np.zeros(len(first), np.int64)
    for i in range(4):
        inside = delta_length > i
        delta[inside] = delta[inside] << 7 | raw[first[inside] + i] & 0x7F
    track = np.searchsorted([start for start, _ in tracks], first, side="right") - 1
    tick = np.cumsum(delta)
    # Ticks count from the start of each track.
    opens = np.searchsorted(track, np.arange(len(tracks)))
    before = np.concatenate([[0], tick])[opens]
    tick -= before[track]

    body = first + delta_length
    status = raw[body].astype(np.int64)
    running = status < 0x80
    data_at = body + ~running
    stated = ~running & (status < 0xF0)
    latest = np.maximum.accumulate(np.where(stated, np.arange(len(first)), 0))
    status = np.where(running, status[latest], status)
    data1, data2 = raw[data_at].astype(np.int64), raw[data_at + 1].astype(np.int64)
    note = status < 0xC0
    if (data1[note] > 0x7F).any() or (data2[note] > 0x7F).any():
        raise _BrokenError("it has data bytes over 127, so it is damaged; get the file again")

    tempo_us = np.zeros(len(first), np.int64)
    tempo = np.flatnonzero((status == _META) & (data1 == _TEMPO) & (data2 == 3))
    at = data_at[tempo] + 2
    tempo_us[tempo] = (raw[at].astype(np.int64) << 16) + (raw[at + 1].astype(np.int64) << 8)
    tempo_us[tempo] += raw[at + 2]
    return _Messages(track, tick, status, data1, data2, tempo_us)


def _stream(
    messages: _Messages, kind: int, division: int, *, pedal: bool, percussion: bool
) -> Events:
    """Events of a file: each sequence in its own time, the next after it."""
    if not len(messages.track):
        raise _BrokenError("it has no notes")
    if kind == 2:
        count = int(messages.track[-1]) + 1
        bounds = np.searchsorted(messages.track, np.arange(count + 1)).tolist()
    else:
        bounds = [0, len(messages.track)]
    sequences = []
    offset_s = 0.0
    for start, end in pairwise(bounds):
        part = _Messages(*(column[start:end] for column in messages))
        # From here on the order is that of time; at one tick, that of the file.
        order = np.argsort(part.tick, kind="stable")
        part = _Messages(*(column[order] for column in part))
        at_s = offset_s + _seconds(part, division)
        if len(at_s):
            offset_s = float(at_s[-1])
        sequences.append(_notes(part, at_s, pedal=pedal, percussion=percussion))
    notes = _mended(_Notes(*map(np.concatenate, zip(*sequences, strict=True))))
    if not len(notes.pitch):
        raise _BrokenError("it has no notes" + ("" if percussion else " outside percussion"))

    at_s = np.concatenate([notes.end_s, notes.start_s])
    pitch = np.concatenate([notes.pitch, notes.pitch])
    velocity = np.concatenate([np.zeros_like(notes.velocity), notes.velocity])
    order = np.lexsort((pitch, velocity > 0, at_s))
    at_s = at_s[order]
    if not at_s[-1] <= MAX_S:
        raise _BrokenError(f"it lasts {at_s[-1] / 3600:.1f} hours, more than a day")
    return Events(
        np.diff(at_s, prepend=at_s[0]),
        pitch[order].astype(np.uint8),
        velocity[order].astype(np.uint8),
    )


def _seconds(messages: _Messages, division: int) -> Floats:
    """When each message comes, in seconds since the start."""
    if division & 0x8000:
        frames, ticks = 256 - (division >> 8), division & 0xFF
        if not ticks:
            raise _BrokenError("its SMPTE frames have no ticks, so it has no time")
        # 29 stands for the 29.97 frames a second of colour television.
        return messages.tick / (ticks * (30_000 / 1001 if frames == 29 else frames))
    if not division:
        raise _BrokenError("its quarter notes have no ticks, so it has no time")
    change = np.flatnonzero(messages.tempo_us)  # a tempo of 0 is none
    change_tick = np.concatenate([[0], messages.tick[change]])
    tempo_us = np.concatenate([[TEMPO_US], messages.tempo_us[change]]).astype(np.float64)
    # In microseconds times division: whole numbers, which float64 adds without error.
    passed = np.concatenate([[0.0], np.cumsum(np.diff(change_tick) * tempo_us[:-1])])
    # np.interp would need a last point; this goes on at the last tempo.
    current = np.searchsorted(change_tick, messages.tick, side="right") - 1
    since = messages.tick - change_tick[current]
    return np.asarray((passed[current] + since * tempo_us[current]) / (division * 1e6))


def _notes(messages: _Messages, at_s: Floats, *, pedal: bool, percussion: bool) -> _Notes:
    """Onsets with their ends. A release ends the oldest note of its track, channel and pitch."""
    kind, channel = messages.status & 0xF0, messages.status & 0x0F
    onset = (kind == 0x90) & (messages.data2 > 0)
    keys = onset | (kind == 0x80) | (kind == 0x90)
    if not percussion:
        keys &= channel != _PERCUSSION
    key = np.flatnonzero(keys)
    group = (messages.track[key] << 11) + (channel[key] << 7) + messages.data1[key]
    order = np.argsort(group, kind="stable")
    key, group = key[order], group[order]
    struck = onset[key]

    # A release of nothing sinks the count of what sounds, in its group, below where it ever was.
    # Each group starts lower than any before it can sink, so that one minimum serves them all.
    opens = np.flatnonzero(np.diff(group, prepend=-1))
    sizes = np.diff(opens, append=len(group))
    floor = np.repeat(sizes + 1 - np.cumsum(sizes + 1), sizes)
    count = np.cumsum(np.where(struck, 1, -1))
    count += floor - np.repeat(np.concatenate([[0], count])[opens], sizes)
    lowest = np.minimum.accumulate(np.minimum(count, floor))
    lowest_before = np.concatenate([[0], lowest])[:-1]
    lowest_before[opens] = floor[opens]
    ends = ~struck & (lowest == lowest_before)

    # The n-th release that is left ends the n-th onset of its group.
    rank = np.arange(ends.sum()) - np.searchsorted(group[ends], group[ends])
    ended = np.searchsorted(group[struck], group[ends]) + rank
    starts, channel_of = key[struck], channel[key[struck]]
    last = len(messages.tick) - 1
    end_of = np.full(len(starts), last, np.int64)
    end_of[ended] = key[ends]

    control = kind == 0xB0
    hush = control & ((messages.data1 == _ALL_SOUND_OFF) | (messages.data1 >= _ALL_NOTES_OFF))
    if hush.any():
        # One at the instant of an onset belongs to what was before: files open with a reset.
        instant = np.searchsorted(messages.tick, messages.tick[starts], side="right") - 1
        end_of = np.minimum(end_of, _next(hush, channel, instant, channel_of))
    if pedal:
        press = control & (messages.data1 == _SUSTAIN) & (messages.data2 >= _PEDAL_DOWN)
        rise = control & (messages.data1 == _SUSTAIN) & (messages.data2 < _PEDAL_DOWN)
        rise |= control & (messages.data1 == _RESET_CONTROLLERS)
        if press.any():
            end_of = _lifted(press, rise, channel, end_of, channel_of)
    return _Notes(at_s[starts], at_s[end_of], messages.data1[starts], messages.data2[starts])


def _lifted(press: Flags, rise: Flags, channel: Longs, end_of: Longs, channel_of: Longs) -> Longs:
    """Where each note is heard to end: at its end, or where the pedal that is down then rises."""
    moves = np.flatnonzero(press | rise)
    moves = moves[np.argsort(channel[moves], kind="stable")]
    size = len(channel)
    before = np.searchsorted(channel[moves] * size + moves, channel_of * size + end_of) - 1
    move = moves[before]
    down = (before >= 0) & (channel[move] == channel_of) & press[move]
    return np.where(down, _next(rise, channel, end_of, channel_of), end_of)


def _next(wanted: Flags, channel: Longs, after: Longs, channel_of: Longs) -> Longs:
    """The first wanted message of a channel that comes after another; else the last of all."""
    size = len(channel)
    found = np.flatnonzero(wanted)
    found = found[np.argsort(channel[found], kind="stable")]
    at = np.searchsorted(channel[found] * size + found, channel_of * size + after, side="right")
    found = np.append(found, size - 1)
    same = np.append(channel[found[:-1]], -1)[at] == channel_of
    return np.where(same, found[at], size - 1)


def _mended(notes: _Notes) -> _Notes:
    """One note at a time on each pitch, all of them with a length."""
    order = np.lexsort((notes.start_s, notes.pitch))
    start_s, end_s = notes.start_s[order], notes.end_s[order]
    pitch, velocity = notes.pitch[order], notes.velocity[order]
    fresh = np.diff(start_s, prepend=-1.0) != 0
    fresh |= np.diff(pitch, prepend=-1) != 0
    first = np.flatnonzero(fresh)
    if not len(first):
        return notes
    start_s, pitch = start_s[first], pitch[first]
    end_s, velocity = np.maximum.reduceat(end_s, first), np.maximum.reduceat(velocity, first)
    end_s = np.where(end_s > start_s, end_s, start_s + GRACE_S)
    next_s = np.where(np.diff(pitch, append=-1) == 0, np.append(start_s[1:], np.inf), np.inf)
    return _Notes(start_s, np.minimum(end_s, next_s), pitch, velocity)
