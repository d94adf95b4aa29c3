"""Whether what the model plays stays with the piece that it goes on from.

    python scripts/continuation.py FOLDER... [--pieces 20] [--rngs 3] [--model FILE]

FOLDERs hold pieces that the model has not learned from. From the middle of each piece it hears 60
events (what they leave sounding is released, which costs the model the held notes) and plays 200.
These are held against the prompt, and their pitch classes against the rest of the piece as well,
without the 200 events that really follow. So are the events that really follow, and 200 from the
middle of another piece of the folder, which tell what a good and what no continuation measures.
Each cell: ours / the real one / a stranger's, means over the pieces.
"""

from __future__ import annotations

import argparse
import sys
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pieces import pieces
from playing import Player

from core.errors import ComposerError
from core.events import Events

PROMPT, CONTINUATION = 60, 200  # events
SHORTEST_S = 0.1  # a stretch that takes no time has a density all the same

HEADS = (
    "pieces",
    "pitch classes, with the prompt",
    "with the rest of the piece",
    "register, semitones off",
    "density, off by a factor",
)


def classes(music: Events) -> NDArray[np.float64]:
    """How often each of the 12 pitch classes is struck."""
    return np.bincount(music.pitch[music.velocity > 0] % 12, minlength=12).astype(float)


def correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Pearson's; 0 where one of them is flat."""
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size else 0.0


def density(music: Events) -> float:
    """Onsets a second, at least one of them; the silence before the first event left out."""
    onsets = max(int((music.velocity > 0).sum()), 1)
    return onsets / max(music[1:].duration_s, SHORTEST_S)


def compare(
    prompt: Events, rest: NDArray[np.float64], music: Events
) -> tuple[float, float, float, float]:
    """Correlations with prompt and rest, semitones, and octaves (factors of 2) of density."""
    registers = [float(part.pitch[part.velocity > 0].mean()) for part in (prompt, music)]
    return (
        correlation(classes(prompt), classes(music)),
        correlation(rest, classes(music)),
        abs(registers[0] - registers[1]),
        abs(float(np.log2(density(music) / density(prompt)))),
    )


def row(player: Player, music: list[Events], rngs: int) -> list[str]:
    """One cell for each of HEADS."""
    ours, real, strangers = [], [], []
    for index, piece in enumerate(music):
        middle = len(piece) // 2
        prompt = piece[middle - PROMPT : middle]
        follows = piece[middle : middle + CONTINUATION]
        other = music[index - 1]
        stranger = other[len(other) // 2 :][:CONTINUATION]
        rest = classes(piece) - classes(follows)
        for rng in range(rngs):
            played = Events.of(islice(player.play(rng, prompt), CONTINUATION))
            ours.append(compare(prompt, rest, played))
        real.append(compare(prompt, rest, follows))
        strangers.append(compare(prompt, rest, stranger))
    means = [np.mean(each, axis=0) for each in (ours, real, strangers)]
    cells = [str(len(music))]
    cells += [" / ".join(f"{mean[k]:.2f}" for mean in means) for k in (0, 1)]
    cells.append(" / ".join(f"{mean[2]:.1f}" for mean in means))
    cells.append(" / ".join(f"{2 ** mean[3]:.2f}" for mean in means))
    return cells


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path, help="a row each")
    parser.add_argument("--pieces", type=int, default=20, help="of each folder, at most")
    parser.add_argument("--rngs", type=int, default=3, help="continuations of each piece")
    parser.add_argument("--model", type=Path, help="a checkpoint; the one that comes along")
    options = parser.parse_args()
    try:
        player = Player(options.model)
        music = {
            folder: pieces(folder, options.pieces, 2 * (PROMPT + CONTINUATION))
            for folder in options.folders
        }
    except ComposerError as error:
        sys.exit(str(error))
    print("| music | " + " | ".join(HEADS) + " |\n" + "|---" * (len(HEADS) + 1) + "|")
    for folder, found in music.items():
        if len(found) < 2:
            sys.exit(f"{folder} has not two pieces of {2 * (PROMPT + CONTINUATION)} events")
        cells = row(player, found, options.rngs)
        print(f"| {folder.name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
