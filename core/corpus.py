"""Many MIDI files as one array of tokens, cut by piece."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
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
    skipped: Mapping[Path, MidiFileError] = field(default_factory=dict)
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
    into: Path | None = None,
) -> Corpus:
    """Read files into a corpus; those that cannot be read are skipped and kept in `skipped`.

    Args:
        files: as found by `find`.
        codec: how to encode, or what to make it with; None fits a log-spaced one to these files.
        done: called after each file.
        reader: what reads a file.
        hold_out: some of the pieces; of a single one, its last tenth.
        into: a file to hold the tokens, [events, 3] as they are, mapped into memory: then music
            of any size needs no more memory than its largest file. None keeps them in memory.

    Raises:
        CorpusError: not one of the files could be read, or no codec fits them.
        OSError: `into` cannot be written.
    """
    if codec is not None and not isinstance(codec, Codec):
        codec = _made_for(files, codec, reader)
    encoding = codec or Codec.log_spaced()  # fitting moves what bins decode to, not their edges
    counts, sums = encoding.tally(np.zeros(0))
    lengths: list[int] = []
    held_out: list[bool] = []
    skipped: dict[Path, MidiFileError] = {}
    left_out = 0
    with BytesIO() if into is None else into.open("wb") as sink:
        for file in files:
            try:
                events = reader(file)
            except MidiFileError as error:
                skipped[file] = error
            else:
                more, longer = encoding.tally(events.delta_s)
                counts, sums = counts + more, sums + longer
                piece = encoding.encode_all(events)
                sink.write(piece.tobytes())
                lengths.append(len(piece))
                left_out += len(events) - len(piece)
                held_out.append(hold_out and _is_held_out(piece))
            done(file)
        data = sink.getvalue() if isinstance(sink, BytesIO) else b""
    if not lengths:
        raise _none_read(files, skipped[files[0]])
    if hold_out and len(lengths) == 1:  # its last tenth stands for the music not seen
        cut = lengths[0] * 9 // 10
        lengths, held_out = [cut, lengths[0] - cut], [False, True]
    elif hold_out and (all(held_out) or not any(held_out)):
        held_out = [index == 0 for index in range(len(lengths))]
    return Corpus(
        codec or encoding.fitted_to(counts, sums),
        np.frombuffer(data, np.uint8).reshape(-1, 3) if into is None else mapped(into),
        np.cumsum([0, *lengths]),
        np.array(held_out),
        skipped,
        left_out,
    )


def _made_for(
    files: Sequence[Path], codec_for: CodecFor, reader: Callable[[Path], Events]
) -> Codec:
    """A codec that must see every delta at once: the files are read once more for it."""
    deltas_s: list[NDArray[np.float64]] = []
    error: MidiFileError | None = None
    for file in files:
        try:
            deltas_s.append(reader(file).delta_s)
        except MidiFileError as unreadable:
            error = error or unreadable
    if not deltas_s:
        raise _none_read(files, error)
    try:
        return codec_for(np.concatenate(deltas_s))
    except ValueError as misfit:
        raise CorpusError(f"this music cannot be encoded: {misfit}") from misfit


def _none_read(files: Sequence[Path], first: MidiFileError | None) -> CorpusError:
    return CorpusError(f"none of the {len(files)} files can be read; the first: {first}")


def mapped(path: Path) -> NDArray[np.uint8]:
    """Tokens, uint8 [events, 3], that stay on disk until they are looked at."""
    if not path.stat().st_size:  # nothing cannot be mapped
        return np.zeros((0, 3), np.uint8)
    return np.memmap(path, np.uint8, "r").reshape(-1, 3)


def _is_held_out(piece: NDArray[np.uint8]) -> bool:
    """Decided by content: a copy of a piece falls on the same side, and so it does next time."""
    digest = hashlib.sha256(piece.tobytes()).digest()
    return int.from_bytes(digest[:8], "big") < HELD_OUT * 2**64
