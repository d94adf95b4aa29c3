"""Time in the MIDI files that we write."""

from __future__ import annotations

PPQN = 960  # ticks a quarter note: a tick is 0.52 ms
TEMPO_US = 500_000  # microseconds a quarter note: 120 bpm, what a file without a tempo means


def tick(at_ns: int) -> int:
    """Nanoseconds since the start, rounded to ticks."""
    return (at_ns * PPQN + TEMPO_US * 500) // (TEMPO_US * 1000)
