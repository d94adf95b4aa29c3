"""One step of the network in numpy: what the LSTM remembers, and what it expects next.

At batch 1 a step is bound by reading the weights once, so that is all it does: the embeddings
are multiplied beforehand into what they lead to (the first layer's gates, and past it the heads)
and become one row each, and every layer is one matrix-vector product. BLAS must not spread those
over threads, which costs more than it gains: the process says so in its environment before numpy
is first imported (see composer).
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.checkpoint import Checkpoint
from core.codec import Token

Floats = NDArray[np.float32]
Weights = Mapping[str, Floats]

IMPOSSIBLE = np.float32(-20)  # as in core.model, which cannot be imported here
_EPSILON = 1e-5  # torch's in its layer norm


class Snapshot(NamedTuple):
    """All that an engine remembers: a few kilobytes."""

    state: Floats  # [2, layers, hidden]: h and c
    row: Floats  # of the last event
    struck_s: dict[int, float]  # when each sounding note was struck
    clock_s: float


class Engine:
    """The network of a checkpoint with the state of one stream, which starts from silence.

    Feeding a stream in pieces, with `snapshot` and `restore` between, equals feeding it whole.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        config, codec, weights = checkpoint.config, checkpoint.codec, checkpoint.weights
        layers, size = config.layers, config.hidden_size
        self._seconds = codec.values_s
        self._edges_s = codec.edges_s
        self._state: Floats = np.zeros((2, layers, size), np.float32)  # h and c of each layer
        self._cells = list(self._state[1])
        self._outputs = list(self._state[0])
        # h of the layer below and of the layer itself lie side by side: both products are one.
        every = self._state[0].reshape(-1)
        self._inputs = [every[max(k - 1, 0) * size : (k + 1) * size] for k in range(layers)]

        from_input = [_by_gate(weights[f"lstm.weight_ih_l{k}"]) for k in range(layers)]
        recurrent = [_by_gate(weights[f"lstm.weight_hh_l{k}"]) for k in range(layers)]
        # By columns: a product then reads memory in one go, which other processes disturb less.
        self._matrices = [np.asfortranarray(recurrent[0])] + [
            np.asfortranarray(np.hstack(pair))
            for pair in zip(from_input[1:], recurrent[1:], strict=True)
        ]
        biases = [
            _by_gate(weights[f"lstm.bias_ih_l{k}"] + weights[f"lstm.bias_hh_l{k}"])
            for k in range(layers)
        ]
        self._velocities_at = codec.notes + 1
        self._times_at = self._velocities_at + codec.velocities + 1
        self._sounding_at = self._times_at + codec.time_bins + 1
        self._make_heads(weights)
        self._rows = self._table(weights, from_input[0], biases[0])
        self._told: Floats = np.empty((3 + 2 * codec.notes, self._rows.shape[1]), np.float32)
        self._row: Floats = np.zeros(self._rows.shape[1], np.float32)
        self._biases = [self._row[: 4 * size], *biases[1:]]
        self._past = self._row[4 * size :]

        self._gates: Floats = np.empty(4 * size, np.float32)
        self._sigmoids = self._gates[: 3 * size]
        self._in, self._forget, self._out, self._candidate = self._gates.reshape(4, size)

        self._hidden: Floats | None = None  # once a step is asked what comes next
        self._struck_s: dict[int, float] = {}
        self._clock_s = 0.0
        self.reset()

    def _table(self, weights: Weights, from_input: Floats, bias: Floats) -> Floats:
        """All that a step can be told, a row each: the note, the velocity, the time, and of every
        note that it sounds, and how much of log(1 + its age).
        """
        leads_to = np.vstack([from_input, weights["past.weight"]]).T
        times = weights["time_embedding.weight"] @ leads_to
        head_bias = weights["hidden.weight"] @ weights["norm.bias"] + weights["hidden.bias"]
        times += np.concatenate([bias, head_bias])
        sounding = (weights["sounding.weight"].T @ leads_to).reshape(2, -1, leads_to.shape[1])
        return np.concatenate(
            [
                weights["note_embedding.weight"] @ leads_to,
                weights["velocity_embedding.weight"] @ leads_to,
                times,
                sounding.transpose(1, 0, 2).reshape(-1, leads_to.shape[1]),
            ]
        )

    def _make_heads(self, weights: Weights) -> None:
        # Of the layer norm, scale and shift go into the weights, and so does taking the mean away:
        # from the rows instead of the outputs. Only the division by the deviation is left to each
        # step.
        heads = weights["hidden.weight"] * weights["norm.weight"]
        self._heads: Floats = np.asfortranarray(heads - heads.mean(axis=1, keepdims=True))
        size = heads.shape[1]
        self._mean: Floats = np.full(size, 1 / size, np.float32)
        self._time = weights["time.weight"], weights["time.bias"]
        self._strike = weights["note.weight"], weights["note.bias"]
        # A row of each note and, below them, of each age.
        self._release: Floats = np.vstack(
            [weights["release.weight"], weights["release_by_age.weight"]]
        )
        self._release_bias = weights["release.bias"]
        self._velocity = weights["velocity.weight"].copy(), weights["velocity.bias"].copy()
        for part in self._velocity:
            part[0] = 0
        self._velocity[1][0] = IMPOSSIBLE  # a release has no velocity, and no other event has 0
        self._released: Floats = np.full_like(self._velocity[1], IMPOSSIBLE)
        self._released[0] = 0
        self._note_from_time = weights["note_from_time.weight"]
        self._release_from_time = weights["release_from_time.weight"]
        self._velocity_from_time = weights["velocity_from_time.weight"]
        self._velocity_from_note = weights["velocity_from_note.weight"]

    def reset(self) -> None:
        """Back to silence, before the first event."""
        self._state.fill(0)
        self._struck_s.clear()
        self._clock_s = 0.0
        # START, the last row of each table.
        self._advance([self._velocities_at - 1, self._times_at - 1, self._sounding_at - 1])

    def step(self, token: Token) -> None:
        """Hear one event."""
        note, velocity, time_bin = token
        self._clock_s += self._seconds[time_bin]
        if velocity:
            self._struck_s[note] = self._clock_s
        else:
            self._struck_s.pop(note, None)
        self._advance([note, self._velocities_at + velocity, self._times_at + time_bin])

    def _advance(self, rows: list[int]) -> None:
        """Step by the event that these rows of the table tell of."""
        weights, clock_s = [1.0] * len(rows), self._clock_s
        for note, struck_s in self._struck_s.items():
            sounds = self._sounding_at + 2 * note
            rows += (sounds, sounds + 1)
            weights += (1.0, math.log1p(clock_s - struck_s))
        # Unless told to clip, numpy takes into a copy of `out`.
        told = self._rows.take(rows, axis=0, out=self._told[: len(rows)], mode="clip")
        np.dot(np.array(weights, np.float32), told, out=self._row)
        gates = self._gates
        for matrix, inputs, bias, cell, output in zip(
            self._matrices, self._inputs, self._biases, self._cells, self._outputs, strict=True
        ):
            np.dot(matrix, inputs, out=gates)
            gates += bias
            np.tanh(gates, out=gates)
            self._sigmoids *= 0.5
            self._sigmoids += 0.5
            cell *= self._forget
            self._in *= self._candidate
            cell += self._in
            np.tanh(cell, out=output)
            output *= self._out
        self._hidden = None

    def time_logits(self) -> Floats:
        """float32 [time bins]: how long until the next event."""
        return _scores(self._time, self._known()[0].copy())

    def note_logits(self, time_bin: int) -> Floats:
        """float32 [notes]: which note, given when; struck if it is silent, else released."""
        logits = _scores(self._strike, self._known()[1] + self._note_from_time[time_bin])
        if self._struck_s:
            notes = list(self._struck_s)
            logits[notes] = self._release_logits(notes, time_bin)
        return logits

    def _release_logits(self, notes: list[int], time_bin: int) -> Floats:
        """float32 [len(notes)]: how likely each is to be released, at the age it has by then."""
        clock_s, delta_s, edges_s = self._clock_s, self._seconds[time_bin], self._edges_s
        ages_at = len(self._release_bias) - 1
        ages = [
            ages_at + bisect_right(edges_s, clock_s - struck_s + delta_s)
            for struck_s in self._struck_s.values()
        ]
        hidden = self._known()[2] + self._release_from_time[time_bin]
        np.maximum(hidden, 0, out=hidden)
        of_each = np.dot(self._release.take(notes + ages, axis=0), hidden)
        logits: Floats = of_each[: len(notes)] + of_each[len(notes) :]
        logits += self._release_bias[notes]
        return logits

    def velocity_logits(self, time_bin: int, note: int) -> Floats:
        """float32 [128]: how hard, given when and which; 0 releases, and a note that sounds can
        only be released.
        """
        if note in self._struck_s:
            return self._released.copy()
        hidden = self._known()[3] + self._velocity_from_time[time_bin]
        hidden += self._velocity_from_note[note]
        return _scores(self._velocity, hidden)

    def snapshot(self) -> Snapshot:
        """What `restore` takes back."""
        return Snapshot(self._state.copy(), self._row.copy(), self._struck_s.copy(), self._clock_s)

    def restore(self, snapshot: Snapshot) -> None:
        np.copyto(self._state, snapshot.state)
        np.copyto(self._row, snapshot.row)
        self._struck_s = snapshot.struck_s.copy()
        self._clock_s = snapshot.clock_s
        self._hidden = None

    def nudge(self, rng: np.random.Generator) -> None:
        """Surprise: what it remembers is disturbed by as much again, from the next event on."""
        cells = self._state[1]
        cells += cells.std() * rng.standard_normal(cells.shape, np.float32)

    def _known(self) -> Floats:
        """float32 [4, head size]: what each head goes by: time, note, release, velocity."""
        if self._hidden is None:
            output = self._outputs[-1]
            mean = float(np.dot(output, self._mean))
            variance = float(np.dot(output, output)) / len(output) - mean * mean
            hidden = np.dot(self._heads, output)
            hidden *= np.float32(1 / math.sqrt(max(variance, 0.0) + _EPSILON))
            hidden += self._past
            self._hidden = hidden.reshape(4, -1)
        return self._hidden


def _scores(head: tuple[Floats, Floats], hidden: Floats) -> Floats:
    """The last layer of a head: its matrix and bias. Overwrites `hidden`."""
    matrix, bias = head
    np.maximum(hidden, 0, out=hidden)
    logits: Floats = np.dot(matrix, hidden)
    logits += bias
    return logits


def _by_gate(rows: Floats) -> Floats:
    """Rows as torch orders them, input, forget, candidate, output, with the candidate put last.

    The three sigmoids then lie side by side and come from the same tanh as the candidate:
    sigmoid(x) = tanh(x / 2) / 2 + 1 / 2; the inner half goes into the weights, without rounding.
    """
    into, forget, candidate, out = np.split(rows, 4)
    return np.concatenate([into / 2, forget / 2, out / 2, candidate])
