"""A recording can be read at every moment, by us and by others, and is what was played."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import mido
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import realtime.recording
from core import midi_file
from core.errors import MidiFileError
from core.ticks import tick
from realtime.recording import ROOM, Recording
from realtime.wire import note_off, note_on

resource = pytest.importorskip("resource", reason="limits the size of files as POSIX does")

Message = tuple[int, bytes]  # (at ns, message)

SECOND_NS = 1_000_000_000
NAMES = ["human", "bass"]

MESSAGES = st.tuples(
    st.one_of(
        st.integers(0, 10 * SECOND_NS),
        st.just(200_000 * SECOND_NS),  # longer than any delta that a file can hold
    ),
    st.one_of(
        st.builds(note_on, st.integers(0, 15), st.integers(0, 127), st.integers(0, 127)),
        st.builds(note_off, st.integers(0, 15), st.integers(0, 127)),
        st.builds(lambda program: bytes([0xC3, program]), st.integers(0, 127)),
    ),
)


def recorded(path: Path) -> dict[str, list[Message]]:
    """What is on each track, as a library reads it that is not ours; times in ticks."""
    _, *tracks = mido.MidiFile(path).tracks
    return {track.name: messages(track) for track in tracks}


def messages(track: mido.MidiTrack) -> list[Message]:
    at, found = 0, []
    for message in track:
        at += message.time
        if not message.is_meta:
            found.append((at, bytes(message.bytes())))
    return found


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    deltas=st.lists(st.tuples(MESSAGES, st.sampled_from(NAMES), st.booleans()), max_size=20),
    room=st.integers(0, 60),
)
def test_a_recording_is_what_was_played_whenever_it_was_saved(
    tmp_path: Path, deltas: list[tuple[Message, str, bool]], room: int
) -> None:
    played: dict[str, list[Message]] = {name: [] for name in NAMES}
    at_ns = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("realtime.recording.ROOM", room)
        recording = Recording(tmp_path / "take.mid", NAMES)
        never_saved = Recording(tmp_path / "whole.mid", NAMES)
        for (delta_ns, message), name, save in deltas:
            at_ns += delta_ns if played["human"] + played["bass"] else 0
            recording.add(name, 5 * SECOND_NS + at_ns, message)
            never_saved.add(name, 5 * SECOND_NS + at_ns, message)
            played[name].append((tick(at_ns), message))
            if save:
                recording.save()
                assert recorded(tmp_path / "take.mid") == played
        recording.close()
        never_saved.close()
    assert recorded(tmp_path / "take.mid") == played
    assert (tmp_path / "take.mid").read_bytes() == (tmp_path / "whole.mid").read_bytes()


def test_killed_between_any_two_writes_each_track_is_as_before_or_as_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = tmp_path / "take.mid"
    states: list[dict[str, list[Message]]] = []
    write = realtime.recording._write

    def write_and_look(file: IO[bytes], data: bytes) -> None:
        write(file, data)
        if take.exists():
            states.append(recorded(take))

    monkeypatch.setattr(realtime.recording, "_write", write_and_look)
    monkeypatch.setattr(realtime.recording, "ROOM", 30)
    recording = Recording(take, NAMES)
    played: dict[str, list[Message]] = {name: [] for name in NAMES}
    for number in range(12):
        before = {name: list(messages) for name, messages in played.items()}
        for name in NAMES:
            recording.add(name, number * SECOND_NS, note_on(0, 60 + number, 80))
            recording.add(name, number * SECOND_NS + SECOND_NS // 2, note_off(0, 60 + number))
            played[name] += [
                (number * 1920, note_on(0, 60 + number, 80)),
                (number * 1920 + 960, note_off(0, 60 + number)),
            ]
        states.clear()
        recording.save()
        assert len(states) >= 4
        for state in states:
            assert all(state[name] in (before[name], played[name]) for name in NAMES)
        assert recorded(take) == played
        assert len(midi_file.read(take)) == 2 * (number + 1)  # ours reads it just as well
    recording.close()
    assert recorded(take) == played
    assert [file.name for file in tmp_path.iterdir()] == ["take.mid"]


def test_a_finished_recording_has_no_room_left(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "take.mid", NAMES)
    recording.add("bass", 0, note_on(0, 60, 80))
    recording.save()
    assert (tmp_path / "take.mid").stat().st_size > 3 * ROOM
    recording.close()
    assert (tmp_path / "take.mid").stat().st_size < 150


def test_a_tempo_moves_no_message(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "take.mid", NAMES)
    tempi_us = (500_000, 437_123, 611_111, 250_000)
    for number, tempo_us in enumerate(tempi_us):
        recording.tempo(number * 7 * SECOND_NS, tempo_us)
        recording.add("bass", number * 7 * SECOND_NS + SECOND_NS // 3, note_on(0, 60, 80))
        recording.add("bass", number * 7 * SECOND_NS + SECOND_NS * 2, note_off(0, 60))
    recording.close()
    file = mido.MidiFile(tmp_path / "take.mid")
    assert [m.tempo for m in file.tracks[0] if m.type == "set_tempo"][1:] == list(tempi_us)
    at_s = [0.0]
    for message in file:
        at_s[-1] += message.time
        if not message.is_meta:
            at_s.append(at_s[-1])
    wanted_s = [number * 7 + after_s for number in range(4) for after_s in (1 / 3, 2)]
    assert at_s[:-1] == pytest.approx(wanted_s, abs=0.0004)


def test_what_is_saved_is_not_kept_in_memory(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "take.mid", NAMES)
    for number in range(1000):
        recording.add("human", number, note_on(0, 60, 80))
    assert any(track.unsaved for track in recording._tracks)
    recording.save()
    assert not any(track.unsaved for track in recording._tracks)
    recording.close()


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_fills_up_keeps_what_was_saved_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(realtime.recording, "ROOM", 20)
    take = tmp_path / "take.mid"
    recording = Recording(take, NAMES)
    for number in range(2):
        recording.add("bass", number * SECOND_NS, note_on(0, 60, 80))
        recording.add("bass", number * SECOND_NS + SECOND_NS // 2, note_off(0, 60))
    recording.save()
    before = take.read_bytes()
    recording.add("bass", SECOND_NS * 3, note_on(0, 64, 80))
    with (
        files_of_at_most(len(before) + 3),
        pytest.raises(MidiFileError, match=r"cannot write .*take\.mid: File too large"),
    ):
        recording.save()
    assert take.read_bytes() == before
    assert len(midi_file.read(take)) == 4
    assert [file.name for file in tmp_path.iterdir()] == ["take.mid"]


def test_a_disk_that_is_full_from_the_start_is_told(tmp_path: Path) -> None:
    (tmp_path / "take.mid").write_bytes(b"an older one")
    with (
        files_of_at_most(10),
        pytest.raises(MidiFileError, match=r"cannot write .*take\.mid"),
    ):
        Recording(tmp_path / "take.mid", NAMES)
    assert (tmp_path / "take.mid").read_bytes() == b"an older one"


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(MidiFileError, match=r"cannot write .*take\.mid: No such file"):
        Recording(tmp_path / "nowhere" / "take.mid", NAMES)
