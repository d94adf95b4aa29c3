"""What composerd costs before it plays: start to first note, memory, imports. Linux.

    python scripts/bench_start.py [--port NAME] [--runs 5]

Starts composerd as a musician does, and measures from outside: the time from the start of the
command to its first note leaving, and the proportional set size (PSS: shared pages counted once)
of the daemon and its two processes while they play.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIMIT_S, LIMIT_MB = 1.0, 120


def pss_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def one_run(port: str, stats: Path) -> tuple[float, dict[str, float]]:
    """Seconds to the first note, and MB by process."""
    begun_ns = time.monotonic_ns()
    command = [sys.executable, "-m", "realtime.cli", "--port", port, "--duration", "5"]
    daemon = subprocess.Popen(
        [*command, "--stats", str(stats)], stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL
    )
    time.sleep(3.5)
    sizes = {"daemon": pss_mb(daemon.pid)}
    for child in children(daemon.pid):
        name = Path(f"/proc/{child}/cmdline").read_text().split("\0")[-2]
        name = name.rpartition(".")[2]
        sizes[f"spare {name}" if name in sizes else name] = pss_mb(child)
    if daemon.wait() != 0:
        sys.exit("composerd failed; run it by hand to see why")
    first_ns = json.loads(stats.read_text())["first_note_ns"]
    return (first_ns - begun_ns) / 1e9, sizes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", default="none", help="as for composerd")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()

    program = "import sys, realtime.cli; print('torch' in sys.modules, 'numpy' in sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", program], text=True).split()
    print(f"import of realtime.cli loads torch: {loaded[0]}, numpy: {loaded[1]}")

    with tempfile.TemporaryDirectory() as folder:
        runs = [one_run(options.port, Path(folder, "stats.json")) for _ in range(options.runs)]
    seconds = [first for first, _ in runs]
    print(
        f"start to first note: median {statistics.median(seconds):.2f} s,"
        f" worst {max(seconds):.2f} s of {len(runs)} (limit {LIMIT_S} s)"
    )
    sizes = {name: statistics.median(size[name] for _, size in runs) for name in runs[0][1]}
    each = ", ".join(f"{name} {size:.0f}" for name, size in sizes.items())
    print(f"memory (PSS): {each}; together {sum(sizes.values()):.0f} MB (limit {LIMIT_MB} MB)")


if __name__ == "__main__":
    main()
