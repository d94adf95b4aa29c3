"""Many MIDI files as one array of tokens, cut by piece; and streams of them for training."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core import midi_file
from core.codec import Codec
from core.errors import CorpusError, MidiFileError
from core.events import Events

SUFFIXES = {".mid", ".midi", ".kar", ".rmi"}
HELD_OUT = 0.03  # share of the pieces kept for validation


def find(paths: Iterable[Path]) -> list[Path]:
    """Every MIDI file named or found below the folders named, sorted.

    Raises:
        CorpusError: a path does not exist, or there is no MIDI file at all.
    """
    paths = list(paths)
    files: set[Path] = set()
    for path in paths:
        if path.is_dir():
            files.update(
                file
                for file in path.rglob("*")
                if file.suffix.lower() in SUFFIXES and file.is_file()
            )
        elif path.exists():
            files.add(path)
        else:
            raise CorpusError(f"no file or folder at {path}")
    if not files:
        places = ", ".join(map(str, paths))
        raise CorpusError(f"no MIDI file (.mid, .midi, .kar, .rmi) in {places}")
    return sorted(files)


@dataclass(frozen=True, slots=True, eq=False)
class Corpus:
    """Pieces of music, one after the other: piece i is `tokens[bounds[i]:bounds[i + 1]]`."""

    codec: Codec
    tokens: NDArray[np.uint8]  # [events, 3]
    bounds: NDArray[np.int64]  # [pieces + 1]
    held_out: NDArray[np.bool_]  # [pieces]: kept for validation
    skipped: Sequence[MidiFileError] = ()

    def pieces(self, *, held_out: bool) -> NDArray[np.intp]:
        return np.flatnonzero(self.held_out == held_out)

    def events_in(self, pieces: NDArray[np.intp]) -> int:
        return int((self.bounds[pieces + 1] - self.bounds[pieces]).sum())


def read(
    files: Sequence[Path],
    codec: Codec | None = None,
    done: Callable[[Path], None] = lambda _: None,
) -> Corpus:
    """Read files into a corpus; those that cannot be read are skipped and kept in `skipped`.

    Args:
        files: as found by `find`.
        codec: how to encode; None fits a log-spaced one to these files.
        done: called after each file.

    Raises:
        CorpusError: not one of the files could be read.
    """
    read_events: list[Events] = []
    skipped: list[MidiFileError] = []
    for file in files:
        try:
            read_events.append(midi_file.read(file))
        except MidiFileError as error:
            skipped.append(error)
        done(file)
    if not read_events:
        raise CorpusError(f"none of the {len(files)} files can be read; the first: {skipped[0]}")
    if codec is None:
        codec = Codec.log_spaced().fitted(np.concatenate([e.delta_s for e in read_events]))
    pieces = [codec.encode_all(events) for events in read_events]
    held_out = [_is_held_out(piece) for piece in pieces]
    if len(pieces) == 1:  # one piece: its last tenth stands for the music not seen
        cut = len(pieces[0]) * 9 // 10
        pieces, held_out = [pieces[0][:cut], pieces[0][cut:]], [False, True]
    elif all(held_out) or not any(held_out):
        held_out = [index == 0 for index in range(len(pieces))]
    return Corpus(
        codec,
        np.concatenate(pieces),
        np.cumsum([0, *map(len, pieces)]),
        np.array(held_out),
        skipped,
    )


def _is_held_out(piece: NDArray[np.uint8]) -> bool:
    """Decided by content: a copy of a piece falls on the same side, and so it does next time."""
    digest = hashlib.sha256(piece.tobytes()).digest()
    return int.from_bytes(digest[:8], "big") < HELD_OUT * 2**64


class Batch(NamedTuple):
    """A stretch of every stream. Where a piece has ended, `real` is false until the next batch."""

    tokens: NDArray[np.int64]  # [streams, steps, 3], shifted: what stands before each target
    targets: NDArray[np.int64]  # [streams, steps, 3]
    real: NDArray[np.bool_]  # [streams, steps]
    fresh: NDArray[np.bool_]  # [streams]: a new piece begins, its state is silence


class Streams:
    """Pieces side by side, shuffled, each read from START to its end, a stretch at a time.

    A piece begins at the start of a stretch, so that its state can be set to silence; what is
    left of the stretch in which it ended stays empty.
    """

    def __init__(
        self, corpus: Corpus, pieces: NDArray[np.intp], streams: int, steps: int, seed: int
    ) -> None:
        codec = corpus.codec
        self._corpus = corpus
        self._pieces = pieces
        self._steps = steps
        self._seed = seed
        self._start = (codec.notes, codec.velocities, codec.time_bins)
        self._taken = 0  # pieces begun so far
        self._order = self._shuffled(0)
        self._at = np.zeros((streams, 2), np.int64)  # of each stream: next event, end of piece

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
            position, end = self._at[stream]
            if position == end and (endless or self._taken < len(self._pieces)):
                position, end = self._begin()
                fresh[stream] = True
            count = min(self._steps, end - position)
            if count == 0:
                continue
            targets[stream, :count] = self._corpus.tokens[position : position + count]
            tokens[stream, 1:count] = targets[stream, : count - 1]
            tokens[stream, 0] = self._start if fresh[stream] else self._corpus.tokens[position - 1]
            real[stream, :count] = True
            self._at[stream] = position + count, end
        return Batch(tokens, targets, real, fresh)

    def position(self) -> dict[str, Any]:
        """Where reading stands, for JSON; `seek` returns there."""
        return {"taken": self._taken, "at": self._at.tolist()}

    def seek(self, position: dict[str, Any]) -> None:
        self._taken = int(position["taken"])
        self._order = self._shuffled(self._taken // len(self._pieces))
        self._at = np.array(position["at"], np.int64)

    def _begin(self) -> tuple[int, int]:
        passes, index = divmod(self._taken, len(self._pieces))
        if index == 0:
            self._order = self._shuffled(passes)
        self._taken += 1
        piece = self._order[index]
        return int(self._corpus.bounds[piece]), int(self._corpus.bounds[piece + 1])

    def _shuffled(self, passes: int) -> NDArray[np.intp]:
        return np.random.default_rng((self._seed, passes)).permutation(self._pieces)
