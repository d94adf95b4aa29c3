"""What the clock has told so far, for processes that begin later: another composer or player."""

from __future__ import annotations

from collections import deque
from typing import Any

from realtime.tempo import TICKS_PER_BEAT, Tempo
from realtime.wire import CONTINUE, STOP, TICK, Kind, Record


class Song:
    """Told of each CLOCK record."""

    def __init__(self) -> None:
        self.tempo = Tempo()
        self._ticks: deque[Record] = deque(maxlen=4 * TICKS_PER_BEAT)  # since the song was moved

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

    def last_tick(self) -> tuple[int, int, float] | None:
        """(number, at_ns, interval_ns), for a player's transport; None while there is no song."""
        if not (self.tempo.rolling and self.tempo.line and self._ticks):
            return None
        last = self._ticks[-1]
        return last.epoch, last.at_ns, self.tempo.line.beat_ns / TICKS_PER_BEAT

    @property
    def bpm(self) -> float | None:
        return self.tempo.line.bpm if self.tempo.line else None

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
