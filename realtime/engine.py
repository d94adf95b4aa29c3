"""One step of the network in numpy: what the LSTM remembers, and what it expects next.

At batch 1 a step is bound by reading the weights once, so that is all it does: the embeddings
are multiplied beforehand into what they lead to (the first layer's gates, and past it the heads)
and become one row each, and every layer is one matrix-vector product. BLAS must not spread those
over threads, which costs more than it gains: the process says so in its environment before numpy
is first imported (see composer).
"""

from __future__ import annotations

from bisect import bisect_right
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.checkpoint import Checkpoint
from core.codec import Token

Floats = NDArray[np.float32]

# The last row of each embedding stands for 'before the first event'.
START = Token(-1, -1, -1)

IMPOSSIBLE = np.float32(-20)  # as in core.model, which cannot be imported here
_EPSILON = np.float32(1e-5)  # torch's in its layer norm


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
        self._matrices = recurrent[:1] + [
            np.hstack(pair) for pair in zip(from_input[1:], recurrent[1:], strict=True)
        ]
        biases = [
            _by_gate(weights[f"lstm.bias_ih_l{k}"] + weights[f"lstm.bias_hh_l{k}"])
            for k in range(layers)
        ]
        # What the outputs of the LSTM and the event itself say to the heads. The layer norm's
        # scale and shift go into the weights; what is left of it is done at each step.
        self._heads: Floats = weights["hidden.weight"] * weights["norm.weight"]
        head_bias = weights["hidden.weight"] @ weights["norm.bias"] + weights["hidden.bias"]
        leads_to = np.vstack([from_input[0], weights["past.weight"]]).T
        self._note_rows: Floats = weights["note_embedding.weight"] @ leads_to
        self._velocity_rows: Floats = weights["velocity_embedding.weight"] @ leads_to
        self._time_rows: Floats = weights["time_embedding.weight"] @ leads_to
        self._time_rows += np.concatenate([biases[0], head_bias])
        # [notes, 2, ...]: that the note sounds, and how much of log(1 + its age).
        told = weights["sounding.weight"].T @ leads_to
        self._sounding_rows = np.ascontiguousarray(
            told.reshape(2, codec.notes, -1).transpose(1, 0, 2)
        )
        self._row: Floats = np.zeros(4 * size + 4 * config.head_size, np.float32)
        self._biases = [self._row[: 4 * size], *biases[1:]]
        self._past = self._row[4 * size :]

        self._gates: Floats = np.empty(4 * size, np.float32)
        self._sigmoids = self._gates[: 3 * size]
        self._in, self._forget, self._out, self._candidate = self._gates.reshape(4, size)

        self._weights = {
            name: weight
            for name, weight in weights.items()
            if not name.startswith("lstm.") and "_embedding." not in name
        }
        self._hidden: Floats | None = None  # [4, head size], once a step is asked what comes next
        self._struck_s: dict[int, float] = {}
        self._clock_s = 0.0
        self.reset()

    def reset(self) -> None:
        """Back to silence, before the first event."""
        self._state.fill(0)
        self._struck_s.clear()
        self._clock_s = 0.0
        self._advance(START)

    def step(self, token: Token) -> None:
        """Hear one event."""
        self._clock_s += self._seconds[token.time_bin]
        if token.velocity:
            self._struck_s[token.note] = self._clock_s
        else:
            self._struck_s.pop(token.note, None)
        self._advance(token)

    def _advance(self, token: Token) -> None:
        row, gates = self._row, self._gates
        np.add(self._note_rows[token.note], self._velocity_rows[token.velocity], out=row)
        row += self._time_rows[token.time_bin]
        if self._struck_s:
            told = np.ones((len(self._struck_s), 2), np.float32)
            told[:, 1] = self._clock_s - np.array(list(self._struck_s.values()))
            np.log1p(told[:, 1], out=told[:, 1])
            rows = self._sounding_rows[list(self._struck_s)]
            row += told.reshape(-1) @ rows.reshape(-1, len(row))
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
        hidden, _, _, _ = self._known()
        return self._score("time", hidden)

    def note_logits(self, time_bin: int) -> Floats:
        """float32 [notes]: which note, given when; struck if it is silent, else released."""
        _, hidden, _, _ = self._known()
        logits = self._score("note", hidden + self._weights["note_from_time.weight"][time_bin])
        if self._struck_s:
            notes = list(self._struck_s)
            logits[notes] = self._release_logits(notes, time_bin)
        return logits

    def _release_logits(self, notes: list[int], time_bin: int) -> Floats:
        """float32 [len(notes)]: how likely each is to be released, at the age it has by then."""
        hidden = self._known()[2] + self._weights["release_from_time.weight"][time_bin]
        np.maximum(hidden, 0, out=hidden)
        clock_s, delta_s, edges_s = self._clock_s, self._seconds[time_bin], self._edges_s
        ages = [
            bisect_right(edges_s, clock_s - self._struck_s[note] + delta_s) - 1 for note in notes
        ]
        rows = self._weights["release.weight"][notes] + self._weights["release_by_age.weight"][ages]
        logits: Floats = rows @ hidden + self._weights["release.bias"][notes]
        return logits

    def velocity_logits(self, time_bin: int, note: int) -> Floats:
        """float32 [128]: how hard, given when and which; 0 releases, and a note that sounds can
        only be released.
        """
        if note in self._struck_s:
            logits = np.full_like(self._weights["velocity.bias"], IMPOSSIBLE)
            logits[0] = 0
            return logits
        _, _, _, hidden = self._known()
        from_time = self._weights["velocity_from_time.weight"][time_bin]
        from_note = self._weights["velocity_from_note.weight"][note]
        logits = self._score("velocity", hidden + from_time + from_note)
        logits[0] = IMPOSSIBLE
        return logits

    def snapshot(self) -> Snapshot:
        """What `restore` takes back."""
        return Snapshot(self._state.copy(), self._row.copy(), self._struck_s.copy(), self._clock_s)

    def restore(self, snapshot: Snapshot) -> None:
        np.copyto(self._state, snapshot.state)
        np.copyto(self._row, snapshot.row)
        self._struck_s = snapshot.struck_s.copy()
        self._clock_s = snapshot.clock_s
        self._hidden = None

    def _known(self) -> Floats:
        """float32 [4, head size]: what each head goes by: time, note, release, velocity."""
        if self._hidden is None:
            output = self._outputs[-1]
            centred = output - output.mean()
            centred /= np.sqrt(centred @ centred / np.float32(len(centred)) + _EPSILON)
            hidden = self._heads @ centred
            hidden += self._past
            self._hidden = hidden.reshape(4, -1)
        return self._hidden

    def _score(self, head: str, hidden: Floats) -> Floats:
        logits: Floats = self._weights[f"{head}.weight"] @ np.maximum(hidden, 0)
        logits += self._weights[f"{head}.bias"]
        return logits


def _by_gate(rows: Floats) -> Floats:
    """Rows as torch orders them, input, forget, candidate, output, with the candidate put last.

    The three sigmoids then lie side by side and come from the same tanh as the candidate:
    sigmoid(x) = tanh(x / 2) / 2 + 1 / 2; the inner half goes into the weights, without rounding.
    """
    into, forget, candidate, out = np.split(rows, 4)
    return np.concatenate([into / 2, forget / 2, out / 2, candidate])
