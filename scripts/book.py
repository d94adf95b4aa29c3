"""The textbook's chapter, done by `composer-train --preset book`, and what it leaves wrong.

    python scripts/book.py FILE.mid [--seeds 3] [--epochs 100] [--events 3000] [--plot PNG]
                                    [--out MIDI]

Trains on FILE once a seed and prints the last epoch's figures and their means. Then, side by side
for the textbook and for our default on the same file: how much of what is held out training has
seen; how long the piece is once it is encoded and decoded; and which of 3,000 events, begun with
the first 30 of the piece, no keyboard could have played. The textbook's are sampled as it does,
each from a window of the last 30 events, straight from the softmaxes; ours by the sampler, from the
model that comes along. Last, the textbook's training once more, on nine tenths of the piece: the
loss on its own windows held out, and on the last tenth, which it has not seen.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from itertools import accumulate
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from core import checkpoint, corpus, curve, evaluate, midi_file
from core.batches import Windows
from core.checkpoint import Checkpoint
from core.corpus import Corpus
from core.events import Event, Events
from core.model import Network, build
from core.presets import BOOK, DEFAULT
from core.trainer import Progress, Trainer
from realtime.past import recall
from realtime.performer import Performer
from realtime.plain import engine_for
from realtime.settings import Settings
from realtime.wire import is_note, is_onset

WINDOW = BOOK.recipe.steps
NS_PER_S = 1_000_000_000


def train(music: Corpus, out: Path, seed: int, epochs: float) -> Progress:
    recipe = replace(BOOK.recipe, seed=seed, epochs=epochs)
    return Trainer(music, out, BOOK.model, recipe).run()


@torch.no_grad()
def sampled(trained: Checkpoint, seed: NDArray[np.uint8], count: int) -> Events:
    """What follows the seed: no rule but the three softmaxes, the whole window read each time."""
    torch.manual_seed(0)
    model = torch_model(trained)
    tokens = torch.from_numpy(seed.astype(np.int64))
    for _ in range(count):
        window = tokens[None, -WINDOW:]
        logits, _ = model(window, window)
        chosen = [torch.multinomial(part[0, -1].softmax(-1), 1) for part in logits]
        tokens = torch.cat([tokens, torch.cat(chosen)[None]])
    return trained.codec.decode_all(tokens[WINDOW:].numpy().astype(np.uint8))


def performed(trained: Checkpoint, seed: Events, count: int) -> Events:
    """The same by our sampler, which rules out what cannot be played."""
    engine = engine_for(trained)
    keeping = recall(engine, trained.codec, seed)
    chance = np.random.default_rng(0)
    performer = Performer(engine, trained.codec, Settings(), chance, 0, keeping=keeping)
    events: list[Event] = []
    last_ns = 0
    while len(events) < count and (wake_ns := performer.wake_ns) is not None:
        for record in performer.plan(wake_ns):
            if is_note(record.message):
                _, pitch, velocity = record.message
                delta_s = max(0, record.due_ns - last_ns) / NS_PER_S
                events.append(Event(delta_s, pitch, velocity * is_onset(record.message)))
                last_ns = record.due_ns
    return Events.of(events[:count])


def illegal(events: Iterable[Event]) -> tuple[int, int, int]:
    """Releases of a silent key, strikes of a key that is down, keys still down at the end."""
    down: set[int] = set()
    of_nothing = struck_twice = 0
    for event in events:
        if event.is_onset:
            struck_twice += event.pitch in down
            down.add(event.pitch)
        else:
            of_nothing += event.pitch not in down
            down.discard(event.pitch)
    return of_nothing, struck_twice, len(down)


def seen_in_windows(music: Corpus) -> float:
    """Of the windows held out, the share whose target is in a window of training."""
    training, held_out = Windows.split(music, 1, WINDOW, seed=0)
    inside = {event for start in training.starts.tolist() for event in span(start)}
    return float(np.mean([start + WINDOW in inside for start in held_out.starts.tolist()]))


def span(start: int) -> range:
    return range(start, start + WINDOW + 1)


def seen_in_pieces(music: Corpus) -> float:
    """Of the events held out, the share that is in a piece of training."""
    bounds = music.bounds.tolist()
    inside, held_out = (
        {e for piece in music.pieces(held_out=side) for e in range(*bounds[piece : piece + 2])}
        for side in (False, True)
    )
    return len(inside & held_out) / len(held_out)


def unseen(music: Corpus, out: Path, epochs: float) -> tuple[float, float]:
    """The losses, after training on nine tenths of a piece, on windows of these and of the rest."""
    cut = len(music.tokens) * 9 // 10
    first, rest = (
        replace(music, tokens=part, bounds=np.array([0, len(part)]))
        for part in (music.tokens[:cut], music.tokens[cut:])
    )
    loss = train(first, out, 0, epochs).curve[-1]["validation"]
    windows = Windows(rest, np.arange(len(rest.tokens) - WINDOW), 30, WINDOW, seed=0)
    model = torch_model(checkpoint.load(out))
    return loss, evaluate.score_batches(model, music.codec, windows.once()).loss


def torch_model(trained: Checkpoint) -> Network:
    model = build(trained.config, trained.codec).eval()
    model.load_state_dict({name: torch.from_numpy(w) for name, w in trained.weights.items()})
    return model


def write(events: Events, path: Path) -> None:
    at_s = accumulate(events.delta_s.tolist())
    notes = zip(at_s, events.pitch.tolist(), events.velocity.tolist(), strict=True)
    midi_file.write(path, ((round(s * NS_PER_S), bytes([0x90, p, v])) for s, p, v in notes))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--seeds", type=int, default=3, help="trainings (default 3)")
    parser.add_argument("--epochs", type=float, default=BOOK.recipe.epochs)
    parser.add_argument("--events", type=int, default=3000, help="to sample (default 3000)")
    parser.add_argument("--plot", type=Path, help="draw the first curve")
    parser.add_argument("--out", type=Path, help="write the music of the first model")
    options = parser.parse_args()
    torch.set_num_threads(1)

    files = [options.file]
    music = corpus.read(files, BOOK.codec, reader=BOOK.reader, hold_out=False)
    ours = corpus.read(files, DEFAULT.codec, reader=DEFAULT.reader)
    with tempfile.TemporaryDirectory() as folder:
        models = [Path(folder, f"book{seed}.safetensors") for seed in range(options.seeds)]
        curves = [train(music, out, seed, options.epochs).curve for seed, out in enumerate(models)]
        first = checkpoint.load(models[0])
        inside, outside = unseen(music, Path(folder, "unseen"), options.epochs)
    print("| seed | training loss | validation loss | accuracy |\n|---|---|---|---|")
    ends = [[rows[-1][name] for name in ("train", "validation", "accuracy")] for rows in curves]
    for name, row in [*map(tuple, enumerate(ends)), ("mean", np.mean(ends, axis=0))]:
        print(f"| {name} | " + " | ".join(f"{figure:.3f}" for figure in row) + " |")
    print("target: mean validation loss at most 1.6, mean accuracy at least .83\n")
    if options.plot:
        curve.draw(curves[0], options.plot)

    events, score = BOOK.reader(options.file), DEFAULT.reader(options.file)
    wild = sampled(first, music.tokens[:WINDOW], options.events)
    legal = performed(checkpoint.load(checkpoint.SHIPPED), score[:WINDOW], options.events)
    same = performed(first, events[:WINDOW], options.events)
    if options.out:
        write(wild, options.out)
    rows = [
        (
            "targets held out that training has seen",
            f"{seen_in_windows(music):.0%}",
            f"{seen_in_pieces(ours):.0%}",
        ),
        ("length of the piece, s", f"{events.duration_s:.1f}", f"{score.duration_s:.1f}"),
        (
            "the same, encoded and decoded",
            f"{music.codec.decode_all(music.tokens).duration_s:.1f}",
            f"{ours.codec.decode_all(ours.tokens).duration_s:.1f}",
        ),
    ]
    names = "releases of a silent key", "strikes of a key that is down", "keys left down"
    for name, left, right in zip(names, illegal(wild), illegal(legal), strict=True):
        rows.append((f"{name}, of {options.events:,} events", str(left), str(right)))
    print("| | the textbook | our default |\n|---|---|---|")
    for row in rows:
        print("| " + " | ".join(row) + " |")
    of_nothing, struck_twice, _ = illegal(same)
    print(f"\nthe textbook's model under our sampler: {of_nothing} and {struck_twice}")
    print(
        f"trained on nine tenths: {inside:.2f} on windows of these, {outside:.2f} on the last tenth"
    )


if __name__ == "__main__":
    main()
