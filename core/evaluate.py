"""Held-out figures: how well a model foretells music that it has not learned from.

The time of an event is scored as a density: the probability of its bin over the bin's width, at
a resolution of 1 ms. So models with other bins, or none, can be compared.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from core.batches import Batch, Streams
from core.codec import Codec
from core.corpus import Corpus
from core.model import Logits, Network, State

STREAMS, STEPS = 32, 256  # pieces side by side, events in a stretch
RESOLUTION_S = 0.001


class Score(NamedTuple):
    """Mean negative log-likelihoods, nats an event: of note, velocity and time-bin."""

    note: float
    velocity: float
    time: float
    time_density: float  # of the delta at 1 ms, instead of its bin
    onsets: float  # share of the events that strike a note
    accuracy: float  # right predictions of all three, of all predictions

    @property
    def loss(self) -> float:
        """What training makes small."""
        return self.note + self.velocity + self.time

    @property
    def nats_per_event(self) -> float:
        """What models with other bins are compared by."""
        return self.note + self.velocity + self.time_density

    @property
    def bits_per_note(self) -> float:
        """The same for a note with its release, in bits."""
        return self.nats_per_event / self.onsets / math.log(2)


def score(model: Network, corpus: Corpus, pieces: NDArray[np.intp]) -> Score:
    """Score pieces, each from silence to its end.

    Args:
        model: its mode (training, evaluation) and device are kept.
        corpus: encoded by the model's codec.
        pieces: their numbers; at least one.
    """
    streams = min(STREAMS, len(pieces))
    return score_batches(
        model, corpus.codec, Streams(corpus, pieces, streams, STEPS, seed=0).once()
    )


@torch.no_grad()
def score_batches(model: Network, codec: Codec, batches: Iterable[Batch]) -> Score:
    """Score the real targets of batches that follow each other; at least one."""
    was_training = model.training
    model.eval()
    state: State | None = None
    sums, right, events, onsets = np.zeros(3), 0, 0, 0
    log_width = np.log(widths_ms(codec))
    log_widths = 0.0
    for batch in batches:
        logits, targets, state = predict(model, batch, state or model.silence(len(batch.fresh)))
        real = torch.from_numpy(batch.real).to(targets.device)
        sums += [float(loss[real].sum()) for loss in losses(logits, targets)]
        for index, choices in enumerate(logits):
            right += int((choices.argmax(-1) == targets[..., index])[real].sum())
        events += int(batch.real.sum())
        onsets += int((batch.targets[..., 1] > 0)[batch.real].sum())
        log_widths += float(log_width[batch.targets[..., 2][batch.real]].sum())
    model.train(was_training)
    note, velocity, time = map(float, sums / events)
    return Score(
        note, velocity, time, time + log_widths / events, onsets / events, right / (3 * events)
    )


def predict(model: Network, batch: Batch, state: State) -> tuple[Logits, Tensor, State]:
    """What the model expects at each position, what came (int64 [streams, steps, 3]), and the
    state after the batch. Streams with a new piece begin from silence.
    """
    device = next(model.parameters()).device
    tokens = torch.from_numpy(batch.tokens).to(device)
    targets = torch.from_numpy(batch.targets).to(device)
    logits, state = model(tokens, targets, state.begin(torch.from_numpy(batch.fresh).to(device)))
    return logits, targets, state


def losses(logits: Logits, targets: Tensor) -> list[Tensor]:
    """Negative log-likelihoods of note, velocity and time-bin: [streams, steps] each."""
    return [
        functional.cross_entropy(choices.transpose(1, 2), targets[..., index], reduction="none")
        for index, choices in enumerate(logits)
    ]


def widths_ms(codec: Codec) -> NDArray[np.float64]:
    """[time_bins]; at least the resolution. The open last bin is as wide as its mean says.

    An exponential density from the bin's edge, with the bin's mean, is on average as improbable
    as a uniform one e times as wide as the distance between the two.
    """
    tail_s = math.e * max(codec.values_s[-1] - codec.edges_s[-1], RESOLUTION_S)
    widths_s = np.append(np.diff(codec.edges_s), tail_s)
    widths: NDArray[np.float64] = np.maximum(widths_s, RESOLUTION_S) / RESOLUTION_S
    return widths
