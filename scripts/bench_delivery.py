"""What docs/decisions/delivery-time.md compares: python-rtmidi, and a binding that keeps the time.

    python scripts/bench_delivery.py [--count 600]

A message sent through python-rtmidi is 'now'; JACK-Client (pip install JACK-Client) lets a Python
function, called by JACK in each period, write it at its frame. Both send the same messages, from a
process of their own with real-time priority where granted; a third one, JACK's client too, notes
the frame at which each arrives. Needs jackd.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import deque
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from bench_lateness_jack import RATE, jack_server
from lateness_run import LOADS, Row, beside, cores_busy

from realtime import priority
from realtime.clock import NS_PER_MS, NS_PER_S, RealClock
from realtime.ports import open_output

NS_PER_FRAME = NS_PER_S / RATE
HORIZON_NS = 30 * NS_PER_MS
IDLE_S = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=600, help="messages, about 5 ms apart")
    count = parser.parse_args().count
    columns = ("period", "cores", "sent by", "p50 ms", "p99 ms", "max ms", "lost")
    columns += ("callback p99 us", "idle CPU")
    print("Due time to arrival frame:\n")
    print(f"| {' | '.join(columns)} |\n|---:|---|---|" + "---:|" * 6)
    for frames in (64, 256, 1024):
        for load in LOADS[:2]:
            with jack_server(frames), cores_busy(load == LOADS[1]):
                for sender in (through_rtmidi, through_jack_client):
                    cells = measure(sender, count)
                    name = sender.__name__.removeprefix("through_").replace("_", " ")
                    print(f"| {frames} | {load} | {name} | {' | '.join(cells)} |", flush=True)


def measure(sender: Callable[[Connection], None], count: int) -> list[str]:
    chance = random.Random(1)
    gaps_ns = [round(chance.uniform(3, 7) * NS_PER_MS) for _ in range(count)]
    with beside(listen) as listener, beside(sender) as process:
        idle_cpu = process.recv()
        due_ns = time.monotonic_ns() + NS_PER_S // 2
        dues_ns = [due_ns := due_ns + gap_ns for gap_ns in gaps_ns]
        process.send(dues_ns)
        callbacks_us = process.recv()
        listener.send(None)
        arrivals_ns = listener.recv()
    late_ms = [(at_ns - dues_ns[number]) / NS_PER_MS for number, at_ns in arrivals_ns.items()]
    row = Row.of(late_ms)
    callback = f"{Row.of(callbacks_us).p99:.0f}" if callbacks_us else ""
    figures = (f"{value:.2f}" for value in (row.p50, row.p99, row.worst))
    return [*figures, str(count - len(late_ms)), callback, f"{idle_cpu:.1f} %"]


def numbered(number: int) -> bytes:
    """A message that tells which one it is."""
    return bytes((0xB0 | number >> 14, number >> 7 & 127, number & 127))


def listen(bench: Connection) -> None:
    """Another program: when each message arrived, by JACK's count of frames."""
    import jack

    client = jack.Client("listener")
    port = client.midi_inports.register("input")
    arrived: list[tuple[int, bytes]] = []

    @client.set_process_callback
    def _(_: int) -> None:
        start = client.last_frame_time
        arrived.extend((start + at, bytes(data)) for at, data in port.incoming_midi_events())

    with client:
        bench.send(None)
        # Which frame is when: the two clocks go almost alike, so two looks are enough.
        before = frame_and_ns(client)
        bench.recv()
        after = frame_and_ns(client)
    ns_per_frame = (after[1] - before[1]) / (after[0] - before[0])
    bench.send(
        {
            (message[0] & 15) << 14 | message[1] << 7 | message[2]: before[1]
            + (frame - before[0]) * ns_per_frame
            for frame, message in arrived
        }
    )


def frame_and_ns(client: Any) -> tuple[int, int]:
    return client.frame_time, time.monotonic_ns()


def through_rtmidi(bench: Connection) -> None:
    priority.ask()
    output, clock = open_output("listener", "jack", existing=True), RealClock()
    bench.send(None)
    bench.send(idle())
    for number, due_ns in enumerate(bench.recv()):
        clock.wait_until(due_ns)
        output.send(numbered(number))
    clock.wait_until(clock.now_ns() + NS_PER_S // 4)
    bench.send([])


def through_jack_client(bench: Connection) -> None:
    import jack

    client = jack.Client("sender")
    port = client.midi_outports.register("output")
    queue: deque[tuple[int, bytes]] = deque()  # (frame, message)
    callbacks_us: list[float] = []

    @client.set_process_callback
    def _(frames: int) -> None:
        began_ns = time.monotonic_ns()
        start = client.last_frame_time
        port.clear_buffer()
        # JACK's callback is for one period; what is heard of in this one leaves in the next.
        while queue and queue[0][0] < start + frames:
            frame, message = queue.popleft()
            port.write_midi_event(max(0, frame - start), message)
        callbacks_us.append((time.monotonic_ns() - began_ns) / 1000)

    clock = RealClock()
    with client:
        client.connect("sender:output", "listener:input")
        bench.send(None)
        bench.send(idle())
        callbacks_us.clear()
        for number, due_ns in enumerate(bench.recv()):
            clock.wait_until(due_ns - HORIZON_NS)
            frame, now_ns = frame_and_ns(client)
            queue.append((frame + round((due_ns - now_ns) / NS_PER_FRAME), numbered(number)))
        clock.wait_until(clock.now_ns() + NS_PER_S // 4)
    bench.send(callbacks_us)


def idle() -> float:
    """While nothing plays: this process' share of a core, in percent."""
    clock = RealClock()
    before_s = time.process_time()
    clock.wait_until(clock.now_ns() + IDLE_S * NS_PER_S)
    return 100 * (time.process_time() - before_s) / IDLE_S


if __name__ == "__main__":
    main()
