"""Whether pieces do keep their key and their place as realtime/keeping.py has it.

    python scripts/keeping.py FOLDER... [--pieces 20] [--events 4000] [--model FILE]

FOLDERs hold pieces that the model has not learned from. Each is heard from its beginning, and at
each note that is struck the model is asked how likely that was: in nats, in the mean. As it comes;
drawn to the middle of the keyboard; and drawn to the key as well, more and more firmly. What
keeping costs or saves is less than that, for it knows no more of a piece than a few numbers.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pieces import pieces

from core import checkpoint
from core.codec import Codec
from core.errors import ComposerError
from core.events import Events
from realtime.bias import Strikes, which_not_whether
from realtime.engine import Engine
from realtime.keeping import KEY_STRENGTH, NOTHING, Keeping
from realtime.plain import engine_for
from realtime.settings import Settings

STRENGTHS = (0, 0.05, 0.15, 0.3, 0.6)
HEADS = ("notes", "as it comes", *(f"{strength:g}" for strength in STRENGTHS))
NO_KEY = Settings(key="C", key_strength=1)  # then the musician's counts, not the piece's


def biases(keeping: Keeping, codec: Codec) -> list[NDArray[np.float64]]:
    """One for each strength."""
    middle = keeping.bias(codec, NO_KEY)
    of_key = (keeping.bias(codec, Settings()) - middle) / KEY_STRENGTH
    return [middle + strength * of_key for strength in STRENGTHS]


def surprise(engine: Engine, codec: Codec, music: Events) -> list[list[float]]:
    """Nats at each note that is struck: without a bias, and with each."""
    engine.reset()
    keeping, found = NOTHING, []
    sounding: set[int] = set()
    for event in music:
        if not codec.holds(event.pitch):
            continue
        token = codec.encode(event)
        if event.is_onset and token.note not in sounding:
            scores = engine.note_logits(token.time_bin).astype(np.float64)
            leaning = [
                scores + which_not_whether(scores, Strikes(bias=bias), sounding)
                for bias in biases(keeping, codec)
            ]
            found.append([nats(each, token.note) for each in (scores, *leaning)])
            keeping = keeping.and_struck(event.pitch)
        engine.step(token)
        (sounding.add if event.is_onset else sounding.discard)(token.note)
    return found


def nats(scores: NDArray[np.float64], note: int) -> float:
    most = scores.max()
    return float(most + np.log(np.exp(scores - most).sum()) - scores[note])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path, help="a row each")
    parser.add_argument("--pieces", type=int, default=20, help="of each folder, at most")
    parser.add_argument("--events", type=int, default=4000, help="of each piece, at most")
    parser.add_argument("--model", type=Path, help="a checkpoint; the one that comes along")
    options = parser.parse_args()
    try:
        loaded = checkpoint.load(options.model or checkpoint.SHIPPED)
        music = {folder: pieces(folder, options.pieces) for folder in options.folders}
    except ComposerError as error:
        sys.exit(str(error))
    engine = engine_for(loaded)
    print("| music | " + " | ".join(HEADS) + " |\n" + "|---" * (len(HEADS) + 1) + "|")
    for folder, found in music.items():
        rows = [
            row
            for piece in found
            for row in surprise(engine, loaded.codec, piece[: options.events])
        ]
        if not rows:
            sys.exit(f"{folder} has no piece with a note that the model knows")
        means = " | ".join(f"{mean:.3f}" for mean in np.mean(rows, axis=0))
        print(f"| {folder.name} | {len(rows):,} | {means} |", flush=True)


if __name__ == "__main__":
    main()
