"""Another model takes over while the music plays, between two events.

It is loaded beside the one that plays, and hears the last events of the stream, a few at a time, in
the pauses between the steps of the other. When it has caught up it knows all that it must.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import NamedTuple

from core import checkpoint
from core.checkpoint import Checkpoint
from core.codec import Codec
from core.errors import CheckpointError
from realtime.clock import NS_PER_MS
from realtime.engine import Engine
from realtime.fingerprint import fingerprint
from realtime.plain import engine_for
from realtime.stream import Stream

LOOK_EVERY_NS = 20 * NS_PER_MS  # whether it is loaded
AT_ONCE = 16  # events, which take a millisecond or two


class Arrived(NamedTuple):
    """A model that has heard all that cannot be undone."""

    engine: Engine
    codec: Codec


class Swap:
    """A checkpoint on its way in; it is loaded in a thread from the start.

    Args:
        path: of the checkpoint.
        stream: that it is to join.
    """

    def __init__(self, path: Path, stream: Stream) -> None:
        self.path = path
        self._stream = stream
        self._loaded: tuple[Checkpoint, Engine] | None = None
        self._error: CheckpointError | None = None
        self.fingerprint = ""  # of the file, when it has been read
        self._next: int | None = None  # event of the stream, to be heard
        self._thread = threading.Thread(target=self._load, daemon=True)
        self._thread.start()

    def _load(self) -> None:
        self.fingerprint = fingerprint(self.path)
        try:
            model = checkpoint.load(self.path)
            codec = self._stream.codec
            if (model.codec.lowest_pitch, model.codec.notes) != (codec.lowest_pitch, codec.notes):
                raise CheckpointError(f"{self.path} has other pitches; start composerd with it")
            self._loaded = model, engine_for(model)
        except CheckpointError as error:
            self._error = error
        except MemoryError:
            self._error = CheckpointError(f"there is no memory for {self.path}")

    def loaded(self, timeout_s: float) -> bool:
        """Wait so long for the file to be read, well or ill; whether it is."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def wait_ns(self) -> int:
        """How long it can do without `go_on`."""
        return LOOK_EVERY_NS if self._thread.is_alive() else 0

    def go_on(self) -> Arrived | None:
        """Hear some of the stream; the model when it is ready to take over, at once.

        Raises:
            CheckpointError: it is no model that could. The old one plays on.
        """
        if self._thread.is_alive():
            return None
        if self._error:
            raise self._error
        assert self._loaded  # noqa: S101 - the thread has ended one way or the other
        model, engine = self._loaded
        heard = self._stream.heard_since(self._next)
        for number, event, begins in heard[:AT_ONCE]:
            if begins:
                engine.reset()
            engine.step(model.codec.encode(event))
            self._next = number + 1
        return Arrived(engine, model.codec) if len(heard) <= AT_ONCE else None
