"""Ways to train, as values: ours, and the textbook's to compare it with.

A preset says how files are read, what their events become, the network and its training; all of
it is done by the same code. The textbook's quirks are what these values say, see docs/book.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from core import corpus, midi_file
from core.checkpoint import ModelConfig
from core.codec import Codec
from core.corpus import CodecFor
from core.events import Events
from core.trainer import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """All that tells one way of training from another."""

    reader: Callable[[Path], Events] = corpus.read_piece
    codec: CodecFor | None = None  # None: log-spaced bins, fitted
    model: ModelConfig = field(default_factory=ModelConfig)
    recipe: Recipe = field(default_factory=Recipe)


DEFAULT = Preset()

# The chapter 'LSTM composer': windows of 30 events and the event after each, a tenth of the
# windows held out by chance, plain Adam for 100 epochs, the last model kept.
BOOK = Preset(
    reader=midi_file.read_note_ons,
    codec=Codec.uniform,
    model=ModelConfig(hidden_size=128, layers=1, dropout=0.2, plain=True),
    recipe=Recipe(
        streams=30,
        steps=30,
        windows=True,
        learning_rate=1e-3,
        warm_up=0,
        cooled=1.0,
        weight_decay=0.0,
        clip=None,
        halves=False,
        epochs=100.0,
        patience=100,
        keep_best=False,
    ),
)

BY_NAME = {"default": DEFAULT, "book": BOOK}
