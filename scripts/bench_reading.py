"""Our MIDI reader beside symusic and mido: speed, refusals, and what a lost channel costs.

    python scripts/bench_reading.py FOLDER...

Ours ends in playable events, theirs in messages or notes. Mido reads a sample of the files only.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import mido
import numpy as np
import symusic
from numpy.typing import NDArray

from core import cache, corpus, midi_file, smf
from core.errors import ComposerError
from core.events import Events

SAMPLE = 30  # files for mido
AUDIBLE_S = 0.010  # ends of a note that lie further apart differ

Reader = Callable[[Path], int]  # the number of notes


def ours(path: Path) -> int:
    return len(midi_file.read(path, percussion=True)) // 2


def by_symusic(path: Path) -> int:
    return int(symusic.Score(path, ttype="tick").note_num())


def by_mido(path: Path) -> int:
    tracks = mido.MidiFile(path).tracks
    return sum(m.type == "note_on" and m.velocity > 0 for track in tracks for m in track)


def timed(reader: Reader, files: list[Path]) -> float:
    """Print a line about a reader; the seconds it took."""
    notes, refused = 0, Counter[str]()
    begun_s = time.perf_counter()
    for file in files:
        try:
            notes += reader(file)
        except Exception as error:  # the libraries raise anything
            refused[type(error).__name__] += 1
    passed_s = time.perf_counter() - begun_s
    faults = ", ".join(f"{count} {name}" for name, count in refused.items()) or "none"
    print(f"  {reader.__name__:10} {passed_s:8.2f} s  {notes:9,} notes  refused: {faults}")
    return passed_s


def print_corpus(files: list[Path], symusic_s: float) -> None:
    """The whole way to tokens: read and kept, then found again."""
    with tempfile.TemporaryDirectory() as kept:
        for name in ("tokens", "again"):
            begun_s = time.perf_counter()
            music = cache.read(files, folder=Path(kept))
            passed_s = time.perf_counter() - begun_s
            ratio = f"{passed_s / symusic_s:.2f} x symusic"
            print(f"  {name:10} {passed_s:8.2f} s  {len(music.tokens):9,} events {ratio}")
        del music  # Windows deletes no mapped file


def lengths_s(events: Events) -> NDArray[np.float64]:
    """Of each note, ordered by pitch and onset: on one pitch strikes and releases alternate."""
    at_s = np.cumsum(events.delta_s)[np.argsort(events.pitch, kind="stable")]
    return at_s[1::2] - at_s[0::2]


def lost_lengths_s(path: Path) -> NDArray[np.float64]:
    """How much shorter each note is where the pedal holds the notes of its own track only.

    Each track is read alone, once with the pedals of all tracks and once with its own: symusic
    keeps pedals by track and drops the channel, so that no more can be had from it.
    """
    file = smf.parse(path.read_bytes())
    columns = file.messages
    meta = columns.status == smf.META
    control = columns.status & 0xF0 == 0xB0
    struck = (columns.status & 0xF0 == 0x90) & (columns.data2 > 0)
    lost = [np.zeros(0)]
    for track in np.unique(columns.track[struck]):
        own = meta | (columns.track == track)
        both = [
            smf.File(file.kind, file.division, smf.Messages(*(c[kept] for c in columns)))
            for kept in (own | control, own)
        ]
        full, alone = (lengths_s(midi_file.events(part, percussion=True)) for part in both)
        lost.append(full - alone)
    return np.concatenate(lost)


def print_losses(files: list[Path]) -> None:
    touched = readable = notes = differ = 0
    lost_s = full_s = 0.0
    for path in files:
        try:
            full_s += float(lengths_s(midi_file.read(path, percussion=True)).sum())
            lost = lost_lengths_s(path)
        except ComposerError:
            continue
        readable += 1
        notes += len(lost)
        differ += np.count_nonzero(lost > AUDIBLE_S)
        touched += bool((lost > AUDIBLE_S).any())
        lost_s += float(lost.sum())
    print("  without the pedals of other tracks:")
    print(f"    files that differ  {touched:9,} of {readable:,} ({touched / readable:.0%})")
    print(f"    notes cut short    {differ:9,} of {notes:,} ({differ / notes:.1%})")
    print(f"    sounding time lost {lost_s / 3600:9.2f} of {full_s / 3600:.2f} h")


def main() -> None:
    for folder in sys.argv[1:] or sys.exit(__doc__):
        files = corpus.find([Path(folder)])
        print(f"{folder}: {len(files)} files")
        our_s, symusic_s = timed(ours, files), timed(by_symusic, files)
        print_corpus(files, symusic_s)
        sample = files[:: -(-len(files) // SAMPLE)]
        print(f"  a sample of {len(sample)} files:")
        our_sample_s, mido_s = timed(ours, sample), timed(by_mido, sample)
        print(
            f"  time over ours: symusic {symusic_s / our_s:.3f}, mido {mido_s / our_sample_s:.1f}"
        )
        print_losses(files)


if __name__ == "__main__":
    main()
