"""What bench_lateness.py measures over a JACK server of its own: arrivals, and a flood."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from lateness_run import LOADS, Row, beside, measure

from realtime import priority, wire
from realtime.clock import NS_PER_MS, NS_PER_S, RealClock
from realtime.ports import open_input, open_output

RATE = 48_000  # frames a second
A_SECOND = 10_000  # messages of the flood


def print_arrivals(count: int) -> None:
    """Due time to arrival in another program."""
    print("\nDue time to arrival in another program over JACK, in milliseconds; it takes in what")
    print("comes in a period at the beginning of the next, which alone makes p50 half a period:\n")
    print("| period | p50 | p99 | max | lost |\n|---:|---:|---:|---:|---:|")
    for frames in (64, 256, 1024):
        with jack_server(frames), beside(hear, "Arrivals") as listener:
            run = measure(LOADS[0], None, count=count, port="Arrivals")
            listener.send(None)
            arrivals = listener.recv()
        late_ms = []
        dues = iter(run.sent)  # in the order of arrival; a busy server loses some
        for at_ns, message in arrivals:
            due_ns = next((record.due_ns for record in dues if record.message == message), None)
            if due_ns is not None:
                late_ms.append((at_ns - due_ns) / NS_PER_MS)
        row = Row.of(late_ms)
        print(
            f"| {frames} frames, {1000 * frames / RATE:.1f} ms | {row.p50:.2f} | {row.p99:.2f}"
            f" | {row.worst:.2f} | {len(run.sent) - len(late_ms)} |"
        )


def print_flood(count: int) -> None:
    """The player's lateness while a keyboard sends more than it can play."""
    print(f"\nLateness in microseconds while {A_SECOND} messages a second come from a keyboard:\n")
    print("| keyboard | priority | heard or given up | p50 | p99 | max | over 1 ms |")
    print("|---|---|" + "---:|" * 5)
    with jack_server(64):
        for realtime in (True, False):
            for a_second in (0, A_SECOND):
                with beside(flood, "Keyboard", a_second):
                    run = measure(
                        LOADS[0], None, realtime=realtime, count=count, keyboard="Keyboard"
                    )
                name = "real-time" if run.realtime else "normal"
                keyboard = "flood" if a_second else "silent"
                print(f"| {keyboard} | {name} | {run.heard} | {Row.of(run.late_us)} |")


def hear(bench: Connection, port: str) -> None:
    """Another program with a MIDI input: stamps what arrives, and tells it all when asked."""
    priority.ask()  # what is measured is not how late this one is
    arrivals: list[tuple[int, bytes]] = []
    clock = RealClock()
    keyboard = open_input(port, "jack")
    keyboard.listen(lambda message: arrivals.append((clock.now_ns(), message)))
    bench.send(None)
    bench.recv()
    bench.send(arrivals)
    keyboard.close()


def flood(bench: Connection, port: str, a_second: int) -> None:
    """A keyboard that strikes and releases so many times in all."""
    keyboard, clock = open_output(port, "jack"), RealClock()
    bench.send(None)
    start_ns, sent = clock.now_ns(), 0
    while True:
        clock.wait_until(clock.now_ns() + NS_PER_MS)
        owed = (clock.now_ns() - start_ns) * a_second // NS_PER_S - sent
        for number in range(sent, sent + min(owed, a_second // 200)):
            pitch = number // 2 % 128
            keyboard.send(wire.note_off(0, pitch) if number % 2 else wire.note_on(0, pitch, 80))
        sent += owed


@contextmanager
def jack_server(frames: int) -> Iterator[None]:
    """Without sound; with real-time priority where that is granted."""
    name = f"bench-lateness-{os.getpid()}"
    os.environ |= {"JACK_DEFAULT_SERVER": name, "JACK_NO_START_SERVER": "1"}
    server = subprocess.Popen(
        ["jackd", "-n", name, *f"-d dummy -r {RATE} -p {frames}".split()],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while subprocess.run(["jack_lsp"], capture_output=True, check=False).returncode:
            if server.poll() is not None:
                sys.exit("jackd does not start; is there room for another server?")
            RealClock().wait_until(RealClock().now_ns() + 50 * NS_PER_MS)
        yield
    finally:
        server.terminate()
        server.wait()
