"""Many MIDI files as one array of tokens, cut by piece."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

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
