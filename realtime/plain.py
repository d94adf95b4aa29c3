"""The textbook's network (`core.model.Plain`) in numpy, played as ours is."""

from __future__ import annotations

import numpy as np

from core.checkpoint import Checkpoint
from core.codec import Token
from realtime.engine import Engine, Floats, Weights


class PlainEngine(Engine):
    """The textbook's network: it is not told what sounds, and its choices are independent."""

    def step(self, token: Token) -> None:
        note, velocity, time_bin = token
        self._advance([note, self._velocities_at + velocity, self._times_at + time_bin])

    def time_logits(self) -> Floats:
        return self._known()[self._sizes[0] + self._sizes[1] :].copy()

    def note_logits(self, time_bin: int) -> Floats:
        del time_bin
        return self._known()[: self._sizes[0]].copy()

    def velocity_logits(self, time_bin: int, note: int) -> Floats:
        del time_bin, note
        return self._known()[self._sizes[0] : -self._sizes[2]].copy()

    def _table(self, weights: Weights, from_input: Floats, bias: Floats) -> Floats:
        """Below the rows of each choice one of START, which is nothing."""
        del weights
        nothing = np.zeros((1, len(from_input)), np.float32)
        notes, velocities, times = np.split(from_input.T, np.cumsum(self._sizes)[:2])
        return np.concatenate([notes, nothing, velocities, nothing, times + bias, nothing + bias])

    def _make_heads(self, weights: Weights) -> None:
        self._heads = weights["heads.weight"]
        self._head_bias = weights["heads.bias"]
        self._sizes = (
            self._velocities_at - 1,
            self._times_at - self._velocities_at - 1,
            self._sounding_at - self._times_at - 1,
        )

    def _known(self) -> Floats:
        """float32 [all choices]: their logits."""
        if self._hidden is None:
            self._hidden = np.dot(self._heads, self._outputs[-1]) + self._head_bias
        return self._hidden


def engine_for(checkpoint: Checkpoint) -> Engine:
    """The engine that its network needs."""
    return PlainEngine(checkpoint) if checkpoint.config.plain else Engine(checkpoint)
