"""The textbook's recipe, for comparison: what it reads, its network, its training.

An event as a one-hot vector of 229 (89 pitches from 24, 128 velocities, 12 equally wide classes of
time over the corpus' gaps); windows of 30 events, shuffled, in batches of 30, each from silence;
an LSTM of 128, dropout, one linear layer and three softmaxes that know nothing of each other; Adam.
The target's pitch is that of the input, which the textbook mixes up.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from core import evaluate
from core.codec import Codec
from core.evaluate import Score

LOWEST_PITCH, NOTES, TIME_CLASSES = 24, 89, 12
WINDOW, BATCH = 30, 30  # events; windows
HIDDEN, DROPOUT, LEARNING_RATE = 128, 0.2, 0.001
SCORED = 20_000  # windows at most, spread evenly over the music: each is read anew

Pieces = Sequence[NDArray[np.uint8]]  # tokens [events, 3] of each


def codec_for(deltas_s: NDArray[np.float64]) -> Codec:
    """Class 0 is no time at all; the others divide the gaps from the shortest to the longest."""
    gaps_s = deltas_s[deltas_s > 0]
    edges_s = np.linspace(gaps_s.min(), gaps_s.max(), TIME_CLASSES - 1)
    edges = (0.0, *map(float, edges_s))
    return Codec(lowest_pitch=LOWEST_PITCH, notes=NOTES, edges_s=edges, values_s=edges)


class Textbook(nn.Module):
    """Scores the event after each window."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes = (NOTES, Codec.velocities, TIME_CLASSES)
        self.lstm = nn.LSTM(sum(self.sizes), HIDDEN, batch_first=True)
        self.dropout = nn.Dropout(DROPOUT)
        self.linear = nn.Linear(HIDDEN, sum(self.sizes))

    def forward(self, windows: Tensor) -> tuple[Tensor, ...]:
        """int64 [batch, 30, 3] to the logits of note, velocity and time, [batch, choices] each."""
        one_hot = [
            functional.one_hot(windows[..., stream], size).float()
            for stream, size in enumerate(self.sizes)
        ]
        outputs, _ = self.lstm(torch.cat(one_hot, -1))
        return self.linear(self.dropout(outputs[:, -1])).split(self.sizes, -1)

    def losses(self, tokens: NDArray[np.uint8], starts: NDArray[np.int64]) -> Tensor:
        """Negative log-likelihoods of the events after the windows: [3, windows]."""
        spans = torch.from_numpy(tokens[starts[:, None] + np.arange(WINDOW + 1)].astype(np.int64))
        logits = self(spans[:, :WINDOW])
        return torch.stack(
            [
                functional.cross_entropy(each, spans[:, WINDOW, stream], reduction="none")
                for stream, each in enumerate(logits)
            ]
        )


def train(pieces: Pieces, seconds: float) -> Textbook:
    """Train for so many seconds of CPU time; no window spans two pieces."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    network = Textbook()
    optimizer = torch.optim.Adam(network.parameters(), LEARNING_RATE)
    tokens, starts = _windows(pieces)
    begun_s = time.process_time()
    while True:
        rng.shuffle(starts)
        for first in range(0, len(starts), BATCH):
            if time.process_time() - begun_s >= seconds:
                return network.eval()
            optimizer.zero_grad()
            network.losses(tokens, starts[first : first + BATCH]).sum(0).mean().backward()
            optimizer.step()


@torch.no_grad()
def score(network: Textbook, codec: Codec, pieces: Pieces) -> Score:
    """Score what comes after windows of the pieces, as `core.evaluate` does for streams."""
    tokens, starts = _windows(pieces)
    starts = starts[:: -(-len(starts) // SCORED)]
    parts = np.array_split(starts, -(-len(starts) // 1000))
    note, velocity, time_ = (
        torch.cat([network.losses(tokens, p) for p in parts], 1).mean(1).tolist()
    )
    targets = tokens[starts + WINDOW]
    log_widths = float(np.log(evaluate.widths_ms(codec))[targets[:, 2]].mean())
    onsets = float((targets[:, 1] > 0).mean())
    return Score(note, velocity, time_, time_ + log_widths, onsets, math.nan)


def _windows(pieces: Pieces) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """All pieces as one, and where a window begins that an event of the same piece follows."""
    ends = np.cumsum([len(piece) for piece in pieces])
    spans = zip(ends, pieces, strict=True)
    starts = [np.arange(end - len(piece), end - WINDOW) for end, piece in spans]
    return np.concatenate(pieces), np.concatenate(starts)
