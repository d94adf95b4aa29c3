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
CROWD, STUCK = 40, 0.1  # more notes sound than so many, for so much of the time: a stuck pedal
HELD_OUT = 0.03  # share of the pieces kept for validation

CodecFor = Callable[[NDArray[np.float64]], Codec]  # made for the deltas of some music


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
    left_out: int = 0  # events on keys that the codec has not

    def pieces(self, *, held_out: bool) -> NDArray[np.intp]:
        return np.flatnonzero(self.held_out == held_out)

    def events_in(self, pieces: NDArray[np.intp]) -> int:
        return int((self.bounds[pieces + 1] - self.bounds[pieces]).sum())


def read_piece(path: Path) -> Events:
    """Read a file, without its pedal where that is stuck: pressed early, and never lifted.

    Some sequenced songs have lost the message that lifts it. A model would learn from them
    that notes are hardly ever released.

    Raises:
        MidiFileError: as `midi_file.read`.
    """
    events = midi_file.read(path)
    lasts_s = np.append(events.delta_s[1:], 0.0)
    crowded = np.cumsum(np.where(events.velocity > 0, 1, -1)) > CROWD
    if lasts_s[crowded].sum() > STUCK * events.duration_s:
        return midi_file.read(path, pedal=False)
    return events


def read(
    files: Sequence[Path],
    codec: Codec | CodecFor | None = None,
    done: Callable[[Path], None] = lambda _: None,
    *,
    reader: Callable[[Path], Events] = read_piece,
    hold_out: bool = True,
) -> Corpus:
    """Read files into a corpus; those that cannot be read are skipped and kept in `skipped`.

    Args:
        files: as found by `find`.
        codec: how to encode, or what to make it with; None fits a log-spaced one to these files.
        done: called after each file.
        reader: what reads a file.
        hold_out: some of the pieces; of a single one, its last tenth.

    Raises:
        CorpusError: not one of the files could be read, or no codec fits them.
    """
    read_events: list[Events] = []
    skipped: list[MidiFileError] = []
    for file in files:
        try:
            read_events.append(reader(file))
        except MidiFileError as error:
            skipped.append(error)
        done(file)
    if not read_events:
        raise CorpusError(f"none of the {len(files)} files can be read; the first: {skipped[0]}")
    if not isinstance(codec, Codec):
        try:
            codec = (codec or _log_spaced)(np.concatenate([e.delta_s for e in read_events]))
        except ValueError as error:
            raise CorpusError(f"this music cannot be encoded: {error}") from error
    pieces = [codec.encode_all(events) for events in read_events]
    left_out = sum(map(len, read_events)) - sum(map(len, pieces))
    held_out = [hold_out and _is_held_out(piece) for piece in pieces]
    if hold_out and len(pieces) == 1:  # its last tenth stands for the music not seen
        cut = len(pieces[0]) * 9 // 10
        pieces, held_out = [pieces[0][:cut], pieces[0][cut:]], [False, True]
    elif hold_out and (all(held_out) or not any(held_out)):
        held_out = [index == 0 for index in range(len(pieces))]
    return Corpus(
        codec,
        np.concatenate(pieces),
        np.cumsum([0, *map(len, pieces)]),
        np.array(held_out),
        skipped,
        left_out,
    )


def _log_spaced(deltas_s: NDArray[np.float64]) -> Codec:
    return Codec.log_spaced().fitted(deltas_s)


def _is_held_out(piece: NDArray[np.uint8]) -> bool:
    """Decided by content: a copy of a piece falls on the same side, and so it does next time."""
    digest = hashlib.sha256(piece.tobytes()).digest()
    return int.from_bytes(digest[:8], "big") < HELD_OUT * 2**64
