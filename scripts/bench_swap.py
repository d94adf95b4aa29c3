"""Whether a model that is swapped while it plays delays what is played. Not on Windows.

    python scripts/bench_swap.py [--seconds 20] [--every 0.5]

Lets composerd rehearse twice, dense and with the same choices: undisturbed, and told to load its
model again and again. A composer that is kept busy for more than its 30 ms ahead delivers too late,
and the player then sends late or drops.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

DENSE = ("--tempo-scale", "4", "--rng", "1")


def play(seconds: float, every_s: float | None) -> dict[str, Any]:
    """The figures of one rehearsal, with the number of swaps."""
    with tempfile.TemporaryDirectory() as folder:
        stats = Path(folder) / "stats.json"
        daemon = subprocess.Popen(
            [
                *(sys.executable, "-m", "realtime.cli", "--port", "none", *DENSE),
                *("--duration", str(seconds), "--stats", stats),
            ],
            stderr=subprocess.PIPE,
            text=True,
        )
        time.sleep(2)
        end_s = time.monotonic() + seconds - 3
        while every_s and time.monotonic() < end_s:
            daemon.send_signal(signal.SIGUSR1)
            time.sleep(every_s)
        said = daemon.communicate()[1]
        return json.loads(stats.read_text()) | {"swaps": said.count("plays now")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--every", type=float, default=0.5, help="seconds from swap to swap")
    options = parser.parse_args()

    print("swaps  events  p50 us  p99 us  max us  over 1 ms  dropped")
    for every_s in (None, options.every):
        found = play(options.seconds, every_s)
        late = found["lateness_us"]
        print(
            f"{found['swaps']:5}  {found['events']:6}  {late['p50']:6}  {late['p99']:6}"
            f"  {late['max']:6}  {found['late_over_1_ms']:9}  {found['dropped']:7}"
        )


if __name__ == "__main__":
    main()
