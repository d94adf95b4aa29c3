"""A tape, on a disk that fills up."""

from __future__ import annotations

import gc
from pathlib import Path

import mido
import pytest

from realtime.clock import NS_PER_S
from realtime.tape import Tape
from realtime.wire import Kind, Record, note_off, note_on

resource = pytest.importorskip("resource")


def play(tape: Tape, second: int) -> None:
    """The human does, for half of it, and it is saved."""
    for half, message in enumerate((note_on(0, 60, 80), note_off(0, 60))):
        tape.heard(Record(Kind.HEARD, message, at_ns=second * NS_PER_S + half * NS_PER_S // 2))
    tape.save((second + 2) * NS_PER_S)


def test_a_full_disk_is_told_once_and_then_nothing_is_written_any_more(tmp_path: Path) -> None:
    said: list[str] = []
    files = [tmp_path / "t.mid", tmp_path / "t.mid.take"]
    tape = Tape(files[0], [], human=True, max_note_s=30, log=said.append)
    play(tape, 1)
    before = [file.read_bytes() for file in files]
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        play(tape, 4)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    play(tape, 7)
    tape.close(10 * NS_PER_S)
    assert said == [f"cannot write {files[0]}: File too large; what was recorded before is kept"]
    assert [file.read_bytes() for file in files] == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="where no disk is full for trying")
def test_where_there_is_no_room_for_the_take_the_recording_is_brought_to_its_end(
    tmp_path: Path,
) -> None:
    said: list[str] = []
    (tmp_path / "t.mid.take").symlink_to("/dev/full")
    tape = Tape(tmp_path / "t.mid", [], human=True, max_note_s=30, log=said.append)
    play(tape, 1)
    del tape
    gc.collect()  # warns of a file that was left open
    assert len(said) == 1
    assert [message.type for message in mido.MidiFile(tmp_path / "t.mid").tracks[1]] == [
        *("track_name", "note_on", "note_off", "end_of_track")
    ]
