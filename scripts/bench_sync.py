"""How well composerd keeps time with others: after a foreign clock, and before a foreign ear.

    python scripts/bench_sync.py [--seconds 20]

Over a JACK server of its own with periods of 64 frames. jack_midi_clock, driven by JACK's
transport, sends the clock; one jack_midi_dump hears clock and notes and stamps both with JACK's
own frames, so that no clock of ours takes part in the measurement. jack_mclk_dump reads the tempo
of the clock that composerd sends. All of these are Debian's jackd2 and jack-midi-clock.
"""

from __future__ import annotations

import argparse
import json
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import IO, NamedTuple, cast

import jack

sys.path.insert(0, str(Path(__file__).resolve().parent))

from bench_lateness_jack import RATE, jack_server

FRAMES = 64
GRID = 1 / 4  # beats
LIMIT_MS = 2.0


class Heard(NamedTuple):
    at_ms: float
    message: bytes

    @property
    def is_note(self) -> bool:
        return self.message[0] >> 4 in (8, 9)

    @property
    def is_onset(self) -> bool:
        return self.message[0] >> 4 == 9 and self.message[2] > 0


class Transport:
    """JACK's, and its master of tempo: jack_transport, told what to do."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ["jack_transport"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.does("master")

    def does(self, *commands: str) -> None:
        pipe = cast(IO[str], self._process.stdin)
        pipe.write("".join(f"{command}\n" for command in commands))
        pipe.flush()

    def close(self) -> None:
        self.does("stop", "release", "exit")
        self._process.wait()


@contextmanager
def running(*command: str) -> Iterator[list[str]]:
    """Another program; when it has ended, the list holds the lines that it said."""
    said: list[str] = []
    # Not a pipe: nobody reads it meanwhile, and it would be full.
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL)
        try:
            wait(0.7)
            yield said
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()
            out.seek(0)
            said += out.read().split("\n")


@contextmanager
def composerd(*arguments: str) -> Iterator[None]:
    command = [sys.executable, "-m", "realtime.cli", "--api", "jack", *arguments]
    daemon = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert daemon.stderr
        if not any("playing to" in line for line in daemon.stderr):
            sys.exit("composerd does not play")
        yield
    finally:
        daemon.send_signal(signal.SIGINT)
        daemon.wait()


def wait(seconds: float) -> None:
    time.sleep(seconds)


def session(script: list[tuple[float, str]]) -> list[Heard]:
    """What is heard while the transport does as the script says: (seconds to wait, command)."""
    with running("jack_midi_clock", "-d", "0"), running("jack_midi_dump", "-a", "listener") as ear:
        subprocess.run(["jack_connect", "jack_midi_clock:mclk_out", "listener:input"], check=True)
        transport = Transport()
        with composerd(
            *("--port", "listener", "--sync", "clock", "--clock-input", "jack_midi_clock"),
            *("--grid", "1/16", "--rng", "1"),
        ):
            for seconds, command in script:
                transport.does(command)
                wait(seconds)
            transport.close()
            wait(0.2)
    return [heard for line in ear if (heard := _parsed(line))]


def _parsed(line: str) -> Heard | None:
    """'  23488: 90 3c 50 note on ...', where 23488 counts frames."""
    found = re.match(r"\s*(\d+):((?: [0-9a-f]{2})+)", line)
    if found is None:
        return None
    return Heard(int(found[1]) * 1000 / RATE, bytes.fromhex(found[2]))


def off_the_grid_ms(heard: list[Heard]) -> tuple[list[float], list[float]]:
    """How far each onset is from the next line between the ticks that the clock sent.

    Those in the beat after a change of tempo, or after a hiccup of the clock itself, come apart:
    nobody foresees it.

    >>> ticks = [Heard(20.0 * n, bytes([0xF8])) for n in range(24)]
    >>> notes = [Heard(at_ms, bytes([0x90, 60, 80])) for at_ms in (0.5, 119.0, 240.0)]
    >>> off_the_grid_ms([Heard(0.0, bytes([0xFA])), *ticks, *notes])
    ([0.5, -1.0, 0.0], [])
    """
    ticks: list[float] = []
    for at_ms, message in heard:
        if message[0] == 0xFA:
            ticks.clear()
        elif message[0] == 0xF8:
            ticks += lost_between(ticks[-2:], at_ms)
            ticks.append(at_ms)
    lines = ticks[:: round(24 * GRID)]
    intervals = [(after - before, before) for before, after in pairwise(ticks)]
    changes = [at for (a, _), (b, at) in pairwise(intervals) if abs(b / a - 1) > 0.05]
    beat_ms = 24 * statistics.median(interval for interval, _ in intervals)
    off: tuple[list[float], list[float]] = [], []
    for note in heard:
        if note.is_onset and lines[0] - 10 <= note.at_ms <= lines[-1]:
            after = bisect_right(lines, note.at_ms)
            near = lines[max(after - 1, 0) : after + 1]
            surprised = any(0 <= note.at_ms - at < beat_ms for at in changes)
            off[surprised].append(min((note.at_ms - line for line in near), key=abs))
    return off


def lost_between(last: list[float], at_ms: float) -> list[float]:
    """The ticks that our ear must have missed: a server that is held up drops what is in it.

    >>> lost_between([0.0, 20.0], 60.0), lost_between([0.0, 20.0], 45.0)
    ([40.0], [])
    """
    if len(last) < 2:
        return []
    lost = round((at_ms - last[1]) / (last[1] - last[0])) - 1
    return [last[1] + (at_ms - last[1]) * n / (lost + 1) for n in range(1, lost + 1)]


def silence_ms(heard: list[Heard]) -> list[float]:
    """After each Stop that found notes sounding, how long until the last was released."""
    took, sounding, stop_ms = [], set[int](), None
    for at_ms, message in heard:
        if message[0] == 0xFC:
            stop_ms = at_ms if sounding else None
        elif message[0] >> 4 in (8, 9):
            if message[0] >> 4 == 9 and message[2] > 0:
                sounding.add(message[1])
            else:
                sounding.discard(message[1])
            if stop_ms is not None and not sounding:
                took.append(at_ms - stop_ms)
                stop_ms = None
    return took


def follow(seconds: float) -> Iterator[dict[str, object]]:
    # jack_midi_clock leaves a tick out if the tempo rises in the last moments before it, and goes
    # on as if it had sent it; nobody hears that, so the tempo changes in the middle of a tick.
    changes = [(80, None), (120, None), (174, None), (120, 140), (140, 100)]
    for bpm, later in changes:
        until_s = (round(seconds * bpm / 60) + 0.5 / 24) * 60 / bpm
        script = [(0.1, "stop"), (0.1, f"tempo {bpm}"), (0.3, "locate 0"), (until_s, "play")]
        if later:
            script.append((seconds, f"tempo {later}"))
        steady, surprised = off_the_grid_ms(session(script))
        yield row(f"{bpm} bpm" if later is None else f"{bpm}, then {later} bpm", steady)
        if surprised:
            yield row("a beat after each change or hiccup", surprised)


def row(clock: str, off: list[float]) -> dict[str, object]:
    sizes = sorted(map(abs, off))
    return {
        "clock": clock,
        "onsets": len(off),
        "mean_ms": statistics.fmean(off),
        "p50_ms": sizes[len(sizes) // 2],
        "p99_ms": sizes[int(len(sizes) * 0.99)],
        "max_ms": sizes[-1],
        "within": sum(size <= LIMIT_MS for size in sizes) / len(sizes),
    }


def stop(times: int) -> dict[str, float]:
    script = [(0.1, "stop"), (0.1, "tempo 120"), (0.3, "locate 0")]
    script += [(2.0, "play"), (0.5, "stop")] * times
    took = sorted(silence_ms(session(script)))
    return {"stops": len(took), "p50_ms": took[len(took) // 2], "max_ms": took[-1]}


def send(bpm: float, seconds: float) -> dict[str, float]:
    """What jack_mclk_dump reads of our clock, on average over the second half.

    It counts in JACK's frames, of which a server on a busy machine loses some. So their rate is
    taken in the same time.
    """
    with (
        running("jack_mclk_dump", "-n") as ear,
        composerd("--port", "mclk_in", "--send-clock", str(bpm)),
    ):
        wait(seconds / 2)
        client = jack.Client("frames", no_start_server=True)
        begin_s, begin = time.monotonic(), client.frame_time
        wait(seconds / 2)
        rate = (client.frame_time - begin) / (time.monotonic() - begin_s)
        client.close()
    # 'CLK cur:  125.00[BPM] flt:  129.11[BPM]  dt:  960[sm] ----|-|- @ 195712'
    read = [
        (int(found[2]), float(found[1]))
        for line in ear
        if (found := re.search(r"flt:\s*([\d.]+)\[BPM\].*@\s*(\d+)", line))
    ]
    half = read[len(read) // 2 :]
    ticked = (half[-1][0] - half[0][0]) / (len(half) - 1)
    return {
        "bpm": bpm,
        "read_bpm": statistics.fmean(flt for _, flt in half),
        "counted_bpm": 60 * rate / 24 / ticked,
        "rate": rate,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--seconds", type=float, default=20, help="a measurement")
    parser.add_argument("--stops", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with jack_server(FRAMES):
        following = list(follow(arguments.seconds))
        stopping = stop(arguments.stops)
        sending = [send(bpm, arguments.seconds) for bpm in (97.3, 120, 174)]
    if arguments.json:
        print(json.dumps({"follow": following, "stop": stopping, "send": sending}, indent=2))
        return
    print("Onsets off the lines of a 1/16 grid between a foreign clock's ticks, in milliseconds:\n")
    print("| clock | onsets | mean | p50 | p99 | max | within 2 ms |\n|---|" + "---:|" * 6)
    for row in following:
        cells = [str(row["clock"]), str(row["onsets"])]
        cells += [f"{row[name]:.2f}" for name in ("mean_ms", "p50_ms", "p99_ms", "max_ms")]
        print(f"| {' | '.join(cells)} | {100 * cast(float, row['within']):.1f} % |")
    print("\nStop to the release of the last note, in milliseconds:\n")
    print("| stops | p50 | max |\n|---:|---:|---:|")
    print(f"| {stopping['stops']} | {stopping['p50_ms']:.2f} | {stopping['max_ms']:.2f} |")
    print("\nThe tempo that we send, as jack_mclk_dump reads it, and as its ticks are counted:\n")
    print("(counted: against the frames that JACK's server really made in a second)\n")
    print("| sent | read | off | counted | off | frames a second |\n|" + "---:|" * 6)
    for row in sending:
        cells = [f"{row['bpm']:g}"]
        for name in ("read_bpm", "counted_bpm"):
            cells += [f"{row[name]:.3f}", f"{100 * (row[name] / row['bpm'] - 1):+.3f} %"]
        print(f"| {' | '.join(cells)} | {row['rate']:.0f} |")


if __name__ == "__main__":
    main()
