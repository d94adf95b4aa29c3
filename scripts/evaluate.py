"""How well a checkpoint foretells music that it has not learned from.

    python scripts/evaluate.py MODEL DATA... [--json]

MODEL is a checkpoint, or 'shipped'. DATA are MIDI files or folders; each is a row.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from core import checkpoint, corpus, evaluate
from core.batches import Windows, window_starts
from core.model import build

WINDOWS = 20_000  # at most, spread evenly over the music: each is read anew


class Scorer:
    """A checkpoint, to be scored on whatever music, as it was trained: on streams, or on windows,
    which are not asked for the first events of a piece.
    """

    def __init__(self, path: Path) -> None:
        trained = checkpoint.load(path)
        self._model = build(replace(trained.config, dropout=0.0), trained.codec)
        self._model.load_state_dict({k: torch.from_numpy(w) for k, w in trained.weights.items()})
        self._codec = trained.codec
        recipe = trained.record.get("recipe", {})
        self._window = recipe["steps"] if recipe.get("windows") else None

    def score(self, data: Path) -> evaluate.Score:
        music = corpus.read(corpus.find([data]), self._codec)
        if self._window is None:
            return evaluate.score(self._model, music, np.arange(len(music.held_out)))
        starts = window_starts(music, self._window)
        starts = starts[:: -(-len(starts) // WINDOWS)]
        windows = Windows(music, starts, 500, self._window, seed=0)
        return evaluate.score_batches(self._model, self._codec, windows.once())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("data", nargs="+", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()

    scorer = Scorer(checkpoint.SHIPPED if options.model == "shipped" else Path(options.model))
    rows = {}
    for data in options.data:
        score = scorer.score(data)
        rows[data.name] = score._asdict() | {
            "nats_per_event": score.nats_per_event,
            "bits_per_note": score.bits_per_note,
        }
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    print(f"{'nats an event':<36}   note velocity   time    all   bits a note")
    for name, row in rows.items():
        figures = (row["note"], row["velocity"], row["time_density"], row["nats_per_event"])
        print(f"{name:<36}" + "".join(f"{figure:7.3f}" for figure in figures), end="")
        print(f"{row['bits_per_note']:12.2f}")


if __name__ == "__main__":
    main()
