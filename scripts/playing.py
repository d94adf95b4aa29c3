"""What the model plays, as events, in virtual time. Shared by the scripts that listen to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from core import checkpoint
from core.events import Event
from realtime.clock import NS_PER_S
from realtime.engine import Engine
from realtime.past import recall
from realtime.performer import Performer
from realtime.settings import Settings
from realtime.wire import Kind, is_note, is_onset


class Player:
    """A checkpoint, ready to play.

    Args:
        model: a checkpoint; None for the one that comes along.
    """

    def __init__(self, model: Path | None = None) -> None:
        loaded = checkpoint.load(model or checkpoint.SHIPPED)
        self._codec = loaded.codec
        self._engine = Engine(loaded)

    def play(
        self,
        rng: int,
        past: Iterable[Event] = (),
        settings: Settings = Settings(),  # noqa: B008 - frozen
        surprise_at: int | None = None,
    ) -> Iterator[Event]:
        """Without end: what a performer plays after the past, every note of which is released;
        surprised after so many events, if it is to be.
        """
        self._engine.reset()
        keeping = recall(self._engine, self._codec, past)
        chance = np.random.default_rng(rng)
        performer = Performer(
            self._engine, self._codec, settings, chance, start_ns=0, keeping=keeping
        )
        last_ns = count = 0
        while (wake_ns := performer.wake_ns) is not None:
            for record in performer.plan(wake_ns):
                message = record.message
                if record.kind is Kind.PLAY and is_note(message):
                    delta_s = (record.due_ns - last_ns) / NS_PER_S
                    yield Event(delta_s, message[1], message[2] if is_onset(message) else 0)
                    last_ns = record.due_ns
                    count += 1
                    if count == surprise_at:
                        performer.surprise()
