"""One variant of a step, as a program that bench_step.py starts: `step_variants.py NAME`.

Reads lines "COUNT INTERVAL_NS"; for each, makes COUNT steps, one every INTERVAL_NS (0: one right
after the other), and prints the nanoseconds of each on one line. step.c does the same.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

if TYPE_CHECKING:
    from core.checkpoint import Checkpoint

Step = Callable[[], object]

HIDDEN, LAYERS, SIZE, BINS, SEVEN_BITS = 512, 2, 256, 64, 128
WINDOW = 30  # events that the textbook's way reads again for each new one
CHORD = (48, 55, 64, 72)


def chords() -> Iterator[tuple[int, int, int]]:
    """(note, velocity, time bin): four notes struck, then released; then again."""
    strikes = [(note, 64, 0 if note > CHORD[0] else 30) for note in CHORD]
    releases = [(note, 0, 0 if note > CHORD[0] else 40) for note in CHORD]
    return cycle(strikes + releases)


def by_chance() -> Checkpoint:
    """2 x 512; no time depends on what the weights are."""
    import numpy as np

    from core.checkpoint import Checkpoint, ModelConfig
    from core.codec import Codec

    codec = Codec.log_spaced(BINS)
    config = ModelConfig(hidden_size=HIDDEN, layers=LAYERS, embedding_size=SIZE, head_size=SIZE)
    rng = np.random.default_rng(0)
    weights = {
        name: rng.normal(0, 0.04, shape).astype(np.float32)
        for name, shape in config.weight_shapes(codec).items()
    }
    return Checkpoint(config=config, codec=codec, weights=weights)


def ours(checkpoint: Checkpoint, *, plays: bool = False) -> Step:
    """Sample and hear the chords; or (`plays`) what was sampled, in its key, as composerd does."""
    import numpy as np

    from core.codec import Token
    from realtime.engine import Engine
    from realtime.keeping import NOTHING
    from realtime.sampler import sample
    from realtime.settings import Settings

    engine, settings, rng = Engine(checkpoint), Settings(), np.random.default_rng(0)
    sounding: set[int] = set()
    codec, keeping = checkpoint.codec, NOTHING
    events = (Token(*event) for event in chords())

    def step() -> None:
        nonlocal keeping
        leaning = keeping.bias(codec, settings) if plays else None
        token = sample(engine, codec, settings, rng, sounding=sounding, leaning=leaning)
        if not plays:
            token = next(events)
        elif token.velocity:
            keeping = keeping.and_struck(token.note + codec.lowest_pitch)
        engine.step(token)
        (sounding.add if token.velocity else sounding.discard)(token.note)

    return step


def shipped() -> Step:
    from core.checkpoint import SHIPPED, load

    return ours(load(SHIPPED), plays=True)


def undone() -> Step:
    """A snapshot and its restoring, while a chord sounds."""
    from core.codec import Token
    from realtime.engine import Engine

    engine, events = Engine(by_chance()), chords()
    for _ in CHORD:
        engine.step(Token(*next(events)))
    return lambda: engine.restore(engine.snapshot())


def torch_step(
    *, cells: bool = False, onednn: bool = True, one_thread: bool = True, window: int = 1
) -> Step:
    """The same LSTM and heads in torch: `nn.LSTM`, or one `nn.LSTMCell` a layer."""
    import torch
    from torch import Tensor, nn

    torch.manual_seed(0)
    torch.backends.mkldnn.enabled = onednn
    if one_thread:
        torch.set_num_threads(1)
    embeddings = [nn.Embedding(size, SIZE) for size in (SEVEN_BITS, SEVEN_BITS, BINS)]
    lstm = nn.LSTM(SIZE, HIDDEN, LAYERS, batch_first=True)
    each = [nn.LSTMCell(HIDDEN if layer else SIZE, HIDDEN) for layer in range(LAYERS)]
    hidden = nn.Linear(HIDDEN, 3 * SIZE)
    time_head, note_head, velocity_head = (
        nn.Linear(SIZE, choices) for choices in (BINS, SEVEN_BITS, SEVEN_BITS)
    )
    note_from_time, velocity_from_time = nn.Embedding(BINS, SIZE), nn.Embedding(BINS, SIZE)
    velocity_from_note = nn.Embedding(SEVEN_BITS, SIZE)
    events = chords()
    heard = [next(events) for _ in range(window)]
    state: list[tuple[Tensor, Tensor] | None] = [None] * LAYERS

    def draw(logits: Tensor) -> Tensor:
        return torch.multinomial(logits.softmax(-1), 1).squeeze(-1)

    @torch.inference_mode()
    def step() -> None:
        heard.append(next(events))
        del heard[0]
        columns = torch.tensor([heard]).unbind(-1)
        inputs = sum(table(ids) for table, ids in zip(embeddings, columns, strict=True))
        if cells:
            output = inputs[:, -1]
            for layer, cell in enumerate(each):
                state[layer] = cell(output, state[layer])
                output = state[layer][0]
        else:
            outputs, last = lstm(inputs, state[0])
            output = outputs[:, -1]
            if window == 1:  # else it begins from silence again
                state[0] = last
        for_time, for_note, for_velocity = hidden(output).chunk(3, -1)
        time_bin = draw(time_head(for_time.relu()))
        note = draw(note_head((for_note + note_from_time(time_bin)).relu()))
        for_velocity = for_velocity + velocity_from_time(time_bin) + velocity_from_note(note)
        draw(velocity_head(for_velocity.relu())).item()

    return step


VARIANTS: dict[str, Callable[[], Step]] = {
    "ours": lambda: ours(by_chance()),
    "shipped": shipped,
    "undone": undone,
    "lstm": lambda: torch_step(one_thread=False),
    "lstm-one-thread": torch_step,
    "lstm-no-onednn": lambda: torch_step(onednn=False),
    "cell": lambda: torch_step(cells=True),
    "cell-no-onednn": lambda: torch_step(cells=True, onednn=False),
    "window": lambda: torch_step(window=WINDOW),
}


def main() -> None:
    step = VARIANTS[sys.argv[1]]()
    gc.collect()
    gc.freeze()  # as the composer does
    for line in sys.stdin:
        count, interval_ns = map(int, line.split())
        due_ns, times_ns = time.monotonic_ns(), []
        for _ in range(count):
            due_ns += interval_ns
            if interval_ns:
                time.sleep(max(0, due_ns - time.monotonic_ns()) / 1e9)
            begun_ns = time.monotonic_ns()
            step()
            times_ns.append(time.monotonic_ns() - begun_ns)
        print(*times_ns, flush=True)


if __name__ == "__main__":
    main()
