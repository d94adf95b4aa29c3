"""A grid of beats, and how notes are pulled to its lines. Knows no moments, only beats."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from realtime.settings import Settings

# Beats (quarter notes) from line to line; t are triplets.
STEPS: Mapping[str, float] = MappingProxyType(
    {
        "1/4": 1.0,
        "1/8": 1 / 2,
        "1/8t": 1 / 3,
        "1/16": 1 / 4,
        "1/16t": 1 / 6,
        "1/32": 1 / 8,
    }
)


class Grid(NamedTuple):
    """Lines at every step, every second one late by the swing."""

    step: float  # beats
    strength: float = 1.0  # 0..1: 1 puts notes onto the lines, 0 leaves them where they are
    swing: float = 0.5  # 0.5..0.75 of two steps that the first one takes; 2/3 swings in triplets

    @classmethod
    def of(cls, settings: Settings) -> Grid | None:
        """None when it is off."""
        if settings.grid not in STEPS:
            return None
        return cls(STEPS[settings.grid], settings.grid_strength, settings.swing)

    def onset(self, beat: float, after: float) -> float:
        """Where a note that would be struck at `beat` is struck.

        Args:
            beat: without the grid.
            after: of the event before, as it was played: nothing overtakes it.
        """
        beat = max(beat, after)
        struck = self._pulled(beat, self._nearest(beat))
        # What falls onto one line is a chord. The lines themselves move a little, because the
        # tempo is known better with each tick.
        if self.strength == 1 and abs(struck - after) < self.step / 16:
            return after
        if struck < after:
            struck = self._pulled(beat, self._next(after))
        return struck

    def release(self, beat: float, after: float, struck: float) -> float:
        """Where the release of a note goes that was struck at `struck`, as it was played.

        A note too short for the grid sounds for half a step.
        """
        shortest = self.strength * self.step / 2
        return max(self._pulled(beat, self._nearest(beat)), struck + shortest, after)

    def _pulled(self, beat: float, line: float) -> float:
        return beat + self.strength * (line - beat)

    def _nearest(self, beat: float) -> float:
        number = math.floor(beat / self.step)
        lines = [self._line(number + offset) for offset in (-1, 0, 1, 2)]
        return min(lines, key=lambda line: abs(line - beat))

    def _next(self, beat: float) -> float:
        number = math.floor(beat / self.step)
        return next(line for n in (-1, 0, 1, 2) if (line := self._line(number + n)) >= beat)

    def _line(self, number: int) -> float:
        late = (2 * self.swing - 1) * self.step if number % 2 else 0.0
        return number * self.step + late
