"""What a composer is ordered to do while it plays: other settings, another model, a surprise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from core.errors import CheckpointError
from realtime.clock import NS_PER_S
from realtime.performer import Performer
from realtime.swap import Swap
from realtime.wire import Kind, Pieces, Record, pieces


class Obeying:
    """Told of each ORDER, and of each pause in which there is time for more.

    Args:
        plays: who is to obey.
        model: the checkpoint that it plays from.
        send: takes what the daemon is to know.
    """

    def __init__(self, plays: Performer, model: Path, send: Callable[[Record], None]) -> None:
        self._plays = plays
        self._model = model
        self._send = send
        self._pieces = Pieces()
        self._swap: Swap | None = None

    def ordered(self, record: Record) -> None:
        """An ORDER, or a piece of one."""
        order = self._pieces.join(record)
        if order is None:
            return
        if "settings" in order:
            self._plays.settings = replace(self._plays.settings, **order["settings"])
        if "surprise" in order:
            self._plays.surprise()
        if "model" in order:  # one that is still on its way does not come
            self._swap = Swap(Path(order["model"]), self._plays.stream)

    @property
    def wait_ns(self) -> int:
        """How long it can do without `go_on`."""
        return self._swap.wait_ns if self._swap else NS_PER_S

    def can_go_on(self, timeout_s: float) -> bool:
        """Whether another model is on its way and loaded, or will be before so long."""
        return self._swap is not None and self._swap.loaded(timeout_s)

    @property
    def files(self) -> dict[str, str]:
        """The one of another model that is loaded: its SHA-256 by its path."""
        return {str(self._swap.path): self._swap.fingerprint} if self._swap else {}

    def go_on(self) -> None:
        """Bring another model nearer, if one is on its way."""
        if self._swap is None:
            return
        try:
            arrived = self._swap.go_on()
        except CheckpointError as error:
            self._say(say=f"{error}; {self._model} plays on")
            self._swap = None
            return
        if arrived:
            self._plays.adopt(arrived.engine, arrived.codec)
            self._model = self._swap.path
            self._say(say=f"{self._model} plays now", model=str(self._model))
            self._swap = None

    def _say(self, **fields: str) -> None:
        for record in pieces(Kind.WORD, fields):
            self._send(record)
