"""What each part of our recipe is worth: variants trained for the same CPU time, on a small scale.

    python scripts/try_recipes.py FOLDER... --held-out FOLDER... [--seconds 60] [--only NAME...]
    python scripts/try_recipes.py --table

Each variant, an LSTM of 128 with embeddings and heads of 64, learns from one file in eight and is
scored on one held-out file in four. Its row is added to runs/recipes.jsonl; --table prints the
last row of each as markdown. What a variant changes is a patch in this file: the product knows
only what won. Seeds alone make a difference too: see how far apart the rows of 'ours' are.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from core import corpus, evaluate, midi_file
from core.batches import Batch, Streams
from core.checkpoint import ModelConfig
from core.codec import Codec
from core.corpus import Corpus
from core.errors import MidiFileError
from core.events import Events
from core.model import Model
from core.trainer import Recipe

ROWS = Path("runs/recipes.jsonl")
SIZES = {"hidden_size": 128, "embedding_size": 64, "head_size": 64}
ONE_IN, HELD_OUT_ONE_IN = 8, 4  # files
COPIES = 8  # of each piece where it is varied: more than there are passes over the music
OURS = "ours"


class Nothing(nn.Module):
    """In place of a part of the network: it says nothing."""

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs.new_zeros(1)


def without(part: str) -> Callable[[Model], None]:
    return lambda model: setattr(model, part, nn.Identity() if part == "norm" else Nothing())


def one_hot(model: Model) -> None:
    """Each table writes into columns of its own, and learns nothing."""
    tables = (model.note_embedding, model.velocity_embedding, model.time_embedding)
    first = 0
    for table in tables:
        _fix(table.weight, first)
        first += len(table.weight)
    _fix(model.sounding.weight.T, first)


def _fix(rows: Tensor, first: int) -> None:
    with torch.no_grad():
        rows.zero_()
        rows[:, first : first + len(rows)] = torch.eye(len(rows))


def nothing_sounds(_: Model, tokens: Tensor, before_s: Tensor) -> Tensor:
    shape = (*tokens.shape[:2], before_s.shape[-1])
    return torch.full(shape, -torch.inf, dtype=torch.float64)


def any_velocity(logits: Tensor, _: Tensor) -> Tensor:
    return logits


Change = Callable[[Events, np.random.Generator], Events]


def transposed(events: Events, rng: np.random.Generator) -> Events:
    """As far as the keyboard goes."""
    low, high = -int(events.pitch.min()), 127 - int(events.pitch.max())
    by = min(max(int(rng.integers(-6, 7)), low), high)
    return replace(events, pitch=(events.pitch.astype(int) + by).astype(np.uint8))


def at_another_tempo(events: Events, rng: np.random.Generator) -> Events:
    return replace(events, delta_s=events.delta_s * rng.uniform(0.9, 1.1))


def louder_or_softer(events: Events, rng: np.random.Generator) -> Events:
    velocity = events.velocity.astype(int)
    struck = np.clip(velocity + rng.integers(-10, 11), 1, 127)
    return replace(events, velocity=np.where(velocity > 0, struck, 0).astype(np.uint8))


@dataclass(frozen=True, kw_only=True)
class Variant:
    """What is not as in ours."""

    config: Mapping[str, Any] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)
    bins: int = 64
    network: Callable[[Model], object] = lambda _: None
    fixed: tuple[str, ...] = ()  # weights that do not learn
    patches: Mapping[str, object] = field(default_factory=dict)
    varied: Change | None = None
    smoothing: float = 0.0  # of the velocity's target
    averaged: bool = False  # weights, at a constant rate


TABLES = tuple(f"{name}.weight" for name in ("note_embedding", "velocity_embedding"))
UNCERTAIN = {"core.model._velocity": any_velocity}
VARIANTS: dict[str, Variant] = {
    OURS: Variant(),
    "ours, seed 1": Variant(recipe={"seed": 1}),
    "not told what sounds": Variant(
        patches={"core.model.Model._ages_s": nothing_sounds, **UNCERTAIN}
    ),
    "what sounds is not an input": Variant(network=without("sounding")),
    "releases have a velocity, 128 ways": Variant(patches=UNCERTAIN),
    "heads do not see the event": Variant(network=without("past")),
    "no layer norm": Variant(network=without("norm")),
    "one-hot, no embeddings": Variant(
        config={"embedding_size": 129 + 129 + 65 + 256},
        network=one_hot,
        fixed=(*TABLES, "time_embedding.weight", "sounding.weight"),
    ),
    "32 time bins": Variant(bins=32),
    "96 time bins": Variant(bins=96),
    "two layers": Variant(config={"layers": 2}),
    "dropout 0": Variant(config={"dropout": 0.0}),
    "dropout 0.3": Variant(config={"dropout": 0.3}),
    "weight decay 0": Variant(recipe={"weight_decay": 0.0}),
    "weight decay 0.1": Variant(recipe={"weight_decay": 0.1}),
    "constant rate, averaged weights": Variant(averaged=True),
    "label smoothing 0.05 on velocity": Variant(smoothing=0.05),
    "transposed, up to 6 semitones": Variant(varied=transposed),
    "tempo up to 10 % other": Variant(varied=at_another_tempo),
    "velocity up to 10 other": Variant(varied=louder_or_softer),
}


def read(folders: list[Path], one_in: int) -> dict[str, list[Events]]:
    """Some files of each folder."""
    music: dict[str, list[Events]] = {}
    for folder in folders:
        pieces = music[folder.name] = []
        for file in corpus.find([folder])[::one_in]:
            try:
                pieces.append(midi_file.read(file))
            except MidiFileError as error:
                print(f"skipped: {error}")
    return music


def as_corpus(codec: Codec, music: list[Events]) -> Corpus:
    pieces = [codec.encode_all(events) for events in music]
    bounds = np.cumsum([0, *map(len, pieces)])
    return Corpus(codec, np.concatenate(pieces), bounds, np.zeros(len(pieces), bool))


def losses(model: Model, batch: Batch, state: Any, smoothing: float) -> tuple[Tensor, Any]:
    """As in core.evaluate; the sum over the streams, and the mean over what is real."""
    tokens, targets = torch.from_numpy(batch.tokens), torch.from_numpy(batch.targets)
    logits, state = model(tokens, targets, state.begin(torch.from_numpy(batch.fresh)))
    real = torch.from_numpy(batch.real)
    total = sum(
        functional.cross_entropy(
            each[real], targets[real][:, index], label_smoothing=smoothing if index == 1 else 0.0
        )
        for index, each in enumerate(logits)
    )
    return total, state


def train(variant: Variant, music: Corpus, seconds: float) -> tuple[nn.Module, int]:
    """Train for so many seconds of CPU time: the model, and how many events it has seen."""
    recipe = Recipe(**variant.recipe)
    torch.manual_seed(recipe.seed)
    model = Model(ModelConfig(**(SIZES | dict(variant.config))), music.codec)
    variant.network(model)
    for name, weight in model.named_parameters():
        weight.requires_grad_(name not in variant.fixed)
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.998))
    learn = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(learn, lr=0.0, weight_decay=recipe.weight_decay)
    pieces = np.arange(len(music.held_out))
    streams = Streams(music, pieces, recipe.streams, recipe.steps, recipe.seed)
    state, seen, stretches = model.silence(recipe.streams), 0, 0
    begun_s = time.process_time()
    while (share := (time.process_time() - begun_s) / seconds) < 1:
        batch = streams.next()
        cosine = 0.01 + 0.99 * (1 + math.cos(math.pi * share)) / 2
        stretches += 1
        rate = recipe.learning_rate * min(1.0, stretches / recipe.warm_up)
        optimizer.param_groups[0]["lr"] = rate if variant.averaged else rate * cosine
        loss, state = losses(model, batch, state, variant.smoothing)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(learn, recipe.clip)
        optimizer.step()
        if variant.averaged:
            average.update_parameters(model)
        seen += int(batch.real.sum())
    return (average.module if variant.averaged else model), seen


def tried(
    variant: Variant, music: list[Events], held_out: dict[str, list[Events]], seconds: float
) -> dict[str, Any]:
    """The row of a variant."""
    deltas_s: NDArray[np.float64] = np.concatenate([events.delta_s for events in music])
    codec = Codec.log_spaced(variant.bins).fitted(deltas_s)
    if varied := variant.varied:
        rng = np.random.default_rng(0)
        music = [varied(events, rng) for _ in range(COPIES) for events in music]
    with ExitStack() as stack:
        for target, replacement in variant.patches.items():
            stack.enter_context(patch(target, replacement))
        model, seen = train(variant, as_corpus(codec, music), seconds)
        scores = {
            name: evaluate.score(model, as_corpus(codec, pieces), np.arange(len(pieces)))
            for name, pieces in held_out.items()
        }
    bits = {name: score.bits_per_note for name, score in scores.items()}
    return {"seconds": seconds, "events": seen, "bits_per_note": bits}


def mean(row: dict[str, Any]) -> float:
    bits = row["bits_per_note"].values()
    return float(sum(bits) / len(bits))


def print_table() -> None:
    lines = ROWS.read_text().splitlines() if ROWS.exists() else []
    rows = {row["variant"]: row for row in map(json.loads, lines)}
    names = list(next(iter(rows.values()))["bits_per_note"]) if rows else []
    print(f"| recipe | {' | '.join(names)} | mean | against ours | million events seen |")
    print("|---" * (len(names) + 4) + "|")
    for variant, row in sorted(rows.items(), key=lambda item: mean(item[1])):
        bits = " | ".join(f"{row['bits_per_note'][name]:.2f}" for name in names)
        against = f"{mean(row) - mean(rows[OURS]):+.2f}" if OURS in rows else ""
        print(f"| {variant} | {bits} | {mean(row):.2f} | {against} | {row['events'] / 1e6:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="*", type=Path, help="folders to learn from")
    parser.add_argument("--held-out", nargs="+", type=Path, default=[], help="a column each")
    parser.add_argument("--seconds", type=float, default=60, help="of CPU time, each (default 60)")
    parser.add_argument("--only", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--table", action="store_true", help="print what was tried so far")
    options = parser.parse_args()
    if options.table:
        print_table()
        return
    if not (options.data and options.held_out):
        parser.error("give folders to learn from, and --held-out")
    torch.set_num_threads(1)
    music = [events for folder in read(options.data, ONE_IN).values() for events in folder]
    held_out = read(options.held_out, HELD_OUT_ONE_IN)
    ROWS.parent.mkdir(exist_ok=True)
    for name in options.only:
        row = {"variant": name, **tried(VARIANTS[name], music, held_out, options.seconds)}
        with ROWS.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(f"{name}: {mean(row):.2f} bits a note, {row['events']:,} events", flush=True)


if __name__ == "__main__":
    main()
