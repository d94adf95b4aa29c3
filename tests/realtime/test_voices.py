"""Parts that hear each other, in virtual time: they share the music, and drive nobody on."""

from __future__ import annotations

import numpy as np

from core import checkpoint
from realtime.clock import NS_PER_S, VirtualClock
from realtime.engine import Engine
from realtime.ledger import Ledger
from realtime.performer import Performer
from realtime.ports import MemoryPort
from realtime.scheduler import Scheduler
from realtime.settings import Settings
from realtime.wire import Kind, Record, is_note, is_onset


class Band:
    """So many parts, each of which hears all others at once."""

    def __init__(self, voices: int) -> None:
        model = checkpoint.load(checkpoint.SHIPPED)
        self.onsets = [0] * voices
        self._clock = VirtualClock()
        self._sent: list[Record] = []
        self._scheduler = Scheduler(
            self._clock, Ledger(), MemoryPort(keep=0).send, self._sent.append
        )
        self._parts = [
            Performer(
                Engine(model),
                model.codec,
                Settings(),
                np.random.default_rng(channel),
                0,
                channel=channel,
                voices=voices,
            )
            for channel in range(voices)
        ]

    def plays(self, seconds: int, at_most: int) -> None:
        """For so long, or until so many notes are struck."""
        while self._clock.now_ns() < seconds * NS_PER_S and sum(self.onsets) < at_most:
            wakes = [part.wake_ns for part in self._parts] + [self._scheduler.next_due_ns]
            wake_ns = min(wake_ns for wake_ns in wakes if wake_ns is not None)
            self._scheduler.run_until(max(wake_ns, self._clock.now_ns()))
            now_ns = self._clock.now_ns()
            while self._sent:
                self._leaves(self._sent.pop(0), now_ns)
            for part in self._parts:
                self._pass_on(list(part.plan(now_ns)))

    def _leaves(self, record: Record, now_ns: int) -> None:
        if record.kind is not Kind.SENT or not is_note(record.message):
            return
        sender = record.message[0] & 0x0F
        self.onsets[sender] += is_onset(record.message)
        for channel, part in enumerate(self._parts):
            if channel != sender:
                self._pass_on(part.heard(record.at_ns, record.message, now_ns))

    def _pass_on(self, records: list[Record]) -> None:
        for record in records:
            if record.kind is Kind.PLAY:
                self._scheduler.push(record)
            elif record.kind is Kind.HUSH:
                self._scheduler.hush(record.epoch, record.message[0] & 0x0F, record.due_ns)
            else:
                self._scheduler.revise(record.epoch, record.message[0] & 0x0F, record.due_ns)


def test_parts_that_hear_each_other_play_no_more_than_one_alone_might() -> None:
    band = Band(voices=3)
    band.plays(seconds=60, at_most=60 * 20)
    assert 60 < sum(band.onsets) < 60 * 20  # alone it plays some 8 notes a second
    assert min(band.onsets) > sum(band.onsets) / 6
