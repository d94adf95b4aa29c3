"""Weeks of music in virtual time: whether a note hangs, and whether memory or a step grows.

    python scripts/soak_virtual.py [--weeks 3] [--model FILE | --untrained] [--json FILE]

The daemon's performer, scheduler and ledger, as `composer-generate` runs them, but nothing is
kept: what leaves is counted by a port that keeps a book of its own. An untrained network is small
and is played at a tenth of the tempo: three weeks of it take minutes, not hours.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from core import checkpoint  # noqa: E402
from core.checkpoint import Checkpoint, ModelConfig  # noqa: E402
from core.codec import Codec  # noqa: E402
from realtime import composer  # noqa: E402
from realtime.clock import NS_PER_S, VirtualClock  # noqa: E402
from realtime.ledger import Ledger  # noqa: E402
from realtime.scheduler import Scheduler  # noqa: E402
from realtime.wire import Kind, Record, is_note, is_onset  # noqa: E402

WEEK_S = 7 * 24 * 3600
ORDERS: dict[str, Any] = {  # of realtime.composer
    "model": None,
    "seed_file": None,
    "seed_events": 0,
    "rng": 1,
    "settings": {},
    "channel": 0,
    "program": None,
}
PARTS = 20  # the first is the warm-up; the second is compared with the last


class Listener:
    """What a synthesizer would make of it."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.sounding: dict[int, int] = {}  # pitch -> struck at
        self.onsets = self.releases = self.struck_twice = self.released_twice = 0
        self.longest_ns = 0

    def send(self, message: bytes) -> None:
        if not is_note(message):
            return
        pitch = message[1]
        if is_onset(message):
            self.onsets += 1
            self.struck_twice += pitch in self.sounding
            self.sounding[pitch] = self._clock.now_ns()
            return
        self.releases += 1
        struck_ns = self.sounding.pop(pitch, None)
        if struck_ns is None:
            self.released_twice += 1
        else:
            self.longest_ns = max(self.longest_ns, self._clock.now_ns() - struck_ns)


class Watch:
    """How late messages are, in virtual time, where nothing should be."""

    def __init__(self) -> None:
        self.latest_ns = 0
        self.dropped = 0

    def told(self, record: Record) -> None:
        if record.kind is Kind.SENT:
            self.latest_ns = max(self.latest_ns, record.at_ns - record.due_ns)
        elif record.kind is Kind.DROPPED:
            self.dropped += 1


def soak(weeks: float, model: Path | None, tempo_scale: float = 1.0) -> dict[str, Any]:
    """Play for so many weeks; the figures."""
    orders = {"model": model and str(model), "settings": {"tempo_scale": tempo_scale}}
    performer = composer.performer(ORDERS | orders, lambda: 0)
    clock = VirtualClock()
    listener, watch = Listener(clock), Watch()
    scheduler = Scheduler(clock, Ledger(), listener.send, watch.told)
    length_ns = round(weeks * WEEK_S * NS_PER_S)
    memory_mb, step_us = [], []
    process = psutil.Process()
    start_s = time.perf_counter()
    for part in range(1, PARTS + 1):
        end_ns = length_ns * part // PARTS
        steps: list[int] = []
        while (wake_ns := performer.wake_ns) is not None and wake_ns < end_ns:
            before_ns = time.perf_counter_ns()
            records = list(performer.plan(wake_ns))
            steps.append((time.perf_counter_ns() - before_ns) // max(len(records), 1))
            if len(steps) > 10_000:
                del steps[:5_000]  # the later ones of this part
            for record in records:
                scheduler.push(record)
            scheduler.run_until(wake_ns)
        memory_mb.append(process.memory_info().rss / 1e6)
        step_us.append(statistics.median(steps) / 1000 if steps else 0.0)
    scheduler.end()
    elapsed_s = time.perf_counter() - start_s
    events = listener.onsets + listener.releases
    return {
        "weeks": weeks,
        "events": events,
        "events_per_s": events / elapsed_s,
        "elapsed_s": elapsed_s,
        "onsets": listener.onsets,
        "lost": listener.onsets - listener.releases,
        "hanging": len(listener.sounding),
        "struck_twice": listener.struck_twice,
        "released_twice": listener.released_twice,
        "longest_note_s": listener.longest_ns / NS_PER_S,
        "latest_ns": watch.latest_ns,
        "dropped": watch.dropped,
        "memory_mb": memory_mb,
        "step_us": step_us,
    }


def untrained() -> Checkpoint:
    """Random weights."""
    codec, rng = Codec.log_spaced(), np.random.default_rng(1)
    config = ModelConfig(hidden_size=32, layers=1, embedding_size=8, head_size=8)
    shapes = config.weight_shapes(codec).items()
    weights = {name: rng.normal(0, 0.5, shape).astype(np.float32) for name, shape in shapes}
    return Checkpoint(config=config, codec=codec, weights=weights)


def growth(values: list[float]) -> str:
    """From the second part, which is past the warm-up, to the last."""
    first, last = values[1], values[-1]
    return f"{first:.1f} -> {last:.1f} ({100 * (last / first - 1):+.1f} %)" if first else "-"


def table(figures: dict[str, Any]) -> str:
    return "\n".join(
        [
            f"| {figures['weeks']:g} weeks in virtual time | |",
            "|---|---|",
            f"| events | {figures['events']:,} in {figures['elapsed_s']:.0f} s |",
            f"| struck and never released | {figures['lost']} |",
            f"| sounding at the end | {figures['hanging']} |",
            f"| struck while sounding, released while silent |"
            f" {figures['struck_twice']}, {figures['released_twice']} |",
            f"| dropped | {figures['dropped']} |",
            f"| longest note | {figures['longest_note_s']:.1f} s |",
            f"| latest message | {figures['latest_ns']} ns |",
            f"| memory, MB, first and last twentieth | {growth(figures['memory_mb'])} |",
            f"| an event, us, median, the same | {growth(figures['step_us'])} |",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weeks", type=float, default=3)
    network = parser.add_mutually_exclusive_group()
    network.add_argument("--model", type=Path, help="default: the one that comes along")
    network.add_argument("--untrained", action="store_true", help="a small one, random weights")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.untrained:
            options.model = Path(folder) / "untrained.safetensors"
            checkpoint.save(options.model, untrained())
        figures = soak(options.weeks, options.model, 0.1 if options.untrained else 1.0)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    print(table(figures))


if __name__ == "__main__":
    main()
