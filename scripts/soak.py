"""The daemon for an hour over JACK, both cores busy for half of it, and weeks in virtual time.

    python scripts/soak.py [--minutes 60] [--weeks 3] [--model FILE | --untrained] [--json FILE]

The whole of composerd plays to a program that is not ours, which counts what arrives. In the
second half the virtual weeks (soak_virtual.py) keep one core busy, and loops keep the others;
what is left of the weeks then is played after the hour. Needs jackd and jack_midi_dump. Prints
tables for docs/reliability.md.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import psutil

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "scripts")]

from soak_virtual import ORDERS  # noqa: E402
from soak_virtual import table as virtual_table  # noqa: E402

from realtime.clock import RealClock  # noqa: E402
from realtime.daemon import Daemon  # noqa: E402
from realtime.orders import Orders  # noqa: E402
from realtime.part import PartOrders  # noqa: E402
from realtime.report import Lateness  # noqa: E402

SERVER = f"composer-soak-{os.getpid()}"
LISTENER = "soak listener"
SETTLE_S = 0.5  # until the last messages have arrived
HALVES = ("idle", "cores busy")
WARM_UP = 1 / 60  # of the time: the first minute of an hour
SAMPLES = 360
SPIN = [sys.executable, "-c", "while True: pass"]


class Watch(threading.Thread):
    """Beside the daemon: changes the halves, and writes down memory."""

    def __init__(self, daemon: Daemon, seconds: float, virtual: list[str]) -> None:
        super().__init__(daemon=True)
        self._daemon = daemon
        self._seconds = seconds
        self._over = threading.Event()
        self._virtual = virtual
        self._spinning: list[subprocess.Popen[bytes]] = []
        self.weeks: subprocess.Popen[bytes] | None = None
        self.lateness: list[Lateness] = []
        self.memory_mb: list[dict[str, float]] = []  # by process, after the warm-up

    def run(self) -> None:
        start_s = time.monotonic()
        while not self._over.is_set():
            passed_s = time.monotonic() - start_s
            if not self.weeks and passed_s >= self._seconds / 2:
                self._next_half()
                self.weeks = subprocess.Popen(self._virtual, stdout=subprocess.DEVNULL)
                cores = (os.cpu_count() or 1) - 1
                self._spinning = [subprocess.Popen(SPIN) for _ in range(cores)]
            if (
                self.weeks
                and self.weeks.poll() is not None
                and len(self._spinning) < os.cpu_count()
            ):
                self._spinning.append(subprocess.Popen(SPIN))  # the weeks are over: the load is not
            if passed_s >= self._seconds * WARM_UP:
                pids = self._daemon.status()["pids"]
                with suppress(psutil.Error):  # one that died; it is counted as a restart
                    self.memory_mb.append({name: memory_mb(pid) for name, pid in pids.items()})
            self._over.wait(self._seconds / SAMPLES)

    def _next_half(self) -> None:
        self.lateness.append(self._daemon.report.lateness)
        self._daemon.report.lateness = Lateness()

    def stop(self) -> None:
        self._over.set()
        self.join()
        self._next_half()
        for program in self._spinning:
            program.kill()
            program.wait()


def memory_mb(pid: int) -> float:
    """What would be free without it: its share of what others use too changes with the others."""
    own: int = psutil.Process(pid).memory_full_info().uss
    return own / 1e6


@contextmanager
def jack_server() -> Iterator[None]:
    """With real-time priority where it is granted: without it JACK itself loses messages."""
    os.environ |= {"JACK_DEFAULT_SERVER": SERVER, "JACK_NO_START_SERVER": "1"}
    server = subprocess.Popen(
        f"jackd --realtime -n {SERVER} -d dummy -r 48000 -p 1024".split(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for("system:playback_1")
        yield
    finally:
        server.terminate()
        server.wait()


def wait_for(port: str) -> None:
    for _ in range(200):
        done = subprocess.run(["jack_lsp"], capture_output=True, text=True, check=False)
        if port in done.stdout.splitlines():
            return
        time.sleep(0.05)
    sys.exit(f"no JACK port {port}; is jackd installed?")


@contextmanager
def listener(into: IO[bytes]) -> Iterator[None]:
    program = subprocess.Popen(["jack_midi_dump", LISTENER], stdout=into)
    try:
        wait_for(f"{LISTENER}:input")
        yield
        time.sleep(SETTLE_S)
    finally:
        program.terminate()
        program.wait()


def heard(dump: Path) -> dict[str, int]:
    """What the foreign program was sent; a release of what is silent, as at the end, is nothing.

    Its lines: '   0: 90 3c 50 note on  (channel  0): pitch  60, velocity  80'.
    """
    onsets = releases = 0
    sounding: set[int] = set()
    with dump.open() as lines:
        for line in lines:
            kind, pitch, velocity = bytes.fromhex(line.split(":", 1)[1][:10].ljust(8, "0"))[:3]
            if kind >> 4 == 9 and velocity > 0:
                onsets += 1
                sounding.add(pitch)
            elif kind >> 4 in (8, 9) and pitch in sounding:
                releases += 1
                sounding.remove(pitch)
    return {"onsets": onsets, "releases": releases, "hanging": len(sounding)}


def soak(minutes: float, virtual: list[str]) -> dict[str, Any]:
    """Play for so long; the figures."""
    orders = Orders(
        player={"port": LISTENER, "rehearse": False, "input": None, "api": "jack"},
        parts=[PartOrders(composer=ORDERS)],
        duration_s=minutes * 60,
    )
    with tempfile.TemporaryDirectory() as folder, jack_server():
        dump = Path(folder) / "heard"
        with dump.open("wb") as into, listener(into):
            daemon = Daemon(orders, RealClock().now_ns(), log=print)
            daemon.start()
            watch = Watch(daemon, minutes * 60, virtual)
            watch.start()
            try:
                daemon.run()
            finally:
                watch.stop()
        arrived = heard(dump)
    if not watch.weeks:
        sys.exit("stopped before the second half")
    watch.weeks.wait()  # the rest of them
    report = daemon.report
    return {
        "minutes": minutes,
        "realtime": daemon.greeting["realtime"],
        "sent": {"onsets": report.onsets, "releases": report.releases},
        "arrived": arrived,
        "lost": report.onsets + report.releases - arrived["onsets"] - arrived["releases"],
        "dropped": report.dropped,
        "restarts": report.restarts,
        "lateness_us": {
            half: {
                **{f"p{100 * q:g}": late.quantile_us(q) for q in (0.5, 0.99, 1.0)},
                "over_1_ms": late.over(1000),
            }
            for half, late in zip(HALVES, watch.lateness, strict=True)
        },
        "memory_mb": watch.memory_mb,
    }


def table(figures: dict[str, Any]) -> str:
    arrived = figures["arrived"]
    priority = "real-time" if figures["realtime"] else "normal"
    lines = [
        f"| {figures['minutes']:g} minutes over JACK, {priority} priority | |",
        "|---|---|",
        f"| notes | {arrived['onsets']:,} struck, {arrived['releases']:,} released |",
        f"| lost on the way | {figures['lost']} |",
        f"| sounding at the end | {arrived['hanging']} |",
        f"| dropped, restarts | {figures['dropped']}, {figures['restarts']} |",
    ]
    lines += [
        f"| lateness, us, {half}: p50, p99, max; over 1 ms |"
        f" {late['p50']}, {late['p99']}, {late['p100']}; {late['over_1_ms']} |"
        for half, late in figures["lateness_us"].items()
    ]
    samples = figures["memory_mb"]
    tenth = max(1, len(samples) // 10)
    for process in samples[0]:
        first = statistics.median(sample[process] for sample in samples[:tenth])
        last = statistics.median(sample[process] for sample in samples[-tenth:])
        lines.append(
            f"| memory of the {process}, MB, first and last tenth |"
            f" {first:.1f} -> {last:.1f} ({100 * (last / first - 1):+.1f} %) |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--weeks", type=float, default=3)
    network = parser.add_mutually_exclusive_group()  # for the weeks
    network.add_argument("--model", help="default: the one that comes along")
    network.add_argument("--untrained", action="store_true", help="a small one, random weights")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        weeks = Path(folder) / "weeks.json"
        virtual = [sys.executable, str(REPOSITORY / "scripts" / "soak_virtual.py")]
        virtual += ["--weeks", str(options.weeks), "--json", str(weeks)]
        virtual += ["--model", options.model] if options.model else []
        virtual += ["--untrained"] if options.untrained else []
        figures = soak(options.minutes, virtual)
        figures["virtual"] = json.loads(weeks.read_text())
    print(table(figures))
    print()
    print(virtual_table(figures["virtual"]))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
