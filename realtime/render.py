"""The same performer, under a clock that needs no time, into a MIDI file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from core import midi_file
from realtime.clock import NS_PER_MS, NS_PER_S, VirtualClock
from realtime.ledger import Ledger
from realtime.performer import Performer
from realtime.rehearsal import MemoryPort
from realtime.scheduler import Scheduler
from realtime.wire import Kind, Record, is_note

LAST_NOTES_NS = 500 * NS_PER_MS  # what still sounds after the last event rings for so long


def render(
    performer: Performer, out: Path, *, events: int | None = None, seconds: float | None = None
) -> None:
    """Write what the performer plays, every note ended.

    The same performer writes the same bytes.

    Args:
        performer: begins at 0 ns.
        out: replaced when it exists, all of it or not at all.
        events: stop after so many onsets and releases.
        seconds: the length of the file; the last notes fade within it.

    Raises:
        MidiFileError: the file cannot be written.
        ValueError: neither a number of events nor of seconds: this music has no end of its own.
    """
    if events is None and seconds is None:
        raise ValueError("how much to render?")
    sent: list[tuple[int, bytes]] = []

    def keep(record: Record) -> None:
        if record.kind is Kind.SENT:
            sent.append((record.at_ns, record.message))

    scheduler = Scheduler(VirtualClock(), Ledger(), MemoryPort(keep=0).send, keep)
    length_ns = None if seconds is None else round(seconds * NS_PER_S)
    last_ns = count = 0
    for record in _endlessly(performer):
        too_late = length_ns is not None and record.due_ns > length_ns - LAST_NOTES_NS
        if count == events or too_late:
            break
        scheduler.push(record)
        last_ns = record.due_ns
        count += is_note(record.message)
    scheduler.run_until(last_ns + LAST_NOTES_NS if length_ns is None else length_ns)
    scheduler.end()
    midi_file.write(out, sent)


def _endlessly(performer: Performer) -> Iterator[Record]:
    """All that the performer plays, each when it asks for it."""
    while (wake_ns := performer.wake_ns) is not None:
        yield from performer.plan(wake_ns)
