"""Piano rolls side by side: a real excerpt, the book's recipe, and ours.

    python scripts/piano_rolls.py REAL.mid BOOK.mid OUT.png [--seconds 30] [--rng 0] [--model FILE]

BOOK.mid is what a model trained with --preset book plays. The first seconds of each from its
first note on; a note is as long as it sounds, pedal included, and the lighter the harder.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from itertools import dropwhile
from pathlib import Path

from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from music import Note, notes
from playing import Player

from core import midi_file
from core.errors import ComposerError
from core.events import Event


def excerpt(events: Iterable[Event], seconds: float) -> list[Note]:
    """The notes struck within so many seconds of the first; those that go on end there."""
    within = notes(_until(events, seconds))
    return [n._replace(length_s=min(n.length_s, seconds - n.at_s)) for n in within]


def _until(events: Iterable[Event], seconds: float) -> Iterator[Event]:
    at_s = 0.0
    begun = dropwhile(lambda event: not event.is_onset, events)
    for index, event in enumerate(begun):
        delta_s = event.delta_s if index else 0.0
        at_s += delta_s
        if at_s >= seconds:
            yield Event(delta_s, event.pitch, 0)  # the others still sound, until here at least
            return
        yield Event(delta_s, event.pitch, event.velocity)


def draw(path: Path, rolls: dict[str, list[Note]], seconds: float) -> None:
    figure = Figure(figsize=(15, 5), layout="constrained")
    all_axes = figure.subplots(1, len(rolls), sharex=True, sharey=True)
    for axes, (name, music) in zip(all_axes, rolls.items(), strict=True):
        lines = [((n.at_s, n.pitch), (n.at_s + n.length_s, n.pitch)) for n in music]
        velocities = [n.velocity for n in music]
        bars = LineCollection(lines, array=velocities, clim=(0, 127), cmap="plasma", linewidths=3)
        axes.add_collection(bars)
        axes.set(title=name, xlim=(0, seconds), ylim=(21, 108), xlabel="seconds", facecolor="0.1")
        axes.set_yticks(range(24, 109, 12), [f"C{octave}" for octave in range(1, 9)])
    figure.colorbar(bars, ax=all_axes, label="velocity", pad=0.01)
    figure.savefig(path, dpi=100)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("real", type=Path)
    parser.add_argument("book", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--rng", type=int, default=0)
    parser.add_argument("--model", type=Path, help="a checkpoint; the one that comes along")
    options = parser.parse_args()
    try:
        music = {
            "real": midi_file.read(options.real),
            "the book's recipe": midi_file.read(options.book),
            "ours": Player(options.model).play(options.rng),
        }
    except ComposerError as error:
        sys.exit(str(error))
    rolls = {name: excerpt(events, options.seconds) for name, events in music.items()}
    draw(options.out, rolls, options.seconds)
    for name, roll in rolls.items():
        print(f"{name}: {len(roll)} notes")


if __name__ == "__main__":
    main()
