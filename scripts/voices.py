"""How much parts that hear each other play together, in virtual time.

    python scripts/voices.py [--voices 1 2 4] [--minutes 5] [--seeds 2] [--model FILE] [--json FILE]

Each part hears all the others at once, as in one composerd where all `hears = true`. Notes struck
a second by all parts together, of each minute: the least, the median and the most. Prints the
table of docs/parts.md.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path

import numpy as np

from core import checkpoint
from core.checkpoint import Checkpoint
from realtime.clock import NS_PER_S, VirtualClock
from realtime.engine import Engine
from realtime.ledger import Ledger
from realtime.performer import Performer
from realtime.rehearsal import MemoryPort
from realtime.scheduler import Scheduler
from realtime.settings import Settings
from realtime.wire import Kind, Record, is_note, is_onset

MINUTE_NS = 60 * NS_PER_S
TOO_MANY = 100 * 60  # notes in a minute: they drive each other on, and no more is to be learned


class Band:
    """So many parts, each of which hears all others at once."""

    def __init__(self, model: Checkpoint, voices: int, seed: int) -> None:
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
                np.random.default_rng([seed, channel]),
                0,
                channel=channel,
                voices=voices,
            )
            for channel in range(voices)
        ]

    def play(self, until_ns: int, at_most: int) -> None:
        """Until then, or until so many notes have been struck in all."""
        while self._clock.now_ns() < until_ns and sum(self.onsets) < at_most:
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
                self._pass_on(list(part.heard(record.at_ns, record.message, now_ns)))

    def _pass_on(self, records: list[Record]) -> None:
        for record in records:
            if record.kind is Kind.PLAY:
                self._scheduler.push(record)
            elif record.kind is Kind.HUSH:
                self._scheduler.hush(record.epoch, record.message[0] & 0x0F, record.due_ns)
            else:
                self._scheduler.revise(record.epoch, record.message[0] & 0x0F, record.due_ns)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--voices", type=int, nargs="+", default=[1, 2, 4], help="1..16")
    parser.add_argument("--minutes", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--model", type=Path, default=checkpoint.SHIPPED)
    parser.add_argument("--json", type=Path, help="write the figures of each minute")
    options = parser.parse_args()
    model = checkpoint.load(options.model)
    figures: dict[int, list[list[int]]] = {}  # by voices: of each minute, the notes of each part
    print("| parts | notes a second: the least minute | median | the most |")
    print("|---:|---:|---:|---:|")
    for voices in options.voices:
        minutes = figures[voices] = []
        for seed in range(options.seeds):
            band = Band(model, voices, seed)
            for minute in range(options.minutes):
                before = [*band.onsets]
                band.play((minute + 1) * MINUTE_NS, sum(before) + TOO_MANY)
                after = band.onsets
                minutes.append([now - then for now, then in zip(after, before, strict=True)])
        rates = [sum(minute) / 60 for minute in minutes]
        print(
            f"| {voices} | {min(rates):.1f} | {statistics.median(rates):.1f} | {max(rates):.1f} |",
            flush=True,
        )
    if options.json:
        options.json.write_text(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
