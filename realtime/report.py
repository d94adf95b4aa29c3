"""What the musician is told: the live line, the last line, and the figures of `--stats`."""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from core.errors import SettingsError

RECENT_NS = 4_000_000_000  # the live line's figures are of this long

_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")


def pitch_name(pitch: int) -> str:
    """Scientific pitch notation; 60 is C4.

    >>> pitch_name(60), pitch_name(21)
    ('C4', 'A0')
    """
    return f"{_NAMES[pitch % 12]}{pitch // 12 - 1}"


class Lateness:
    """How late messages left, in whole microseconds; its size does not grow with their number."""

    CEILING_US = 1_000_000  # later counts as this late

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    def add(self, late_ns: int) -> None:
        self._counts[min(max(late_ns // 1000, 0), self.CEILING_US)] += 1

    def quantile_us(self, share: float) -> int | None:
        """The lateness that `share` (0..1) of the messages did not exceed; None without any."""
        counts = sorted(self._counts.copy().items())  # another thread may be asking
        wanted = share * sum(count for _, count in counts)
        seen = 0
        for late_us, count in counts:
            seen += count
            if seen >= wanted:
                return late_us
        return None

    def over(self, limit_us: int) -> int:
        """How many messages were later."""
        counts = self._counts.copy()
        return sum(count for late_us, count in counts.items() if late_us > limit_us)


class Report:
    """Counts what left and what did not."""

    def __init__(self, start_ns: int) -> None:
        self.onsets = 0
        self.releases = 0
        self.dropped = 0
        self.unheard = 0  # onsets of the keyboard, beyond what anybody can play
        self.restarts = 0  # of a process that died
        self.lateness = Lateness()
        self._start_ns = start_ns
        self._first_onset_ns: int | None = None
        self._recent: deque[tuple[int, int]] = deque()  # (left at, late) of the last seconds

    def sent(self, message: bytes, due_ns: int, at_ns: int) -> None:
        kind = message[0] & 0xF0
        if kind == 0x90 and message[2] > 0:
            self.onsets += 1
            self._first_onset_ns = self._first_onset_ns or at_ns
        elif kind in (0x80, 0x90):
            self.releases += 1
        self.lateness.add(at_ns - due_ns)
        self._recent.append((at_ns, at_ns - due_ns))
        self._forget(at_ns)

    def line(self, now_ns: int, port: str, sounding: Mapping[str, Iterable[int]]) -> str:
        """What happens now, for a terminal; `sounding` has the pitches of each part."""
        self._forget(now_ns)
        voices = {
            name: " ".join(map(pitch_name, sorted(pitches))) or "-"
            for name, pitches in sounding.items()
        }
        if len(voices) > 1:
            voices = {name: f"{name} {notes}" for name, notes in voices.items()}
        notes = "  ".join(voices.values())
        rate = len(self._recent) / (RECENT_NS / 1e9)
        late_us = max((late for _, late in self._recent), default=0) // 1000
        return f"{port}  {notes}  {rate:.1f} events/s  at most {late_us} us late"

    def stats(self, greeting: dict[str, Any]) -> dict[str, Any]:
        """For `--stats`; `greeting` is the player's: its ports and what the system granted it."""
        first_ns = self._first_onset_ns
        return {
            "events": self.onsets + self.releases,
            "onsets": self.onsets,
            "releases": self.releases,
            "late_over_1_ms": self.lateness.over(1000),
            "dropped": self.dropped,
            "unheard": self.unheard,
            "restarts": self.restarts,
            "lateness_us": {
                name: self.lateness.quantile_us(share)
                for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))
            },
            "time_to_first_note_s": first_ns and (first_ns - self._start_ns) / 1e9,
            "first_note_ns": first_ns,  # monotonic clock
            **greeting,
        }

    def summary(self) -> str:
        told = [f"{self.onsets} notes struck", f"{self.releases} releases sent"]
        late_us = self.lateness.quantile_us(0.99)
        if late_us is not None:
            told.append(f"99 % within {late_us} us of their time")
        counts = {"dropped": self.dropped, "not heard": self.unheard, "restarts": self.restarts}
        told += [f"{count} {what}" for what, count in counts.items() if count]
        return ", ".join(told)

    def _forget(self, now_ns: int) -> None:
        while self._recent and self._recent[0][0] < now_ns - RECENT_NS:
            self._recent.popleft()


def write_stats(path: Path, stats: dict[str, Any]) -> None:
    """Raises SettingsError when the file cannot be written."""
    try:
        path.write_text(json.dumps(stats, indent=2) + "\n")
    except OSError as error:
        raise SettingsError(f"cannot write {path}: {error.strerror}") from error
