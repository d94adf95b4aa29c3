"""How much better our recipe is than the textbook's: bits a note on music that neither has seen.

    python scripts/compare_recipes.py FOLDER... --held-out FOLDER... --minutes 30 [--also shipped]

All learn from the same FOLDERs: how often each note, velocity and time comes, and nothing else;
the textbook's recipe (`composer-train --preset book`), which leaves out what lies beyond its
keyboard and is not asked for the first 30 events of a piece; and ours, a few pieces of the music
kept back to choose the best model by. Each recipe has the same minutes of CPU time. Time is scored
as a density at 1 ms (core/evaluate.py), so that other bins compare.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from evaluate import Scorer
from numpy.typing import NDArray

from core import corpus, evaluate, midi_file, trainer
from core.checkpoint import SHIPPED
from core.codec import Codec
from core.errors import MidiFileError
from core.evaluate import Score
from core.events import Events
from core.presets import BOOK, DEFAULT, Preset

TARGET = 2 / 3
TEXTBOOK, OURS = "the textbook's recipe", "ours"

Music = list[Events]  # of each piece
Row = dict[str, float]  # folder: bits a note


def read(folder: Path) -> Music:
    music = []
    for file in corpus.find([folder]):
        try:
            music.append(midi_file.read(file))
        except MidiFileError as error:
            print(f"skipped: {error}")
    return music


def encoded(codec: Codec, music: Music) -> list[NDArray[np.uint8]]:
    return [codec.encode_all(events) for events in music]


def by_frequency(music: Music, held_out: dict[str, Music]) -> Row:
    """Every choice has the chance that it had in the music, one more time than it came."""
    codec = Codec.log_spaced()
    sizes = (codec.notes, codec.velocities, codec.time_bins)
    tokens = np.concatenate(encoded(codec, music))
    counts = [
        np.bincount(column, minlength=size) + 1
        for column, size in zip(tokens.T, sizes, strict=True)
    ]
    costs = [-np.log(each / each.sum()) for each in counts]
    log_widths = np.log(evaluate.widths_ms(codec.fitted(deltas_s(music))))
    row = {}
    for name, pieces in held_out.items():
        tokens = np.concatenate(encoded(codec, pieces))
        note, velocity, time_ = (
            float(cost[column].mean()) for cost, column in zip(costs, tokens.T, strict=True)
        )
        density = time_ + float(log_widths[tokens[:, 2]].mean())
        onsets = float((tokens[:, 1] > 0).mean())
        row[name] = Score(note, velocity, time_, density, onsets, math.nan).bits_per_note
    return row


def deltas_s(music: Music) -> NDArray[np.float64]:
    return np.concatenate([events.delta_s for events in music])


def by_preset(preset: Preset, data: list[Path], held_out: list[Path], minutes: float) -> Row:
    """As composer-train does it; the textbook too hears our reading, which keeps all releases."""
    trainer.time = SimpleNamespace(monotonic=time.process_time)  # it has CPU time too, no other
    recipe = replace(preset.recipe, minutes=minutes)
    music = corpus.read(corpus.find(data), preset.codec, hold_out=not recipe.windows)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "trained.safetensors")
        trainer.Trainer(music, out, preset.model, recipe).run()
        return by_checkpoint(out, held_out)


def by_checkpoint(path: Path, held_out: list[Path]) -> Row:
    scorer = Scorer(path)
    return {data.name: scorer.score(data).bits_per_note for data in held_out}


def print_table(rows: dict[str, Row]) -> None:
    names = list(rows[TEXTBOOK])
    print(f"| bits a note | {' | '.join(names)} | mean |")
    print("|---" * (len(names) + 2) + "|")
    for recipe, row in rows.items():
        print(f"| {recipe} | {' | '.join(f'{row[n]:.2f}' for n in names)} | {mean(row):.2f} |")
    print()
    for recipe, row in list(rows.items())[2:]:
        ratios = " ".join(f"{row[name] / rows[TEXTBOOK][name]:.3f}" for name in names)
        ratio = mean(row) / mean(rows[TEXTBOOK])
        print(f"{recipe} / textbook: {ratios}, of the means {ratio:.3f} (target: at most .667)")


def mean(row: Row) -> float:
    return sum(row.values()) / len(row)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="+", type=Path, help="files or folders to learn from")
    parser.add_argument("--held-out", nargs="+", type=Path, required=True, help="a column each")
    parser.add_argument("--minutes", type=float, default=30, help="of CPU time, each (default 30)")
    parser.add_argument("--hidden-size", type=int, default=512, help="of ours (default 512)")
    parser.add_argument("--also", help="a checkpoint, or 'shipped': one more row")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)  # threads that wait for each other use up CPU time

    music = [events for folder in options.data for events in read(folder)]
    held_out = {folder.name: read(folder) for folder in options.held_out}
    half = options.hidden_size // 2
    sizes = {"hidden_size": options.hidden_size, "embedding_size": half, "head_size": half}
    ours = replace(DEFAULT, model=replace(DEFAULT.model, **sizes))
    given = options.data, options.held_out, options.minutes
    rows = {
        "by frequency": by_frequency(music, held_out),
        TEXTBOOK: by_preset(BOOK, *given),
        OURS: by_preset(ours, *given),
    }
    if options.also:
        path = SHIPPED if options.also == "shipped" else Path(options.also)
        rows[options.also] = by_checkpoint(path, options.held_out)
    if options.json:
        print(json.dumps(rows, indent=2))
    else:
        print_table(rows)


if __name__ == "__main__":
    main()
