"""From the human's key to the machine's answer to it, over JACK; beside an empty pass-through.

    python scripts/bench_response.py [--count 300] [--frames 64] [--json FILE]

In a duet the human strikes the key of a note that the machine has just struck: one key, two hands.
The machine's next message is due now: it lets its note go. On the way from key to release lie a
period of JACK each way, the player, the daemon, and the composer, which undoes what it wrote ahead
and feeds the network what really happened. The pass-through is a program that sends what comes in
as it comes in, through the same library: what is left without any of ours.
"""

from __future__ import annotations

import argparse
import json
import queue
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from bench_lateness_jack import RATE, jack_server
from lateness_run import Row, beside

from realtime.clock import NS_PER_MS, NS_PER_S, RealClock
from realtime.ports import open_input, open_output
from realtime.wire import is_onset, is_release, note_off, note_on

HANDS, EARS = "Hands", "Ears"
GIVE_UP_S = 2.0


class Human:
    """A keyboard, and ears that stamp what arrives."""

    def __init__(self) -> None:
        self.clock = RealClock()
        self._keyboard = open_output(HANDS, "jack")
        self._ears = open_input(EARS, "jack")
        self._arrivals: queue.SimpleQueue[tuple[int, bytes]] = queue.SimpleQueue()
        self._ears.listen(lambda message: self._arrivals.put((self.clock.now_ns(), message)))

    def hears(self) -> tuple[int, bytes]:
        return self._arrivals.get(timeout=GIVE_UP_S)

    def rests(self, seconds: float) -> None:
        self.clock.wait_until(self.clock.now_ns() + round(seconds * NS_PER_S))
        while not self._arrivals.empty():
            self._arrivals.get()

    def strikes(self, pitch: int) -> int:
        at_ns = self.clock.now_ns()
        self._keyboard.send(note_on(0, pitch, 80))
        return at_ns

    def lets_go(self, pitch: int) -> None:
        self._keyboard.send(note_off(0, pitch))

    def leaves(self) -> None:
        self._keyboard.close()
        self._ears.close()


def passes_through(bench: Connection) -> None:
    output, keyboard = open_output(EARS, "jack", existing=True), open_input(HANDS, "jack")
    keyboard.listen(output.send)
    bench.send(None)
    bench.recv()


@contextmanager
def composerd() -> Iterator[None]:
    options = ["--port", EARS, "--input", HANDS, "--mode", "duet", "--share", "1", "--rng", "0"]
    command = [sys.executable, "-m", "realtime.cli", *options, "--api", "jack"]
    daemon = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert daemon.stderr
    try:
        if not any("listening to" in line for line in daemon.stderr):
            sys.exit("composerd does not begin")
        yield
    finally:
        daemon.terminate()
        daemon.communicate()


def pass_through_ms(human: Human, count: int) -> list[float]:
    took_ms = []
    with beside(passes_through):
        human.rests(1)
        for number in range(count):
            at_ns = human.strikes(40 + number % 40)
            took_ms.append((human.hears()[0] - at_ns) / NS_PER_MS)
            human.lets_go(40 + number % 40)
            human.rests(0.02 + 0.02 * random.random())  # any part of a period
    return took_ms


def composerd_ms(human: Human, count: int) -> list[float]:
    took_ms: list[float] = []
    with composerd():
        human.rests(2)
        while len(took_ms) < count:
            heard_ns, message = human.hears()
            # A note of a moment ago, with nothing new behind it, is one that sounds.
            if not is_onset(message) or human.clock.now_ns() - heard_ns > 2 * NS_PER_MS:
                continue
            pitch, struck_ns = message[1], human.strikes(message[1])
            while True:
                heard_ns, message = human.hears()
                if is_release(message) and message[1] == pitch:
                    break
            took_ms.append((heard_ns - struck_ns) / NS_PER_MS)
            human.lets_go(pitch)
            human.rests(0.05 + 0.02 * random.random())
    return took_ms


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--frames", type=int, default=64, help="of a JACK period (default 64)")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with jack_server(options.frames):
        human = Human()
        took_ms = {
            "pass-through": pass_through_ms(human, options.count),
            "composerd": composerd_ms(human, options.count),
        }
        human.leaves()
    period_ms = 1000 * options.frames / RATE
    print(f"From key to answer, {options.count} keys, periods of {period_ms:.1f} ms:\n")
    print("| through | p50 | p99 | max | over 5 ms |\n|---|---:|---:|---:|---:|")
    for name, each in took_ms.items():
        row = Row.of(each, limit=5)
        print(
            f"| {name} | {row.p50:.2f} ms | {row.p99:.2f} ms | {row.worst:.2f} ms"
            f" | {row.over:.1f} % |"
        )
    if options.json:
        options.json.write_text(json.dumps(took_ms))


if __name__ == "__main__":
    main()
