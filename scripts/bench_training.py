"""Events learned a second: the textbook's loop beside our trainer, same music, same network.

    python scripts/bench_training.py FILE_OR_FOLDER... [--seconds 30] [--threads 1] [--compile]

The network is the textbook's where nothing else is said: one-hot 229, an LSTM of 128, one linear
layer. An event is learned when it was a target: the textbook's loop reads a window of 30 events
for each, our trainer reads each once and carries the state on. --compile adds rows for
torch.compile, which needs a C++ compiler. The rows take turns, so that what else runs hits all.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from core import corpus
from core.checkpoint import ModelConfig
from core.codec import Codec
from core.corpus import Corpus
from core.trainer import Recipe, Trainer

FILES = 20  # at most, so that the textbook's one-hot music fits into memory
WINDOW, BATCH, HIDDEN = 30, 30, 128
TARGET = 25.0
ROUNDS = 10
WARM_UP = 10  # steps of the optimizer before the clock starts; compiling takes place here

Step = Callable[[], int]  # one step of the optimizer; how many events it learned


class Windows(Dataset[tuple[Tensor, Tensor]]):
    """Each window, one-hot, and the event after it."""

    def __init__(self, music: Corpus, sizes: tuple[int, int, int]) -> None:
        self._tokens = torch.from_numpy(music.tokens.astype(np.int64))
        columns = zip(self._tokens.unbind(1), sizes, strict=True)
        self._one_hot = torch.cat([functional.one_hot(*each).float() for each in columns], 1)

    def __len__(self) -> int:
        return len(self._tokens) - WINDOW

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self._one_hot[index : index + WINDOW], self._tokens[index + WINDOW]


class Textbook(nn.Module):
    """The textbook's network: logits of note, velocity and time after a window."""

    def __init__(self, sizes: tuple[int, int, int]) -> None:
        super().__init__()
        self._sizes = sizes
        self.lstm = nn.LSTM(sum(sizes), HIDDEN, batch_first=True)
        self.dropout = nn.Dropout(0.2)
        self.linear = nn.Linear(HIDDEN, sum(sizes))

    def forward(self, windows: Tensor) -> tuple[Tensor, ...]:
        outputs, _ = self.lstm(windows)
        return self.linear(self.dropout(outputs[:, -1])).split(self._sizes, 1)


def textbook(music: Corpus) -> Step:
    """The textbook's loop: shuffled windows in batches, Adam."""
    sizes = (music.codec.notes, music.codec.velocities, music.codec.time_bins)
    network = Textbook(sizes)
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    loader = DataLoader(Windows(music, sizes), BATCH, shuffle=True)

    def batches() -> Iterator[list[Tensor]]:
        while True:
            yield from loader

    endless = batches()

    def step() -> int:
        windows, targets = next(endless)
        optimizer.zero_grad()
        streams = zip(network(windows), targets.unbind(1), strict=True)
        loss = sum(functional.nll_loss(functional.log_softmax(s, 1), t) for s, t in streams)
        loss.backward()
        optimizer.step()
        return len(targets)

    return step


def ours(
    music: Corpus, out: Path, *, plain: bool = True, halves: bool = True, compiled: bool = False
) -> Step:
    """One stretch of our trainer, whole: reading, learning, checks."""
    config = ModelConfig(hidden_size=HIDDEN, embedding_size=64, head_size=64, plain=plain)
    trainer = Trainer(music, out, config, Recipe(halves=halves))
    if compiled:
        trainer._model.compile()

    def step() -> int:
        before = trainer.progress.events
        trainer._stretch()
        return trainer.progress.events - before

    return step


@dataclass
class Row:
    """A way of training, and what was measured of it."""

    step: Step
    first_s: float = 0.0  # of the first steps
    events: int = 0
    passed_s: float = 0.0

    def warm_up(self) -> None:
        begun_s = time.perf_counter()
        for _ in range(WARM_UP):
            self.step()
        self.first_s = time.perf_counter() - begun_s

    def run(self, seconds: float) -> None:
        begun_s = time.perf_counter()
        while time.perf_counter() - begun_s < seconds:
            self.events += self.step()
        self.passed_s += time.perf_counter() - begun_s

    @property
    def rate(self) -> float:
        return self.events / self.passed_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="+", type=Path)
    parser.add_argument("--seconds", type=float, default=30.0, help="for each row")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--compile", action="store_true", help="rows for torch.compile too")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    files = corpus.find(options.data)[:FILES]
    music = corpus.read(files, Codec.uniform)
    print(f"{len(files)} files, {len(music.tokens):,} events, {options.threads} threads\n")
    print(f"| training | events/s | x textbook | first {WARM_UP} steps, s |")
    print("|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "model"
        rows = {
            "the textbook's loop": Row(textbook(music)),
            "our trainer": Row(ours(music, out)),
            "our trainer, float32 only": Row(ours(music, out, halves=False)),
            "our trainer, our network": Row(ours(music, out, plain=False)),
        }
        if options.compile:
            rows["our trainer, compiled"] = Row(ours(music, out, compiled=True))
            own = Row(ours(music, out, plain=False, compiled=True))
            rows["our trainer, our network, compiled"] = own
        for row in rows.values():
            row.warm_up()
        for _ in range(ROUNDS):
            for row in rows.values():
                row.run(options.seconds / ROUNDS)
    book = rows["the textbook's loop"].rate
    for name, row in rows.items():
        print(f"| {name} | {row.rate:,.0f} | {row.rate / book:.1f} | {row.first_s:.1f} |")
    ratio = rows["our trainer"].rate / book
    verdict = "met" if ratio >= TARGET else "missed"
    print(f"\nours over the textbook's, same network: {ratio:.1f}, target {TARGET:.0f}: {verdict}")


if __name__ == "__main__":
    main()
