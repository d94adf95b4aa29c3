"""How many parts a core carries at real time: what each process uses of it, and of the memory.

    python scripts/bench_parts.py [--parts 1 2 4 8 16] [--seconds 60] [--model FILE] [--json FILE]

The whole of composerd rehearses, without a port, so that no sound server is in the figures.
Processor time is what a process used, not how long it took: what else runs hardly changes it.
Lateness and the time to the first note are of this machine as it is. Prints the table of
docs/parts.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
from pathlib import Path
from typing import Any

import psutil

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "scripts")]

from bench_start import pss_mb  # noqa: E402
from soak_virtual import ORDERS  # noqa: E402

from realtime.clock import RealClock  # noqa: E402
from realtime.daemon import Daemon  # noqa: E402
from realtime.orders import Orders  # noqa: E402
from realtime.part import PartOrders  # noqa: E402

# Else parts that hear each other would share what one plays alone, and nothing could be compared.
SETTINGS = {"density": 3}
WARM_UP_S = 1.0


class Watch(threading.Thread):
    """Beside the daemon: what each of its processes uses, from the warm-up on."""

    def __init__(self, daemon: Daemon, seconds: float) -> None:
        super().__init__(daemon=True)
        self._daemon = daemon
        self._seconds = seconds
        self._over = threading.Event()
        self.used_s: dict[str, float] = {}
        self.memory_mb = 0.0  # of all, what they share counted once
        self.played = 0  # onsets and releases meanwhile

    def run(self) -> None:
        self._over.wait(WARM_UP_S)
        before, events = self._used()
        self._over.wait(self._seconds)
        after, self.played = self._used()
        self.memory_mb = sum(map(pss_mb, self._daemon.status()["pids"].values()))
        self.played -= events
        self.used_s = {name: after[name] - before[name] for name in before}

    def _used(self) -> tuple[dict[str, float], int]:
        status = self._daemon.status()
        used = {name: psutil.Process(pid).cpu_times() for name, pid in status["pids"].items()}
        return {name: times.user + times.system for name, times in used.items()}, status["events"]


def play(parts: int, seconds: float, model: str | None, *, hearing: bool) -> dict[str, Any]:
    """So many parts for so long; what it cost."""
    names = [str(number) for number in range(1, parts + 1)]
    orders = Orders(
        player={"port": None},
        parts=[
            PartOrders(
                name=name,
                composer=ORDERS
                | {"model": model, "channel": index, "rng": index, "settings": SETTINGS},
                hears=frozenset(names) - {name} if hearing else frozenset(),
            )
            for index, name in enumerate(names)
        ],
        duration_s=WARM_UP_S + seconds + 1,
    )
    daemon = Daemon(orders, RealClock().now_ns(), log=print)
    daemon.start()
    watch = Watch(daemon, seconds)
    watch.start()
    daemon.run()
    watch.join()
    composers_s = [watch.used_s[name] for name in names]
    stats = daemon.report.stats(daemon.greeting)
    return {
        "parts": parts,
        "hearing_each_other": hearing,
        "events_per_s": watch.played / seconds,
        "composer_share": sum(composers_s) / parts / seconds,
        "daemon_share": watch.used_s["daemon"] / seconds,
        "player_share": watch.used_s["player"] / seconds,
        "memory_mb": watch.memory_mb,
        "share": sum(watch.used_s.values()) / seconds,
        **{key: stats[key] for key in ("lateness_us", "dropped", "time_to_first_note_s")},
    }


def table(runs: list[dict[str, Any]]) -> str:
    lines = [
        "| parts | hear each other | events a second | of a core: a composer | daemon | player"
        " | all | parts a core | memory | late, us: p50, p99, max | dropped | first note after |",
        "|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for run in runs:
        late = run["lateness_us"]
        shares = [run[f"{who}share"] for who in ("composer_", "daemon_", "player_", "")]
        lines.append(
            f"| {run['parts']} | {'yes' if run['hearing_each_other'] else 'no'}"
            f" | {run['events_per_s']:.0f} | {' | '.join(f'{share:.1%}' for share in shares)}"
            f" | {run['parts'] / run['share']:.0f} | {run['memory_mb']:.0f} MB"
            f" | {late['p50']}, {late['p99']}, {late['max']} | {run['dropped']}"
            f" | {run['time_to_first_note_s']:.1f} s |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", type=int, nargs="+", default=[1, 2, 4, 8, 16])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--model", help="default: the one that comes along")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    runs = [
        play(parts, options.seconds, options.model, hearing=hearing)
        for hearing in (False, True)
        for parts in options.parts
        if parts > 1 or not hearing
    ]
    print(table(runs))
    if options.json:
        options.json.write_text(json.dumps(runs, indent=2) + "\n")


if __name__ == "__main__":
    main()
