"""MIDI files as events, and messages as MIDI files; the only reader and writer of files.

`smf` knows the format; here its messages become music. All of it is numpy over whole columns, so
that a hostile file, a million notes on one key, takes no longer than any of its size.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core import smf
from core.errors import MidiFileError
from core.events import Events
from core.ticks import PPQN, TEMPO_US, tick

MAX_S = 24 * 3600.0
GRACE_S = 0.010  # the length of a note that ends at the instant at which it starts

_PERCUSSION = 9  # channel 10 as musicians count
_SUSTAIN, _ALL_SOUND_OFF, _RESET_CONTROLLERS, _ALL_NOTES_OFF = 64, 120, 121, 123
_PEDAL_DOWN = 64

Longs = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class _Notes(NamedTuple):
    """Notes as columns; times in seconds."""

    start_s: Floats
    end_s: Floats
    pitch: smf.Integers
    velocity: smf.Integers


def read(path: Path | str, *, pedal: bool = True, percussion: bool = False) -> Events:
    """Read the notes of all tracks and channels as one stream that a player can play as it is.

    Each pitch is struck, released, struck again: one struck while it sounds is released first;
    struck twice at one instant it is one note, the louder and the longer. A note without length
    gets `GRACE_S`, unless the next stroke comes sooner. A note that nobody ends goes on to
    all-notes-off or the end of the file. Releases of nothing vanish. At one instant releases come
    before onsets, each by rising pitch. The silence before the first onset is cut.

    Types 0 and 1 are merged; the sequences of type 2 follow each other. Time and memory are
    bounded by `smf.MAX_BYTES`.

    Args:
        path: the file; its name does not matter.
        pedal: a release under the sustain pedal (64 and above, per channel) is heard when the
            pedal rises; when it never does, at the end of the file, as a synthesizer plays it.
        percussion: with channel 10.

    Raises:
        MidiFileError: the file cannot be read, is broken, has no notes, or lasts over a day.
    """
    return _read(path, lambda file: events(file, pedal=pedal, percussion=percussion))


def read_note_ons(path: Path | str, *, channel: int = 0) -> Events:
    """Read the bare note_on messages of one channel, all tracks merged, as the textbook does.

    One with velocity 0 counts as a release. note_off messages and the pedal are not looked at, and
    nothing is mended: keys may be struck twice, released while silent, or never released. The
    first delta is the time since the start of the file.

    Raises:
        MidiFileError: the file cannot be read, is broken, or has no such message.
    """

    def note_ons(file: smf.File) -> Events:
        heard = []
        for messages, at_s in _timed(file):
            wanted = messages.status == 0x90 | channel
            heard.append((at_s[wanted], messages.data1[wanted], messages.data2[wanted]))
        at_s, pitch, velocity = map(np.concatenate, zip(*heard, strict=True))
        if not len(at_s):
            raise smf.BrokenError(f"it has no note_on message on channel {channel + 1}")
        return Events(np.diff(at_s, prepend=0.0), pitch, velocity)

    return _read(path, note_ons)


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
    import mido  # only writing needs it

    path = Path(path)
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=TEMPO_US)])
    last_tick = 0
    for at_ns, message in messages:
        at_tick = max(last_tick, tick(at_ns))
        track.append(mido.Message.from_bytes(message, time=at_tick - last_tick))
        last_tick = at_tick
    track.append(mido.MetaMessage("end_of_track"))
    # Opened as any file is, so that its mode is what the umask says.
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        mido.MidiFile(type=0, ticks_per_beat=PPQN, tracks=[track]).save(beside)
        beside.replace(path)
    except OSError as error:
        raise MidiFileError(f"cannot write {path}: {error.strerror}") from error
    finally:
        with suppress(OSError):
            beside.unlink()


def _read(path: Path | str, meaning: Callable[[smf.File], Events]) -> Events:
    """Raises MidiFileError, which names the file, whatever goes wrong."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            data = file.read(smf.MAX_BYTES + 1)
        return meaning(smf.parse(data))
    except OSError as error:
        raise MidiFileError(f"cannot read {path}: {error.strerror}") from error
    except smf.BrokenError as error:
        raise MidiFileError(f"cannot read {path}: {error}") from error


def events(file: smf.File, *, pedal: bool = True, percussion: bool = False) -> Events:
    """What `read` reads, of a file that is parsed.

    Raises:
        smf.BrokenError: it has no notes or no time, or lasts over a day.
    """
    heard = [
        _heard(messages, at_s, pedal=pedal, percussion=percussion)
        for messages, at_s in _timed(file)
    ]
    if not any(len(notes.pitch) for notes in heard):
        raise smf.BrokenError("it has no notes" + ("" if percussion else " outside percussion"))
    notes = _mended(_Notes(*map(np.concatenate, zip(*heard, strict=True))))
    at_s = np.concatenate([notes.end_s, notes.start_s])
    pitch = np.concatenate([notes.pitch, notes.pitch])
    velocity = np.concatenate([np.zeros_like(notes.velocity), notes.velocity])
    order = np.lexsort((pitch, velocity > 0, at_s))
    at_s = at_s[order]
    if at_s[-1] > MAX_S:
        raise smf.BrokenError(f"it lasts {at_s[-1] / 3600:.1f} hours, more than a day")
    return Events(
        np.diff(at_s, prepend=at_s[0]),
        pitch[order].astype(np.uint8, copy=False),
        velocity[order].astype(np.uint8, copy=False),
    )


def _timed(file: smf.File) -> Iterator[tuple[smf.Messages, Floats]]:
    """The messages of each sequence in the order of time, with their times in seconds.

    At one tick they stand in the order of the file.
    """
    tracks = file.messages.track
    start_s = 0.0
    bounds = [0, *(np.flatnonzero(np.diff(tracks)) + 1 if file.kind == 2 else []), len(tracks)]
    for first, end in pairwise(bounds):
        order = first + np.argsort(file.messages.tick[first:end], kind="stable")
        messages = smf.Messages(*(column[order] for column in file.messages))
        at_s = start_s + _seconds(messages, file.division)
        yield messages, at_s
        start_s = float(at_s[-1])


def _seconds(messages: smf.Messages, division: int) -> Floats:
    """When each message comes, in seconds since the start."""
    if division & 0x8000:
        frames, ticks = 256 - (division >> 8), division & 0xFF
        if not ticks:
            raise smf.BrokenError("its SMPTE frames have no ticks, so it has no time")
        # 29 stands for the 29.97 frames a second of colour television.
        return messages.tick / (ticks * (30_000 / 1001 if frames == 29 else frames))
    if not division:
        raise smf.BrokenError("its quarter notes have no ticks, so it has no time")
    change = np.flatnonzero(messages.tempo_us)  # a tempo of 0 is none
    change_tick = np.append(0, messages.tick[change])
    tempo_us = np.append(TEMPO_US, messages.tempo_us[change]).astype(np.float64)
    # In microseconds times division: whole numbers, which float64 adds without error.
    passed = np.append(0.0, np.cumsum(np.diff(change_tick) * tempo_us[:-1]))
    # np.interp would need a last point; this goes on at the last tempo.
    current = np.searchsorted(change_tick, messages.tick, side="right") - 1
    since = messages.tick - change_tick[current]
    return np.asarray((passed[current] + since * tempo_us[current]) / (division * 1e6))


def _heard(messages: smf.Messages, at_s: Floats, *, pedal: bool, percussion: bool) -> _Notes:
    """The notes of one sequence, in the order of time, as long as they sound."""
    kind, channel = messages.status & 0xF0, (messages.status & 0x0F).astype(np.int64)
    key = (kind == 0x80) | (kind == 0x90)
    if not percussion:
        key &= channel != _PERCUSSION
    onset, end = _paired(messages, key)

    number, value, control = messages.data1, messages.data2, kind == 0xB0
    hush = control & ((number == _ALL_SOUND_OFF) | (number >= _ALL_NOTES_OFF))
    if hush.any():
        # One at the instant of an onset belongs to what was before: files open with a reset.
        instant = np.searchsorted(messages.tick, messages.tick[onset], side="right") - 1
        end = np.minimum(end, _next(hush, channel, instant, channel[onset]))
    press = control & (number == _SUSTAIN) & (value >= _PEDAL_DOWN)
    rise = control & (number == _SUSTAIN) & (value < _PEDAL_DOWN)
    rise |= control & (number == _RESET_CONTROLLERS)
    if pedal and press.any():
        down = _is_down(press, rise, channel, end, channel[onset])
        end = np.where(down, _next(rise, channel, end, channel[onset]), end)
    return _Notes(at_s[onset], at_s[end], messages.data1[onset], messages.data2[onset])


def _paired(messages: smf.Messages, key: Flags) -> tuple[Longs, Longs]:
    """The onsets among the keys, and what ends each: the oldest note ends first.

    A release is for its own track, channel and pitch. A note without one lasts to the last message.
    """
    index = np.flatnonzero(key)
    voice = messages.track[index].astype(np.int64) << 11
    voice |= (messages.status[index] & 0x0F).astype(np.int64) << 7 | messages.data1[index]
    order = np.argsort(voice, kind="stable")
    index, voice = index[order], voice[order]
    onset = (messages.status[index] >= 0x90) & (messages.data2[index] > 0)

    # Count up at onsets, down at releases: a release is of nothing if the voice never was lower
    # than before it. Each voice starts below all that the one before can reach.
    step = np.where(onset, 1, -1)
    before = np.cumsum(step) - step - voice * (2 * len(voice) + 1)
    release = ~onset & (before > np.minimum.accumulate(before))

    # The n-th release that is left ends the n-th onset of its voice.
    voice_of = voice[release]
    nth = np.arange(len(voice_of)) - np.searchsorted(voice_of, voice_of)
    end = np.full(np.count_nonzero(onset), len(key) - 1)
    end[np.searchsorted(voice[onset], voice_of) + nth] = index[release]
    return index[onset], end


# Below, `after` and `at` are indices of messages, one a note, and `channel_of` is its channel. To
# search all channels at once, a message is found by channel * count + index, which is sorted.


def _next(wanted: Flags, channel: Longs, after: Longs, channel_of: Longs) -> Longs:
    """The first wanted message of the note's channel after another; else the last of all."""
    count = len(channel)
    found = np.sort((channel * count + np.arange(count))[wanted])
    here = np.searchsorted(found, channel_of * count + after, side="right")
    following = np.append(found, np.iinfo(np.int64).max)[here]
    return np.minimum(following - channel_of * count, count - 1)


def _is_down(press: Flags, rise: Flags, channel: Longs, at: Longs, channel_of: Longs) -> Flags:
    """Whether the pedal of the note's channel is down at a message."""
    count = len(channel)
    moves = np.sort((channel * count + np.arange(count))[press | rise])
    here = np.searchsorted(moves, channel_of * count + at)
    latest = np.append(-1, moves)[here] - channel_of * count
    return (latest >= 0) & press[np.maximum(latest, 0)]


def _mended(notes: _Notes) -> _Notes:
    """One note at a time on each pitch, all of them with a length."""
    order = np.lexsort((notes.start_s, notes.pitch))
    start_s, end_s = notes.start_s[order], notes.end_s[order]
    pitch, velocity = notes.pitch[order], notes.velocity[order]
    fresh = np.append(True, (np.diff(start_s) != 0) | (pitch[1:] != pitch[:-1]))
    first = np.flatnonzero(fresh)
    start_s, pitch = start_s[first], pitch[first]
    end_s, velocity = np.maximum.reduceat(end_s, first), np.maximum.reduceat(velocity, first)
    end_s = np.where(end_s > start_s, end_s, start_s + GRACE_S)
    next_s = np.where(pitch[1:] == pitch[:-1], start_s[1:], np.inf)
    return _Notes(start_s, np.minimum(end_s, np.append(next_s, np.inf)), pitch, velocity)
