"""A corpus holds each file's music once, keeps whole pieces apart, and names what it skipped."""

from pathlib import Path

import numpy as np
import pytest

from core import corpus, midi_file
from core.errors import CorpusError


def test_files_are_found_recursively_whatever_the_case_of_their_suffix(songbook: Path) -> None:
    (songbook / "notes.txt").write_text("no music")
    loud = songbook / "LOUD.MID"
    loud.write_bytes(next(songbook.glob("*.mid")).read_bytes())
    files = corpus.find([songbook])
    assert len(files) == 21
    assert loud in files
    assert files == sorted(files)


def test_nothing_to_find_is_an_error_that_names_the_place(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"no MIDI file .* in .*"):
        corpus.find([tmp_path])
    with pytest.raises(CorpusError, match=r"no file or folder at .*nowhere"):
        corpus.find([tmp_path / "nowhere"])


def test_a_bad_file_is_named_and_skipped(songbook: Path) -> None:
    bad = songbook / "bad.mid"
    bad.write_text("this is not music")
    music = corpus.read(corpus.find([songbook]))
    assert len(music.skipped) == 1
    assert "bad.mid" in str(music.skipped[bad])
    assert len(music.held_out) == 20


def scale(*, lifted: bool) -> list[tuple[int, bytes]]:
    """60 keys, one after the other, under a pedal."""
    played = [(0, bytes([0xB0, 64, 127]))]
    for number in range(60):
        at_ns = number * 200_000_000
        played += [(at_ns, bytes([0x90, 30 + number, 80]))]
        if lifted and number == 45:
            played += [(at_ns, bytes([0xB0, 64, 0])), (at_ns, bytes([0xB0, 64, 127]))]
        played += [(at_ns + 100_000_000, bytes([0x80, 30 + number, 0]))]
    return played


def test_a_pedal_that_is_never_lifted_is_not_heard(tmp_path: Path) -> None:
    stuck, lifted = tmp_path / "stuck.mid", tmp_path / "lifted.mid"
    midi_file.write(stuck, scale(lifted=False))
    midi_file.write(lifted, scale(lifted=True))
    without = corpus.read_piece(stuck)
    assert np.cumsum(np.where(without.velocity > 0, 1, -1)).max() == 1
    # A pedal that many notes are played under for a while is meant so.
    assert list(corpus.read_piece(lifted)) == list(midi_file.read(lifted))


def test_only_bad_files_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "bad.mid").write_text("this is not music")
    with pytest.raises(CorpusError, match=r"none of the 1 files can be read.*bad\.mid"):
        corpus.read(corpus.find([tmp_path]))


def test_whole_pieces_are_held_out_and_always_the_same(songbook: Path) -> None:
    files = corpus.find([songbook])
    music, again = corpus.read(files), corpus.read(files)
    assert 0 < music.held_out.sum() < len(music.held_out)
    np.testing.assert_array_equal(music.held_out, again.held_out)
    longer = [event for file in files for event in midi_file.read(file)]
    assert music.events_in(np.arange(20)) == len(longer)


def test_of_a_single_piece_the_end_is_held_out(songbook: Path) -> None:
    music = corpus.read(corpus.find([songbook])[:1])
    assert music.held_out.tolist() == [False, True]
