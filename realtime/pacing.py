"""The model's seconds and the musician's moments: how fast the music goes, and what pulls it."""

from __future__ import annotations

from realtime.clock import NS_PER_S
from realtime.grid import Grid
from realtime.tempo import Line

# A model's second is two beats: most of what it learned from was, or counts as, 120 bpm.
MODEL_BPM = 120
_SAME_NS = 1000  # moments so near are one: beats are not exact


class Pacing:
    """Between the model's time and ours.

    Args:
        tempo_scale: 2 plays twice as fast, and hears the human so much slower.
        grid: pulls notes to its lines, while there are beats.
    """

    def __init__(self, tempo_scale: float = 1.0, grid: Grid | None = None) -> None:
        self.tempo_scale = tempo_scale
        self.grid = grid
        self.line: Line | None = None  # the beats of the song that is followed
        # How far the last event was pulled, so that what comes after it is not pulled with it.
        self._pulled_at_ns = 0
        self._pulled_ns = 0

    @property
    def pulls(self) -> bool:
        """Whether events may be played at other moments than the model chose."""
        return self.grid is not None and self.line is not None

    def seconds(self, from_ns: int, to_ns: int) -> float:
        """The time between two moments, as the model hears it."""
        return (to_ns - from_ns) / NS_PER_S * self._speed

    def later_ns(self, from_ns: int, delta_s: float) -> int:
        """When an event would be due that the model wants so much after the one at `from_ns`."""
        # What is not 0 stays so: only that is 'at once'.
        delta_ns = max(round(delta_s / self._speed * NS_PER_S), int(delta_s > 0))
        unpulled_ns = self._pulled_ns if from_ns == self._pulled_at_ns else 0
        return from_ns - unpulled_ns + delta_ns

    def played_ns(self, due_ns: int, after_ns: int, struck_ns: int | None = None) -> int:
        """When an event is played that would be due at `due_ns`.

        Args:
            due_ns: without a grid.
            after_ns: of the event before: nothing overtakes it.
            struck_ns: of a release, when its note was struck.
        """
        if self.grid is None or self.line is None:
            return max(due_ns, after_ns)
        beat, after = self.line.beat_at(due_ns), self.line.beat_at(after_ns)
        if struck_ns is None:
            played = self.grid.onset(beat, after)
        else:
            played = self.grid.release(beat, after, self.line.beat_at(struck_ns))
        played_ns = self.line.ns_at(played)
        return played_ns if played_ns > after_ns + _SAME_NS else after_ns

    def place(self, due_ns: int, played_ns: int) -> None:
        """The event that would be due at `due_ns` is played at `played_ns`.

        What the grid has no room for is not owed: the music gets slower instead.
        """
        most_ns = round(self.grid.step * self.line.beat_ns) if self.grid and self.line else 0
        self._pulled_at_ns = played_ns
        self._pulled_ns = min(max(played_ns - due_ns, -most_ns), most_ns)

    @property
    def _speed(self) -> float:
        return self.tempo_scale * (self.line.bpm / MODEL_BPM if self.line else 1.0)
