"""The clock that we send, in virtual time."""

from __future__ import annotations

import pytest

from realtime.clock import NS_PER_MS, NS_PER_S, VirtualClock
from realtime.ledger import Ledger
from realtime.metronome import READY_NS, Metronome
from realtime.rehearsal import MemoryPort
from realtime.scheduler import Scheduler
from realtime.wire import START, TICK, Kind, Record


def sent(bpm: float, duration_s: float) -> list[tuple[int, bytes]]:
    """(ns, message) of all that leaves a scheduler."""
    clock, reports = VirtualClock(), list[Record]()
    scheduler = Scheduler(clock, Ledger(), MemoryPort().send, reports.append)
    metronome = Metronome(bpm, 0)
    while clock.now_ns() < duration_s * NS_PER_S:
        for record in metronome.plan(clock.now_ns()):
            scheduler.push(record)
        assert scheduler.next_due_ns is not None
        clock.wait_until(scheduler.next_due_ns)
        scheduler.run_due()
    return [(record.at_ns, record.message) for record in reports if record.kind is Kind.SENT]


def test_start_then_24_ticks_a_beat() -> None:
    first, *ticks = sent(bpm=125, duration_s=2)
    assert first == (0, START)
    assert ticks[:3] == [
        (READY_NS, TICK),
        (READY_NS + 20_000_000, TICK),
        (READY_NS + 40_000_000, TICK),
    ]
    assert len(ticks) == 101


@pytest.mark.parametrize("bpm", [20, 97.3, 120, 400])
def test_it_does_not_drift(bpm: float) -> None:
    ticks = sent(bpm, duration_s=600)[1:]
    last_ns = READY_NS + (len(ticks) - 1) * 60 * NS_PER_S / 24 / bpm
    assert abs(ticks[-1][0] - last_ns) < 1


def test_after_the_computer_slept_the_beat_goes_on_from_now() -> None:
    metronome = Metronome(120, 0)
    list(metronome.plan(0))
    awake_ns = 3600 * NS_PER_S
    ticks = list(metronome.plan(awake_ns))
    assert ticks[0].due_ns == awake_ns
    assert len(ticks) == 12


def test_a_busy_computer_loses_no_tick() -> None:
    metronome = Metronome(125, 0)
    planned = [record for at_ms in (0, 340) for record in metronome.plan(at_ms * NS_PER_MS)]
    assert [record.due_ns // NS_PER_MS for record in planned] == [0, *range(10, 590, 20)]
