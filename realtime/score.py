"""Who plays what when, from what composers write ahead of time; into a recording.

A composer's notes are those of the moment for which they are meant, as a player that is never late
would send them. So the same records make the same music, however busy the machine was.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import itemgetter

from realtime.clock import VirtualClock
from realtime.ledger import Ledger
from realtime.recording import Recording
from realtime.scheduler import Scheduler
from realtime.wire import Kind, Record

HUMAN = "human"  # no part is called so


class Score:
    """Told of records as they come, in any order of parts; `commit` says what is past.

    Args:
        recording: is written, in the order of time; its tracks are the parts', and HUMAN's.
        parts: names.
        max_note_ns: no note sounds longer.
    """

    def __init__(self, recording: Recording, parts: Iterable[str], max_note_ns: int) -> None:
        self._recording = recording
        self._schedulers = {name: self._scheduler(name, max_note_ns) for name in parts}
        self._sounded: list[tuple[int, str, bytes]] = []  # and not committed
        self._tempi: list[tuple[int, int]] = []

    def _scheduler(self, name: str, max_note_ns: int) -> Scheduler:
        def keep(record: Record) -> None:
            if record.kind is Kind.SENT:
                self._sounded.append((record.due_ns, name, record.message))

        return Scheduler(VirtualClock(), Ledger(), lambda _: None, keep, max_note_ns)

    def wrote(self, name: str, record: Record) -> None:
        """A composer's PLAY, HUSH or REVISE."""
        scheduler = self._schedulers[name]
        if record.kind is Kind.PLAY:
            scheduler.push(record)
        elif record.kind is Kind.HUSH:
            scheduler.hush(record.epoch, record.message[0] & 0x0F, record.due_ns)
        elif record.kind is Kind.REVISE:
            scheduler.revise(record.epoch, record.message[0] & 0x0F, record.due_ns)

    def human(self, at_ns: int, message: bytes) -> None:
        self._sounded.append((at_ns, HUMAN, message))

    def tempo(self, at_ns: int, tempo_us: int) -> None:
        """A quarter note lasts so many microseconds from then on."""
        self._tempi.append((at_ns, tempo_us))

    def commit(self, until_ns: int) -> None:
        """Record what was up to then; nothing that is told later is of before."""
        for scheduler in self._schedulers.values():
            scheduler.run_until(until_ns)
        past = [entry for entry in self._sounded if entry[0] <= until_ns]
        self._sounded = [entry for entry in self._sounded if entry[0] > until_ns]
        tempi = [tempo for tempo in self._tempi if tempo[0] <= until_ns]
        self._tempi = [tempo for tempo in self._tempi if tempo[0] > until_ns]
        for at_ns, name, message in sorted(past, key=itemgetter(0)):  # stable
            while tempi and tempi[0][0] <= at_ns:
                self._recording.tempo(*tempi.pop(0))
            self._recording.add(name, at_ns, message)
        for tempo in tempi:
            self._recording.tempo(*tempo)

    def end(self, at_ns: int) -> None:
        """Record the rest; what sounds then is released."""
        self.commit(at_ns)
        for scheduler in self._schedulers.values():
            scheduler.end()
        self.commit(at_ns)
