"""One step of the network in numpy: what the LSTM remembers, and what it expects next.

At batch 1 a step is bound by reading the weights once, so that is all it does: the embeddings
are multiplied into the first layer beforehand and become one row each, and every layer is one
matrix-vector product. BLAS must not spread those over threads, which costs more than it gains:
the process says so in its environment before numpy is first imported (see composer).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.checkpoint import Checkpoint
from core.codec import Token

Floats = NDArray[np.float32]

# The last row of each embedding stands for 'before the first event'.
START = Token(-1, -1, -1)


class Engine:
    """The network of a checkpoint with the state of one stream, which starts from silence.

    Feeding a stream in pieces, with `snapshot` and `restore` between, equals feeding it whole.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        layers, size = checkpoint.config.layers, checkpoint.config.hidden_size
        weights = checkpoint.weights
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
        self._biases = [
            _by_gate(weights[f"lstm.bias_ih_l{k}"] + weights[f"lstm.bias_hh_l{k}"])
            for k in range(layers)
        ]
        into_gates = from_input[0].T
        self._note_rows: Floats = weights["note_embedding.weight"] @ into_gates
        self._velocity_rows: Floats = weights["velocity_embedding.weight"] @ into_gates
        self._time_rows: Floats = weights["time_embedding.weight"] @ into_gates + self._biases[0]

        self._gates: Floats = np.empty(4 * size, np.float32)
        self._sigmoids = self._gates[: 3 * size]
        self._in, self._forget, self._out, self._candidate = self._gates.reshape(4, size)

        self._weights = {
            name: weight
            for name, weight in weights.items()
            if not name.startswith("lstm.") and "_embedding." not in name
        }
        self._hidden: Floats | None = None  # [3, head size], once a step is asked what comes next
        self.reset()

    def reset(self) -> None:
        """Back to silence, before the first event."""
        self._state.fill(0)
        self.step(START)

    def step(self, token: Token) -> None:
        """Hear one event."""
        gates = self._gates
        # The event is the first layer's bias: one row of each table.
        self._biases[0] = self._note_rows[token.note] + self._velocity_rows[token.velocity]
        self._biases[0] += self._time_rows[token.time_bin]
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
        hidden, _, _ = self._heads()
        return self._score("time", hidden)

    def note_logits(self, time_bin: int) -> Floats:
        """float32 [notes]: which note, given when."""
        _, hidden, _ = self._heads()
        return self._score("note", hidden + self._weights["note_from_time.weight"][time_bin])

    def velocity_logits(self, time_bin: int, note: int) -> Floats:
        """float32 [128]: how hard, given when and which; 0 releases."""
        _, _, hidden = self._heads()
        from_time = self._weights["velocity_from_time.weight"][time_bin]
        from_note = self._weights["velocity_from_note.weight"][note]
        return self._score("velocity", hidden + from_time + from_note)

    def snapshot(self) -> Floats:
        """What `restore` takes back: a copy of a few kilobytes."""
        return self._state.copy()

    def restore(self, snapshot: Floats) -> None:
        np.copyto(self._state, snapshot)
        self._hidden = None

    def _heads(self) -> Floats:
        if self._hidden is None:
            hidden = self._weights["hidden.weight"] @ self._outputs[-1]
            hidden += self._weights["hidden.bias"]
            self._hidden = hidden.reshape(3, -1)
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
