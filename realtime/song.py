"""What the clock has told so far, for processes that begin later: another composer or player."""

from __future__ import annotations

import math
from collections import deque
from typing import Any

from realtime.tempo import TICKS_PER_BEAT, Tempo
from realtime.wire import CONTINUE, STOP, TICK, Kind, Record

STEADY = 0.002  # of a tempo; as little may be jitter
Tick = tuple[int, int, float]  # number in the song, at_ns, interval_ns


class Song:
    """Told of each CLOCK record."""

    def __init__(self) -> None:
        self.tempo = Tempo()
        self._ticks: deque[Record] = deque(maxlen=4 * TICKS_PER_BEAT)  # since the song was moved
        self._written_us: int | None = None  # a beat, as it was written down last

    def heard(self, record: Record) -> None:
        self.tempo.heard(record.message, record.at_ns, record.epoch)
        if record.message == TICK:
            self._ticks.append(record)
        elif record.message != STOP:
            self._ticks.clear()

    def so_far(self) -> list[Record]:
        """What a composer must hear to know as much."""
        began = [Record(Kind.CLOCK, CONTINUE)] if self.tempo.rolling else []
        return began + list(self._ticks)

    def last_tick(self) -> Tick | None:
        """For a player's transport; None while there is no song."""
        if not (self.tempo.rolling and self.tempo.line and self._ticks):
            return None
        last = self._ticks[-1]
        return last.epoch, last.at_ns, self.tempo.line.beat_ns / TICKS_PER_BEAT

    def to_write_down(self) -> tuple[int, int] | None:
        """(the moment of a beat, how many microseconds one takes from then on), if that is new."""
        line = self.tempo.line
        if not (line and self.tempo.rolling and self._ticks):
            return None
        tempo_us = round(line.beat_ns / 1000)
        if self._written_us is not None:
            on_the_beat = self._ticks[-1].epoch % TICKS_PER_BEAT == 0
            if not on_the_beat or abs(tempo_us / self._written_us - 1) < STEADY:
                return None
        self._written_us = tempo_us
        return line.ns_at(math.floor(line.beat_at(self._ticks[-1].at_ns) + 0.5)), tempo_us

    @property
    def bpm(self) -> float | None:
        return self.tempo.line.bpm if self.tempo.line else None

    @property
    def waits(self) -> bool:
        """Whether it is not on yet, or no longer, or its tempo not known: nobody plays."""
        return not (self.tempo.rolling and self.tempo.line)

    def words(self) -> str:
        """For a terminal."""
        if not self.tempo.rolling:
            return "waiting for Start"
        return f"{self.tempo.line.bpm:.1f} bpm" if self.tempo.line else "waiting for the tempo"

    def stats(self, now_ns: int) -> dict[str, Any] | None:
        """Tempo and place, for a program; None where no clock has been heard."""
        if not (line := self.tempo.line):
            return None
        beat = round(line.beat_at(now_ns), 2)
        return {"bpm": round(line.bpm, 2), "beat": beat, "rolling": self.tempo.rolling}
