"""Every piece is read from its start to its end, once an epoch."""

from pathlib import Path

import numpy as np

from core import corpus
from core.batches import Batch, Streams, Windows


def test_streams_read_every_piece_from_start_to_end_once_an_epoch(songbook: Path) -> None:
    music = corpus.read(corpus.find([songbook]))
    pieces = np.arange(len(music.held_out))
    heard: list[list[list[int]]] = [[] for _ in range(4)]
    start = [music.codec.notes, music.codec.velocities, music.codec.time_bins]
    for batch in Streams(music, pieces, 4, 16, seed=0).once():
        for stream in range(4):
            real = batch.real[stream]
            assert (batch.tokens[stream, 0].tolist() == start) == batch.fresh[stream]
            if batch.fresh[stream]:
                heard[stream].append([])
            elif real[0]:
                assert batch.tokens[stream, 0].tolist() == heard[stream][-1][-1]
            assert (
                batch.tokens[stream, 1:][real[1:]] == batch.targets[stream, :-1][real[1:]]
            ).all()
            if real[0]:
                heard[stream][-1] += batch.targets[stream][real].tolist()
    expected = [
        music.tokens[begin:end].tolist()
        for begin, end in zip(music.bounds[:-1], music.bounds[1:], strict=True)
    ]
    assert sorted(piece for stream in heard for piece in stream) == sorted(expected)


def test_a_piece_is_moved_as_a_whole_and_stays_on_the_keyboard(songbook: Path) -> None:
    music = corpus.read(corpus.find([songbook])[:1], hold_out=False)
    written = music.tokens.astype(int)
    streams = Streams(music, np.arange(1), 1, len(written), seed=0, transpose=100)
    moved = set()
    for _ in range(20):
        heard = streams.next().targets[0]
        np.testing.assert_array_equal(heard[:, 1:], written[:, 1:])
        semitones = set((heard - written)[:, 0])
        assert len(semitones) == 1
        moved |= semitones
        assert heard[:, 0].min() >= 0
        assert heard[:, 0].max() < music.codec.notes
    assert min(moved) < 0 < max(moved)


def test_streams_go_on_where_they_stood(songbook: Path) -> None:
    music = corpus.read(corpus.find([songbook]))
    pieces = music.pieces(held_out=False)
    first = Streams(music, pieces, 4, 16, seed=3, transpose=6)
    for _ in range(50):
        first.next()
    second = Streams(music, pieces, 4, 16, seed=3, transpose=6)
    second.seek(first.position())
    for _ in range(50):
        for ours, theirs in zip(first.next(), second.next(), strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_every_window_within_a_piece_is_seen_once_an_epoch_or_held_out(songbook: Path) -> None:
    music = corpus.read(corpus.find([songbook])[:3], hold_out=False)
    training, held_out = Windows.split(music, 8, 5, seed=1)
    inside = [
        music.tokens[first : first + 6].tolist()
        for begin, end in zip(music.bounds[:-1], music.bounds[1:], strict=True)
        for first in range(begin, end - 5)
    ]
    assert held_out.targets == len(inside) // 10
    assert training.targets == len(inside) - held_out.targets
    batches = [training.next() for _ in range(training.stretches)]
    assert len(batches) == -(-training.targets // 8)
    seen = [row for batch in [*batches, *held_out.once()] for row in windows_of(batch)]
    assert sorted(seen) == sorted(inside)
    assert windows_of(training.next()) != windows_of(batches[0])  # in another order


def windows_of(batch: Batch) -> list[list[list[int]]]:
    """Each as its events and, at the end, its target: the only one that counts."""
    assert batch.fresh.all()
    assert not batch.real[:, :-1].any()
    real = batch.real[:, -1]
    assert (batch.tokens[real, 1:] == batch.targets[real, :-1]).all()
    return np.concatenate([batch.tokens[real], batch.targets[real, -1:]], axis=1).tolist()


def test_windows_go_on_where_they_stood(songbook: Path) -> None:
    music = corpus.read(corpus.find([songbook])[:1], hold_out=False)
    first, _ = Windows.split(music, 8, 5, seed=1)
    for _ in range(first.stretches + 3):
        first.next()
    second, _ = Windows.split(music, 8, 5, seed=1)
    second.seek(first.position())
    for _ in range(first.stretches):
        assert windows_of(first.next()) == windows_of(second.next())
