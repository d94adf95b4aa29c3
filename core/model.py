"""The network: an LSTM over events and chained heads, time, then note, then velocity.

It is told what sounds and for how long, which an LSTM alone would have to count and loses count
of: so no note is forgotten, however long the stream. A sounding note can only be released and a
silent one only be struck, so each has a score of its own for the one thing that can happen to it.

The caller carries the state, so a stream can be as long as one likes. The order of the heads is
for playing live: how long nothing happens is decided first, and a note before its velocity.

Beside it the textbook's network, which is given and does none of this.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from core.checkpoint import ModelConfig
from core.codec import Codec

# Log-probability of what no stream does: a velocity for a note that is released, or none for one
# that is struck. Finite, so that a stream of someone else's can be scored too.
IMPOSSIBLE = -20.0


class State(NamedTuple):
    """What the network remembers of each stream."""

    hidden: Tensor  # float32 [layers, batch, hidden]
    cell: Tensor  # the same
    ages_s: Tensor  # float64 [batch, notes]: seconds since a sounding note was struck, else -inf

    @classmethod
    def silence(cls, lstm: nn.LSTM, streams: int, notes: int) -> State:
        """Before the first event."""
        device = next(lstm.parameters()).device
        zeros = torch.zeros(lstm.num_layers, streams, lstm.hidden_size, device=device)
        return cls(
            hidden=zeros,
            cell=zeros.clone(),
            ages_s=torch.full((streams, notes), -torch.inf, dtype=torch.float64, device=device),
        )

    def begin(self, fresh: Tensor) -> State:
        """Silence where `fresh` (bool [batch]) says so; nothing learns through it."""
        keep = ~fresh[None, :, None]
        return State(
            self.hidden.detach() * keep,
            self.cell.detach() * keep,
            self.ages_s.detach().masked_fill(fresh[:, None], -torch.inf),
        )


class Logits(NamedTuple):
    """Unnormalised log-probabilities of the next event, [batch, time, choices] each."""

    note: Tensor
    velocity: Tensor
    time: Tensor


class Model(nn.Module):
    """Scores the next event at every position."""

    seconds: Tensor
    edges_s: Tensor

    def __init__(self, config: ModelConfig, codec: Codec) -> None:
        super().__init__()
        hidden, embedding, head = config.hidden_size, config.embedding_size, config.head_size
        # The last row of each table is START: what stands before the first event of a piece.
        self.note_embedding = nn.Embedding(codec.notes + 1, embedding)
        self.velocity_embedding = nn.Embedding(codec.velocities + 1, embedding)
        self.time_embedding = nn.Embedding(codec.time_bins + 1, embedding)
        # Which notes sound, and log(1 + age) of each.
        self.sounding = nn.Linear(2 * codec.notes, embedding, bias=False)
        self.lstm = nn.LSTM(
            embedding,
            hidden,
            config.layers,
            batch_first=True,
            dropout=config.dropout if config.layers > 1 else 0.0,
        )
        self.norm = nn.LayerNorm(hidden)
        self.dropout = nn.Dropout(config.dropout)
        self.hidden = nn.Linear(hidden, 4 * head)
        self.past = nn.Linear(embedding, 4 * head, bias=False)  # the event, past the LSTM
        self.time = nn.Linear(head, codec.time_bins)
        self.note = nn.Linear(head, codec.notes)
        self.release = nn.Linear(head, codec.notes)
        self.release_by_age = nn.Linear(head, codec.time_bins, bias=False)
        self.velocity = nn.Linear(head, codec.velocities)
        self.note_from_time = nn.Embedding(codec.time_bins, head)
        self.release_from_time = nn.Embedding(codec.time_bins, head)
        self.velocity_from_time = nn.Embedding(codec.time_bins, head)
        self.velocity_from_note = nn.Embedding(codec.notes, head)
        # Of each bin, START's included. The codec's, not learned: no part of a checkpoint.
        # In double precision, for an age on a bin's edge must fall on one side of it everywhere.
        for name, times_s in ("seconds", (*codec.values_s, 0.0)), ("edges_s", codec.edges_s):
            times = torch.tensor(times_s, dtype=torch.float64)
            self.register_buffer(name, times, persistent=False)

    @property
    def start(self) -> Tensor:
        """int64 [3]: the token that stands before the first event."""
        tables = (self.note_embedding, self.velocity_embedding, self.time_embedding)
        return torch.tensor([table.num_embeddings - 1 for table in tables])

    def silence(self, streams: int) -> State:
        """The state before the first event."""
        return State.silence(self.lstm, streams, self.note.out_features)

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
        state = state or self.silence(len(tokens))
        note, velocity, time = tokens.unbind(-1)
        ages_s = self._ages_s(tokens, state.ages_s)
        sounds = ages_s >= 0
        told = torch.cat([sounds.float(), ages_s.float().clamp(min=0).log1p()], dim=-1)
        inputs = (
            self.note_embedding(note)
            + self.velocity_embedding(velocity)
            + self.time_embedding(time)
            + self.sounding(told)
        )
        outputs, (hidden, cell) = self.lstm(inputs, (state.hidden, state.cell))
        known = self.hidden(self.dropout(self.norm(outputs))) + self.past(inputs)
        for_time, for_note, for_release, for_velocity = known.chunk(4, dim=-1)
        next_note, _, next_time = targets.unbind(-1)
        strike = self.note((for_note + self.note_from_time(next_time)).relu())
        for_release = (for_release + self.release_from_time(next_time)).relu()
        by_age = self.release_by_age(for_release)
        then_s = (ages_s + self.seconds[next_time][..., None]).clamp(min=0)
        release = self.release(for_release) + by_age.gather(
            -1, torch.bucketize(then_s, self.edges_s, right=True) - 1
        )
        for_velocity = (
            for_velocity + self.velocity_from_time(next_time) + self.velocity_from_note(next_note)
        )
        logits = Logits(
            note=torch.where(sounds, release, strike).float(),
            velocity=_velocity(
                self.velocity(for_velocity.relu()), sounds.gather(-1, next_note[..., None])
            ).float(),
            time=self.time(for_time.relu()).float(),
        )
        return logits, State(hidden.float(), cell.float(), ages_s[:, -1])

    def _ages_s(self, tokens: Tensor, before_s: Tensor) -> Tensor:
        """float64 [batch, time, notes]: seconds since each sounding note was struck, else -inf."""
        note, velocity, time = tokens.unbind(-1)
        batch, steps = note.shape
        notes = before_s.shape[-1]
        clock_s = self.seconds[time].cumsum(1)
        struck_s = clock_s.masked_fill(velocity == 0, torch.inf)  # a release: never struck
        # Which event of the stretch was the last on each note, from 1; 0 stands for none.
        # START is on a note of its own, beyond the others.
        last = torch.zeros(batch, steps, notes + 1, dtype=torch.int64, device=tokens.device)
        numbers = torch.arange(1, steps + 1, device=tokens.device).expand(batch, steps)
        last.scatter_(2, note[..., None], numbers[..., None])
        last = last[..., :notes].cummax(1).values
        since_s = struck_s.gather(1, (last - 1).clamp(min=0).flatten(1)).view_as(last)
        since_s = torch.where(last == 0, -before_s[:, None], since_s)
        return clock_s[..., None] - since_s


def _velocity(logits: Tensor, sounds: Tensor) -> Tensor:
    """Velocity 0 and no other for a note that sounds, any other for one that does not."""
    none = torch.arange(logits.shape[-1], device=logits.device) == 0
    certain = torch.where(none, 0.0, IMPOSSIBLE)
    return torch.where(sounds, certain, logits.masked_fill(none, IMPOSSIBLE))


class Plain(nn.Module):
    """The textbook's network: one-hot inputs, and choices that know nothing of each other.

    Called as `Model` is; it does not look at the targets, nor at what sounds.
    """

    def __init__(self, config: ModelConfig, codec: Codec) -> None:
        super().__init__()
        self.sizes = (codec.notes, codec.velocities, codec.time_bins)
        self.lstm = nn.LSTM(
            sum(self.sizes),
            config.hidden_size,
            config.layers,
            batch_first=True,
            dropout=config.dropout if config.layers > 1 else 0.0,
        )
        self.dropout = nn.Dropout(config.dropout)
        self.heads = nn.Linear(config.hidden_size, sum(self.sizes))

    @property
    def start(self) -> Tensor:
        """int64 [3]: the token that stands before the first event, all zeros as one-hot."""
        return torch.tensor(self.sizes)

    def silence(self, streams: int) -> State:
        return State.silence(self.lstm, streams, self.sizes[0])

    def forward(
        self, tokens: Tensor, targets: Tensor, state: State | None = None
    ) -> tuple[Logits, State]:
        del targets
        state = state or self.silence(len(tokens))
        one_hot = [
            nn.functional.one_hot(tokens[..., index], size + 1)[..., :size].float()
            for index, size in enumerate(self.sizes)
        ]
        outputs, (hidden, cell) = self.lstm(torch.cat(one_hot, -1), (state.hidden, state.cell))
        logits = Logits(*self.heads(self.dropout(outputs)).float().split(self.sizes, -1))
        return logits, State(hidden.float(), cell.float(), state.ages_s)


Network = Model | Plain


def build(config: ModelConfig, codec: Codec) -> Network:
    """The network that a configuration asks for, untrained."""
    return Plain(config, codec) if config.plain else Model(config, codec)
