"""The only currency of music between rooms: one event, and many of them as columns."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Event:
    """One key going down or coming up.

    Raises:
        ValueError: a field is outside its range.
    """

    delta_s: float  # seconds since the previous event, >= 0
    pitch: int  # 0..127, 60 is middle C
    velocity: int  # 1..127 strikes the key, 0 releases it

    def __post_init__(self) -> None:
        if not (math.isfinite(self.delta_s) and self.delta_s >= 0):
            raise ValueError(f"delta must be a finite number of seconds >= 0, not {self.delta_s}")
        if not 0 <= self.pitch <= 127:
            raise ValueError(f"pitch must be within 0..127, not {self.pitch}")
        if not 0 <= self.velocity <= 127:
            raise ValueError(f"velocity must be within 0..127, not {self.velocity}")

    @property
    def is_onset(self) -> bool:
        return self.velocity > 0


@dataclass(frozen=True, slots=True, eq=False)
class Events:
    """A stream of events as three columns of one length: a corpus has millions.

    Iterating yields `Event`; a slice is a view.
    """

    delta_s: NDArray[np.float64]
    pitch: NDArray[np.uint8]
    velocity: NDArray[np.uint8]

    @classmethod
    def of(cls, events: Iterable[Event]) -> Self:
        rows = [(event.delta_s, event.pitch, event.velocity) for event in events]
        delta_s, pitch, velocity = zip(*rows, strict=True) if rows else ((), (), ())
        return cls(
            np.array(delta_s, np.float64), np.array(pitch, np.uint8), np.array(velocity, np.uint8)
        )

    def __len__(self) -> int:
        return len(self.pitch)

    def __iter__(self) -> Iterator[Event]:
        columns = (self.delta_s.tolist(), self.pitch.tolist(), self.velocity.tolist())
        return (Event(*row) for row in zip(*columns, strict=True))

    def __getitem__(self, part: slice) -> Events:
        return Events(self.delta_s[part], self.pitch[part], self.velocity[part])

    @property
    def duration_s(self) -> float:
        return float(self.delta_s.sum())
