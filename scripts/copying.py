"""How much of what the model plays it has copied from the music that it learned from.

    python scripts/copying.py TRAINING... --held-out FOLDER... [--minutes 100] [--rng 0]
                              [--model FILE]

For each note played: for how many notes on from it the pitches, in the order struck, are those of
some place in the training music. The longest of these runs, their 95th percentile, and the same
for as many minutes of real music that was held out, which tells how much pieces have in common
anyway. Time and velocity do not count, transpositions do not match.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from playing import Player

from core import corpus, midi_file
from core.errors import ComposerError, MidiFileError
from core.events import Event, Events

Pitches = NDArray[np.uint8]  # of the notes of a piece, in the order struck; chords from below


def read(paths: list[Path], seconds: float = float("inf")) -> tuple[list[Pitches], float]:
    """Pieces, by chance, until they last so long; and how long they last."""
    files = corpus.find(paths)
    random.Random(0).shuffle(files)
    music: list[Pitches] = []
    begin_s = 0.0
    for file in files:
        if begin_s >= seconds:
            break
        try:
            piece = midi_file.read(file)
        except MidiFileError:
            continue
        music.append(pitches(piece, seconds - begin_s))
        begin_s += min(piece.duration_s, seconds - begin_s)
    return music, begin_s


def play(player: Player, rng: int, seconds: float) -> Pitches:
    played: list[Event] = []
    at_s = 0.0
    for event in player.play(rng):
        at_s += event.delta_s
        if at_s >= seconds:
            break
        played.append(event)
    return pitches(Events.of(played), seconds)


def pitches(music: Events, seconds: float) -> Pitches:
    at_s = np.cumsum(music.delta_s)
    onsets = (music.velocity > 0) & (at_s < seconds)
    at_s, struck = at_s[onsets], music.pitch[onsets]
    return struck[np.lexsort((struck, at_s))]


def runs(music: Sequence[Pitches], training: Sequence[Pitches]) -> NDArray[np.int64]:
    """From each note of the music: how many notes on are the same at some place in the training.

    Runs grow by a note at a time, on both sides; only those that have matched so far grow. They
    are compared by 64-bit hashes: with millions of runs a false match is one in a million.
    """
    ours, theirs = _Growing(music), _Growing(training)
    lengths = np.zeros(len(ours.values), np.int64)
    while len(ours.at) and len(theirs.at):
        ours.grow()
        theirs.grow()
        ours.keep(np.isin(ours.hashes, theirs.hashes))
        theirs.keep(np.isin(theirs.hashes, ours.hashes))
        lengths[ours.at] += 1
    return lengths


class _Growing:
    """Runs of notes, one from each place, hashed as polynomials modulo 2**64."""

    _FACTOR = np.uint64(0x9E3779B97F4A7C15)

    def __init__(self, music: Sequence[Pitches]) -> None:
        symbols = np.random.default_rng(0).integers(1, 2**64, 128, np.uint64)
        self.values = symbols[np.concatenate(music)]
        sizes = np.array([len(piece) for piece in music])
        self._ends = np.repeat(np.cumsum(sizes), sizes)  # of the piece that a note is in
        self.at = np.arange(len(self.values))  # where each run begins
        self.hashes = np.zeros(len(self.at), np.uint64)
        self._size = 0

    def grow(self) -> None:
        """By a note each; those that reach the end of their piece are gone."""
        self.keep(self.at + self._size < self._ends[self.at])
        self.hashes = self.hashes * self._FACTOR + self.values[self.at + self._size]
        self._size += 1

    def keep(self, which: NDArray[np.bool_]) -> None:
        self.at, self.hashes = self.at[which], self.hashes[which]


def row(name: str, seconds: float, lengths: NDArray[np.int64]) -> str:
    figures = f"{lengths.max()} | {np.percentile(lengths, 95):.0f} | {np.median(lengths):.0f}"
    return f"| {name} | {seconds / 60:.0f} | {len(lengths):,} | {figures} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("training", nargs="+", type=Path, help="what the model learned from")
    parser.add_argument("--held-out", nargs="+", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=100)
    parser.add_argument("--rng", type=int, default=0)
    parser.add_argument("--model", type=Path, help="a checkpoint; the one that comes along")
    options = parser.parse_args()
    seconds = 60 * options.minutes
    try:
        player = Player(options.model)
        training, _ = read(options.training)
        held_out, held_out_s = read(options.held_out, seconds)
    except ComposerError as error:
        sys.exit(str(error))
    played = play(player, options.rng, seconds)
    begun_s = time.process_time()
    ours, real = runs([played], training), runs(held_out, training)
    spent_s = time.process_time() - begun_s
    print("| music | minutes | notes | longest run | 95th percentile | median |")
    print("|---" * 6 + "|")
    print(row("ours", seconds, ours))
    print(row("held-out real music", held_out_s, real))
    print(
        f"\nagainst {sum(map(len, training)):,} notes of training, in {spent_s:.1f} s of CPU time"
    )


if __name__ == "__main__":
    main()
