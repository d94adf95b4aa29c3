"""What training is fed: pieces of a corpus side by side, a stretch at a time; or, as the textbook
does it, windows cut out of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.corpus import Corpus

HELD_OUT_AT_MOST = 3000  # windows


class Batch(NamedTuple):
    """A stretch of every stream. Where a piece has ended, `real` is false until the next batch."""

    tokens: NDArray[np.int64]  # [streams, steps, 3], shifted: what stands before each target
    targets: NDArray[np.int64]  # [streams, steps, 3]
    real: NDArray[np.bool_]  # [streams, steps]
    fresh: NDArray[np.bool_]  # [streams]: a new piece begins, its state is silence

    def of(self, streams: slice) -> Batch:
        return Batch(
            self.tokens[streams], self.targets[streams], self.real[streams], self.fresh[streams]
        )


class Streams:
    """Pieces side by side, shuffled, each read from START to its end, a stretch at a time.

    A piece begins at the start of a stretch, so that its state can be set to silence; what is
    left of the stretch in which it ended stays empty.

    Args:
        transpose: each time it is read a piece is moved by up to so many semitones, by chance,
            as far as there are notes for it: a corpus is too small to have every turn in every key.
    """

    def __init__(
        self,
        corpus: Corpus,
        pieces: NDArray[np.intp],
        streams: int,
        steps: int,
        seed: int,
        transpose: int = 0,
    ) -> None:
        codec = corpus.codec
        self._corpus = corpus
        self._pieces = pieces
        self._steps = steps
        self._seed = seed
        self._transpose = transpose
        self._start = (codec.notes, codec.velocities, codec.time_bins)
        self._taken = 0  # pieces begun so far
        self._order = self._shuffled(0)
        self._at = np.zeros((streams, 3), np.int64)  # of each: next event, end of piece, semitones
        self.targets = corpus.events_in(pieces)  # in an epoch
        self.stretches = max(1, self.targets // (streams * steps))  # in an epoch, about

    def next(self) -> Batch:
        """The next stretch; when all pieces are through, they begin again in another order."""
        return self._stretch(endless=True)

    def once(self) -> Iterator[Batch]:
        """Once through all the pieces."""
        while (batch := self._stretch(endless=False)).real.any():
            yield batch

    def _stretch(self, *, endless: bool) -> Batch:
        streams = len(self._at)
        targets = np.zeros((streams, self._steps, 3), np.int64)
        tokens = np.zeros_like(targets)
        real = np.zeros((streams, self._steps), bool)
        fresh = np.zeros(streams, bool)
        for stream in range(streams):
            position, end, semitones = self._at[stream]
            if position == end and (endless or self._taken < len(self._pieces)):
                position, end, semitones = self._begin()
                fresh[stream] = True
            count = min(self._steps, end - position)
            if count == 0:
                continue
            targets[stream, :count] = self._corpus.tokens[position : position + count]
            targets[stream, :count, 0] += semitones
            tokens[stream, 1:count] = targets[stream, : count - 1]
            if fresh[stream]:
                tokens[stream, 0] = self._start
            else:
                tokens[stream, 0] = self._corpus.tokens[position - 1]
                tokens[stream, 0, 0] += semitones
            real[stream, :count] = True
            self._at[stream] = position + count, end, semitones
        return Batch(tokens, targets, real, fresh)

    def position(self) -> dict[str, Any]:
        """Where reading stands, for JSON; `seek` returns there."""
        return {"taken": self._taken, "at": self._at.tolist()}

    def seek(self, position: dict[str, Any]) -> None:
        self._taken = int(position["taken"])
        self._order = self._shuffled(self._taken // len(self._pieces))
        self._at = np.array(position["at"], np.int64)

    def _begin(self) -> tuple[int, int, int]:
        passes, index = divmod(self._taken, len(self._pieces))
        if index == 0:
            self._order = self._shuffled(passes)
        self._taken += 1
        piece = self._order[index]
        begin, end = int(self._corpus.bounds[piece]), int(self._corpus.bounds[piece + 1])
        return begin, end, self._semitones(begin, end)

    def _semitones(self, begin: int, end: int) -> int:
        """How far the piece is moved this time."""
        if not self._transpose:
            return 0
        notes = self._corpus.tokens[begin:end, 0]
        lowest, highest = -int(notes.min()), self._corpus.codec.notes - 1 - int(notes.max())
        rng = np.random.default_rng((self._seed, self._taken, 1))
        wanted = int(rng.integers(-self._transpose, self._transpose + 1))
        return min(max(wanted, lowest), highest)

    def _shuffled(self, passes: int) -> NDArray[np.intp]:
        return np.random.default_rng((self._seed, passes)).permutation(self._pieces)


def window_starts(corpus: Corpus, steps: int) -> NDArray[np.int64]:
    """Where a window of so many events begins that one more of the same piece follows."""
    spans = zip(corpus.bounds[:-1], corpus.bounds[1:], strict=True)
    return np.concatenate([np.arange(begin, end - steps) for begin, end in spans])


class Windows:
    """Windows of events, shuffled, each from silence; the event after a window is its one target.

    As all but one event of a window are in the next one too, an epoch takes dozens of times as
    long as with `Streams`, and windows held out have seen training all around them.
    """

    def __init__(
        self, corpus: Corpus, starts: NDArray[np.int64], windows: int, steps: int, seed: int
    ) -> None:
        self._corpus = corpus
        self.starts = starts
        self._windows = windows
        self._steps = steps
        self._seed = seed
        self._taken = 0  # batches so far
        self._order = self._shuffled(0)
        self.targets = len(starts)  # in an epoch
        self.stretches = -(-len(starts) // windows)  # batches in an epoch

    @classmethod
    def split(cls, corpus: Corpus, windows: int, steps: int, seed: int) -> tuple[Windows, Windows]:
        """Nine tenths of all windows, and the other tenth, drawn by chance; no more of it than is
        enough to measure by.
        """
        starts = np.random.default_rng(seed).permutation(window_starts(corpus, steps))
        parts = np.split(starts, [len(starts) - min(len(starts) // 10, HELD_OUT_AT_MOST)])
        training, held_out = (cls(corpus, part, windows, steps, seed) for part in parts)
        return training, held_out

    def next(self) -> Batch:
        """The next batch; when all windows are through, they begin again in another order."""
        passes, index = divmod(self._taken, self.stretches)
        if index == 0:
            self._order = self._shuffled(passes)
        self._taken += 1
        return self._batch(self._order[index * self._windows : (index + 1) * self._windows])

    def once(self) -> Iterator[Batch]:
        """Once through all the windows."""
        for first in range(0, len(self.starts), self._windows):
            yield self._batch(self.starts[first : first + self._windows])

    def _batch(self, starts: NDArray[np.int64]) -> Batch:
        """An epoch's last batch is as large as the others, the rest of it not real."""
        events = np.zeros((self._windows, self._steps + 1, 3), np.int64)
        events[: len(starts)] = self._corpus.tokens[starts[:, None] + np.arange(self._steps + 1)]
        real = np.zeros((self._windows, self._steps), bool)
        real[: len(starts), -1] = True
        return Batch(events[:, :-1], events[:, 1:], real, np.ones(self._windows, bool))

    def position(self) -> dict[str, Any]:
        """Where training stands, for JSON; `seek` returns there."""
        return {"taken": self._taken}

    def seek(self, position: dict[str, Any]) -> None:
        self._taken = int(position["taken"])
        self._order = self._shuffled(self._taken // self.stretches)

    def _shuffled(self, passes: int) -> NDArray[np.int64]:
        return np.random.default_rng((self._seed, passes)).permutation(self.starts)
