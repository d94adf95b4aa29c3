"""A recording can be read at every moment, by us and by others, and is what was played."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mido
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import midi_file
from core.errors import MidiFileError
from realtime.recording import Recording
from realtime.wire import note_off, note_on

resource = pytest.importorskip("resource", reason="limits the size of files as POSIX does")

Message = tuple[int, bytes]  # (at ns, message)

SECOND_NS = 1_000_000_000

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


def recorded(path: Path) -> list[Message]:
    """What is in a file, as a library reads it that is not ours; times in ticks."""
    [track] = mido.MidiFile(path).tracks
    at, messages = 0, []
    for message in track:
        at += message.time
        if not message.is_meta:
            messages.append((at, bytes(message.bytes())))
    return messages


def written_at_once(path: Path, messages: list[Message]) -> list[Message]:
    start_ns = messages[0][0] if messages else 0
    midi_file.write(path, [(at_ns - start_ns, message) for at_ns, message in messages])
    return recorded(path)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(deltas=st.lists(st.tuples(MESSAGES, st.booleans()), max_size=20))
def test_a_recording_is_what_was_played_whenever_it_was_saved(
    tmp_path: Path, deltas: list[tuple[Message, bool]]
) -> None:
    recording = Recording(tmp_path / "take.mid")
    messages, at_ns = [], 5 * SECOND_NS
    for (delta_ns, message), save in deltas:
        at_ns += delta_ns
        recording.add(at_ns, message)
        messages.append((at_ns, message))
        if save:
            recording.save()
    recording.close()
    # mido itself writes no delta beyond what a file can hold.
    if all(delta_ns < SECOND_NS * 100_000 for (delta_ns, _), _ in deltas):
        assert recorded(tmp_path / "take.mid") == written_at_once(tmp_path / "whole.mid", messages)
    assert [message for _, message in recorded(tmp_path / "take.mid")] == [
        message for _, message in messages
    ]


def test_killed_between_any_two_writes_it_is_as_before_or_as_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = tmp_path / "take.mid"
    states: list[list[Message]] = []
    write = Recording._write

    def write_and_look(recording: Recording, at: int, data: bytes) -> None:
        write(recording, at, data)
        states.append(recorded(take))
        if states[-1]:
            assert len(midi_file.read(take)) == len(states[-1])  # ours reads it just as well

    monkeypatch.setattr(Recording, "_write", write_and_look)
    recording = Recording(take)
    played = []
    for number in range(6):
        at_ns = number * SECOND_NS
        recording.add(at_ns, note_on(0, 60 + number, 80))
        recording.add(at_ns + SECOND_NS // 2, note_off(0, 60 + number))
        recording.save()
        played += [(number * 1920, note_on(0, 60 + number, 80))]
        played += [(number * 1920 + 960, note_off(0, 60 + number))]
    recording.close()
    assert len(states) == 1 + 6 * 3
    for index, state in enumerate(states):
        assert state == played[: 2 * (index // 3)]


def test_what_is_saved_is_not_kept_in_memory(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "take.mid")
    for number in range(1000):
        recording.add(number, note_on(0, 60, 80))
    assert recording._unsaved
    recording.save()
    assert not recording._unsaved
    recording.close()


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_fills_up_keeps_what_was_saved_before(tmp_path: Path) -> None:
    take = tmp_path / "take.mid"
    recording = Recording(take)
    for number in range(2):
        recording.add(number * SECOND_NS, note_on(0, 60, 80))
        recording.add(number * SECOND_NS + SECOND_NS // 2, note_off(0, 60))
    recording.save()
    before = take.read_bytes()
    recording.add(SECOND_NS * 3, note_on(0, 64, 80))
    with (
        files_of_at_most(len(before) + 3),
        pytest.raises(MidiFileError, match=r"cannot write .*take\.mid: File too large"),
    ):
        recording.save()
    assert take.read_bytes() == before
    assert len(midi_file.read(take)) == 4


def test_a_disk_that_is_full_from_the_start_is_told(tmp_path: Path) -> None:
    with (
        files_of_at_most(10),
        pytest.raises(MidiFileError, match=r"cannot write .*take\.mid"),
    ):
        Recording(tmp_path / "take.mid")


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(MidiFileError, match=r"cannot write .*take\.mid: No such file"):
        Recording(tmp_path / "nowhere" / "take.mid")
