"""The network: an LSTM over events and three chained heads, time, then note, then velocity.

The caller carries the state, so a stream can be as long as one likes. The order of the heads is
for playing live: how long nothing happens is decided first, and a note before its velocity lets
a release be ruled out unless that note sounds.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from core.checkpoint import ModelConfig
from core.codec import Codec

State = tuple[Tensor, Tensor]  # hidden and cell: float32 [layers, batch, hidden] each


class Logits(NamedTuple):
    """Unnormalised log-probabilities of the next event, [batch, time, choices] each."""

    note: Tensor
    velocity: Tensor
    time: Tensor


class Model(nn.Module):
    """Scores the next event at every position."""

    def __init__(self, config: ModelConfig, codec: Codec) -> None:
        super().__init__()
        hidden, embedding, head = config.hidden_size, config.embedding_size, config.head_size
        # The last row of each table is START: what stands before the first event of a piece.
        self.note_embedding = nn.Embedding(codec.notes + 1, embedding)
        self.velocity_embedding = nn.Embedding(codec.velocities + 1, embedding)
        self.time_embedding = nn.Embedding(codec.time_bins + 1, embedding)
        self.lstm = nn.LSTM(
            embedding,
            hidden,
            config.layers,
            batch_first=True,
            dropout=config.dropout if config.layers > 1 else 0.0,
        )
        self.dropout = nn.Dropout(config.dropout)
        self.hidden = nn.Linear(hidden, 3 * head)
        self.time = nn.Linear(head, codec.time_bins)
        self.note = nn.Linear(head, codec.notes)
        self.velocity = nn.Linear(head, codec.velocities)
        self.note_from_time = nn.Embedding(codec.time_bins, head)
        self.velocity_from_time = nn.Embedding(codec.time_bins, head)
        self.velocity_from_note = nn.Embedding(codec.notes, head)

    @property
    def start(self) -> Tensor:
        """int64 [3]: the token that stands before the first event."""
        tables = (self.note_embedding, self.velocity_embedding, self.time_embedding)
        return torch.tensor([table.num_embeddings - 1 for table in tables])

    def silence(self, streams: int) -> State:
        """The state before the first event."""
        shape = (self.lstm.num_layers, streams, self.lstm.hidden_size)
        device = self.hidden.weight.device
        return torch.zeros(shape, device=device), torch.zeros(shape, device=device)

    def forward(
        self, tokens: Tensor, targets: Tensor, state: State | None = None
    ) -> tuple[Logits, State]:
        """Score `targets`, each the event after the token at its position.

        Feeding a sequence in pieces, passing the state on, equals feeding it whole.

        Args:
            tokens: int64 [batch, time, 3], (note, velocity, time-bin), START included.
            targets: int64 [batch, time, 3]; the note is scored given the true time, the velocity
                given both.
            state: what the previous call returned; None is silence.

        Raises:
            IndexError: an id is outside its vocabulary.
        """
        note, velocity, time = tokens.unbind(-1)
        inputs = (
            self.note_embedding(note)
            + self.velocity_embedding(velocity)
            + self.time_embedding(time)
        )
        outputs, state = self.lstm(inputs, state)
        for_time, for_note, for_velocity = self.hidden(self.dropout(outputs)).chunk(3, dim=-1)
        next_note, _, next_time = targets.unbind(-1)
        for_note = for_note + self.note_from_time(next_time)
        for_velocity = (
            for_velocity + self.velocity_from_time(next_time) + self.velocity_from_note(next_note)
        )
        logits = Logits(
            note=self.note(for_note.relu()),
            velocity=self.velocity(for_velocity.relu()),
            time=self.time(for_time.relu()),
        )
        return logits, state
