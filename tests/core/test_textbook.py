"""The textbook's method, as it is: what it reads, which windows it sees, what it reports."""

from collections.abc import Iterable
from pathlib import Path

import mido
import pytest

from core import midi_file
from core.errors import MidiFileError


def a_file(path: Path, *tracks: Iterable[mido.Message]) -> Path:
    """At 120 bpm, 500 ticks a quarter: a tick is a millisecond."""
    file = mido.MidiFile(type=1, ticks_per_beat=500)
    file.tracks += [mido.MidiTrack(track) for track in tracks]
    file.save(path)
    return path


def note(kind: str, pitch: int, velocity: int, after_ms: int, channel: int = 0) -> mido.Message:
    return mido.Message(kind, note=pitch, velocity=velocity, time=after_ms, channel=channel)


def test_it_reads_the_note_ons_of_the_first_channel_and_nothing_else(tmp_path: Path) -> None:
    path = a_file(
        tmp_path / "piece.mid",
        [note("note_on", 60, 90, 100), note("note_off", 60, 0, 50), note("note_on", 64, 0, 250)],
        [note("note_on", 67, 80, 200), note("note_on", 72, 80, 10, channel=1)],
    )
    events = midi_file.read_note_ons(path)
    assert [(event.pitch, event.velocity) for event in events] == [(60, 90), (67, 80), (64, 0)]
    assert events.delta_s.tolist() == pytest.approx([0.1, 0.1, 0.2])


def test_a_file_without_note_ons_on_the_first_channel_is_refused(tmp_path: Path) -> None:
    path = a_file(tmp_path / "piece.mid", [note("note_on", 60, 90, 0, channel=1)])
    with pytest.raises(MidiFileError, match=r"piece\.mid.*no note_on message on channel 1"):
        midi_file.read_note_ons(path)
