"""Events as tokens and back; owns the three vocabularies: note, velocity and time-bin.

The bins are data, not code: a codec is a value that travels in the checkpoint, and the textbook's
twelve uniform bins are another value of the same class.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from core.events import Event, Events

# Bins are even in log(1 + delta / KNEE_S): about linear below 10 ms, where chords spread, and
# a constant ratio above, as rhythm is heard.
KNEE_S = 0.010


class Token(NamedTuple):
    """One event as three small integers. Arrays of tokens have these columns, in this order."""

    note: int  # 0..codec.notes - 1
    velocity: int  # 0..127, 0 is a release
    time_bin: int  # 0..codec.time_bins - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec:
    """Pitches and velocities map one to one, deltas to the bin that holds them.

    Raises:
        ValueError: the fields contradict each other.
    """

    lowest_pitch: int = 0  # the pitch of note 0
    notes: int = 128
    edges_s: tuple[float, ...]  # lower edge of each bin, rising from 0; the last bin is open
    values_s: tuple[float, ...]  # what each bin decodes to, rising; inside its bin, if time counts

    velocities = 128  # all of MIDI's; not a choice

    def __post_init__(self) -> None:
        if not (self.lowest_pitch >= 0 and 1 <= self.notes <= 128 - self.lowest_pitch):
            raise ValueError("a codec's notes must lie within pitch 0..127")
        if not 2 <= len(self.edges_s) <= 256 or len(self.edges_s) != len(self.values_s):
            raise ValueError("a codec needs 2 to 256 time bins, each with one value")
        edges = np.array([*self.edges_s, np.inf])
        values = np.array([*self.values_s, np.inf])
        if edges[0] != 0 or not (np.diff(edges) > 0).all() or not np.isfinite(edges[:-1]).all():
            raise ValueError("a codec's time bins must rise from 0")
        if values[0] < 0 or not (np.diff(values) > 0).all() or not np.isfinite(values[:-1]).all():
            raise ValueError("what a codec's time bins decode to must rise from 0 or more")

    @property
    def time_bins(self) -> int:
        return len(self.edges_s)

    @classmethod
    def log_spaced(cls, bins: int = 64, shortest_s: float = 0.001, longest_s: float = 8.0) -> Self:
        """Bin 0 is 'at once' (below `shortest_s`, decoded to 0); the last starts at `longest_s`."""
        warped = np.linspace(np.log1p(shortest_s / KNEE_S), np.log1p(longest_s / KNEE_S), bins - 1)
        edges_s = KNEE_S * np.expm1(warped)
        # Until deltas are known: the mean of a log-uniform density over the bin.
        means_s = np.diff(edges_s) / np.log(edges_s[1:] / edges_s[:-1])
        return cls(
            edges_s=(0.0, *map(float, edges_s)),
            values_s=(0.0, *map(float, means_s), float(edges_s[-1])),
        )

    @classmethod
    def uniform(cls, deltas_s: NDArray[np.float64]) -> Self:
        """The textbook's codec for a file: 89 notes, and 12 time bins up to the longest gap.

        Bin 0 is a gap of 0, bin k holds `int((gap - shortest) / interval + 1) == k`, ten equal
        intervals from the shortest to the longest. Bins decode to k intervals beyond the shortest
        gap: to their upper edge, so that music gets longer each time it is encoded and decoded.

        Raises:
            ValueError: there are no two gaps of different length.
        """
        gaps_s = deltas_s[deltas_s > 0]
        if not len(gaps_s) or gaps_s.min() == gaps_s.max():
            raise ValueError("uniform time bins need two gaps of different length")
        shortest_s, longest_s = float(gaps_s.min()), float(gaps_s.max())
        interval_s = (longest_s - shortest_s) / 10
        return cls(
            lowest_pitch=24,
            notes=89,
            edges_s=(0.0, *(shortest_s + k * interval_s for k in range(10)), longest_s),
            values_s=(0.0, *(shortest_s + k * interval_s for k in range(1, 12))),
        )

    def fitted(self, deltas_s: NDArray[np.float64]) -> Codec:
        """The same bins, each decoded to the mean of what falls into it.

        The decoded length of the music that it was fitted on is then the true one. Bin 0 keeps
        decoding to 0, so that a chord stays one instant; what it drops is far below hearing.
        """
        return self.fitted_to(*self.tally(deltas_s))

    def tally(self, deltas_s: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """How many deltas fall into each bin, and their sum in seconds; tallies add up."""
        bins = self._bins_of(deltas_s)
        return (
            np.bincount(bins, minlength=self.time_bins),
            np.bincount(bins, deltas_s, self.time_bins).astype(np.float64, copy=False),
        )

    def fitted_to(self, counts: NDArray[np.intp], sums: NDArray[np.float64]) -> Codec:
        """What `fitted` gives for music too large to be held, by its tally."""
        values = np.array(self.values_s)
        seen = counts > 0
        seen[0] = False
        values[seen] = sums[seen] / counts[seen]
        # Rounding may put the mean of equal deltas a hair outside.
        edges = np.array(self.edges_s)
        values[1:] = np.maximum(values[1:], edges[1:])
        values[:-1] = np.minimum(values[:-1], np.nextafter(edges[1:], 0))
        return Codec(
            lowest_pitch=self.lowest_pitch,
            notes=self.notes,
            edges_s=self.edges_s,
            values_s=tuple(map(float, values)),
        )

    def holds(self, pitch: int) -> bool:
        return self.lowest_pitch <= pitch < self.lowest_pitch + self.notes

    def encode(self, event: Event) -> Token:
        """Raises ValueError when the pitch has no note; ask `holds` first."""
        if not self.holds(event.pitch):
            raise ValueError(f"pitch {event.pitch} is outside this codec")
        time_bin = bisect_right(self.edges_s, event.delta_s) - 1
        return Token(event.pitch - self.lowest_pitch, event.velocity, time_bin)

    def decode(self, token: Token) -> Event:
        return Event(self.values_s[token.time_bin], token.note + self.lowest_pitch, token.velocity)

    def encode_all(self, events: Events) -> NDArray[np.uint8]:
        """Many events at once: uint8 [events, 3]. Events whose pitch has no note are left out.

        The time of an event left out is added to the one after it.
        """
        notes = events.pitch.astype(np.int64) - self.lowest_pitch
        held = (notes >= 0) & (notes < self.notes)
        times_s = np.cumsum(events.delta_s)[held]
        deltas_s = events.delta_s if held.all() else np.diff(times_s, prepend=0.0)
        columns = (notes[held], events.velocity[held], self._bins_of(deltas_s))
        return np.stack(columns, axis=1).astype(np.uint8)

    def decode_all(self, tokens: NDArray[np.uint8]) -> Events:
        return Events(
            np.array(self.values_s)[tokens[:, 2]], tokens[:, 0] + self.lowest_pitch, tokens[:, 1]
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "lowest_pitch": self.lowest_pitch,
            "notes": self.notes,
            "edges_s": list(self.edges_s),
            "values_s": list(self.values_s),
        }

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Self:
        """Raises ValueError for anything but what `to_json` wrote."""
        try:
            return cls(
                lowest_pitch=int(fields["lowest_pitch"]),
                notes=int(fields["notes"]),
                edges_s=tuple(map(float, fields["edges_s"])),
                values_s=tuple(map(float, fields["values_s"])),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a codec: {error!r}") from error

    def _bins_of(self, deltas_s: NDArray[np.float64]) -> NDArray[np.intp]:
        return np.searchsorted(np.array(self.edges_s), deltas_s, side="right") - 1
