"""A corpus that was read before is the same from disk, whatever happens to the disk."""

import os
import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from core import cache, corpus, midi_file
from core.batches import Streams
from core.codec import Codec
from core.corpus import Corpus
from core.errors import CorpusError


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were parsed."""
    parsed: list[Path] = []
    read: Callable[..., object] = midi_file.read
    monkeypatch.setattr(
        midi_file, "read", lambda path, **how: (parsed.append(path), read(path, **how))[1]
    )
    return parsed


def assert_same(one: Corpus, two: Corpus) -> None:
    assert one.codec == two.codec
    for ours, theirs in zip(
        (one.tokens, one.bounds, one.held_out), (two.tokens, two.bounds, two.held_out), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_music_is_parsed_once_even_when_it_has_moved(
    songbook: Path, tmp_path: Path, reads: list[Path]
) -> None:
    kept = tmp_path / "kept"
    first = cache.read(corpus.find([songbook]), folder=kept)
    assert len(reads) == 20
    moved = songbook.rename(tmp_path / "moved")
    again = cache.read(corpus.find([moved]), folder=kept)
    assert len(reads) == 20
    assert_same(first, again)
    assert_same(again, corpus.read(corpus.find([moved])))


def test_changed_music_and_another_codec_are_read_anew(songbook: Path, tmp_path: Path) -> None:
    kept, files = tmp_path / "kept", corpus.find([songbook])
    cache.read(files, folder=kept)
    coarse = Codec.log_spaced(8)
    assert_same(cache.read(files, coarse, folder=kept), corpus.read(files, coarse))
    shutil.copy(files[0], files[1])
    assert_same(cache.read(files, folder=kept), corpus.read(files))


def test_what_was_skipped_is_told_each_time_where_it_is_now(songbook: Path, tmp_path: Path) -> None:
    (songbook / "bad.mid").write_text("no music")
    cache.read(corpus.find([songbook]), folder=tmp_path / "kept")
    bad = songbook.rename(tmp_path / "moved") / "bad.mid"
    music = cache.read(corpus.find([bad.parent]), folder=tmp_path / "kept")
    assert str(bad) in str(music.skipped[bad])


@pytest.mark.parametrize("name", ["tokens", "index.json"])
def test_a_damaged_entry_is_made_again(songbook: Path, tmp_path: Path, name: str) -> None:
    kept, files = tmp_path / "kept", corpus.find([songbook])
    cache.read(files, folder=kept)
    (entry,) = kept.iterdir()
    os.truncate(entry / name, 10)
    assert_same(cache.read(files, folder=kept), corpus.read(files))


def test_another_run_that_is_first_does_no_harm(songbook: Path, tmp_path: Path) -> None:
    kept, files = tmp_path / "kept", corpus.find([songbook])
    done = []

    def other_run(file: Path) -> None:
        if not done:
            done.append(file)
            cache.read(files, folder=kept)

    assert_same(cache.read(files, done=other_run, folder=kept), corpus.read(files))
    assert len(list(kept.iterdir())) == 1


def test_only_the_corpora_used_last_are_kept(
    songbook: Path, tmp_path: Path, reads: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "KEPT", 2)
    kept, files = tmp_path / "kept", corpus.find([songbook])
    for used in (0, 1, 0, 2):
        cache.read([files[used]], folder=kept)
    assert len(list(kept.iterdir())) == 2
    reads.clear()
    cache.read([files[0]], folder=kept)
    assert reads == []
    cache.read([files[1]], folder=kept)
    assert reads == [files[1]]


def test_a_folder_that_cannot_be_written_is_one_line(songbook: Path, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("a file")
    with pytest.raises(CorpusError, match=r"cannot keep the music .*kept.*XDG_CACHE_HOME"):
        cache.read(corpus.find([songbook]), folder=tmp_path / "kept")


def test_memory_stays_flat_however_much_music_there_is(tmp_path: Path) -> None:
    piece = tmp_path / "piece.mid"
    notes = [
        (index * 10_000_000, bytes([status, 40 + index % 40, 64]))
        for index in range(300)
        for status in (0x90, 0x80)
    ]
    midi_file.write(piece, notes)

    def peak_bytes(copies: int) -> int:
        folder = tmp_path / str(copies)
        folder.mkdir()
        for number in range(copies):
            shutil.copy(piece, folder / f"{number}.mid")
        files = corpus.find([folder])
        tracemalloc.start()
        music = cache.read(files, folder=tmp_path / "kept")
        streams = Streams(music, music.pieces(held_out=False), 4, 64, seed=0)
        for _ in range(copies):
            streams.next()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak

    peak_bytes(1)  # what is made once
    tokens_bytes = 3 * len(notes) * (150 - 10)
    assert peak_bytes(150) - peak_bytes(10) < tokens_bytes / 2
