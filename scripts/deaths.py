"""Every death of composerd, and which notes it leaves sounding, as a foreign JACK client hears it.

    python scripts/deaths.py [--trials 100] [--jobs N] [--minutes M] [--only NAME ...] [--json FILE]

Each trial plays with a daemon of its own, until notes sound; then comes the death. Counted is what
was struck before it and still sounds 500 ms later, or 1 s later where a process is replaced. Where
playing goes on, it is asked to stop after that, and what still sounds then is counted too. Times
are those of arrival at the client: JACK's period of 21 ms is in them. Needs jackd and its tools;
jobs share nothing but the machine. Prints the table of docs/reliability.md; and on standard error,
of each trial that left a note, what was done, said and heard, in seconds from the death.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import queue
import signal
import statistics
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import psutil  # noqa: E402
from deaths_stage import SERVERS, Jack, Listener, NotSetUpError  # noqa: E402
from deaths_trial import After, Death, Stage, Trial, trial  # noqa: E402
from planted.sitecustomize import PROGRAMS, ROOMS  # noqa: E402

from realtime.wire import Kind, Record, control_change, pack  # noqa: E402

DURATION_S = 4.0
STOP_S = 2.0
FULL_S = 4.0  # longer than the next player waits
SOON_MS = 300  # the aim for the last release, where a process is replaced
RING_MESSAGES = 4000  # rtmidi's has 16 KiB
OF_THE_DAEMON = ("child", "outlet", "band", "part", "pulse", "report", "desk", "daemon")  # it ends
NOTHING = control_change(15, 3, 0)  # an undefined controller


def to_daemon(number: int) -> Callable[[Stage], object]:
    return lambda stage: stage.daemon.process.send_signal(number)


def to_child(module: str, number: int) -> Callable[[Stage], object]:
    return lambda stage: stage.daemon.child(module).send_signal(number)


def stopped(send: Callable[[Stage, int], object]) -> Callable[[Stage], object]:
    def stop_and_go_on(stage: Stage) -> None:
        send(stage, signal.SIGSTOP)
        time.sleep(STOP_S)
        send(stage, signal.SIGCONT)

    return stop_and_go_on


def full_pipe(stage: Stage) -> None:
    """The player stops and its pipe, made small, runs full."""
    player = stage.daemon.child("player")
    with Path(f"/proc/{player.pid}/fd/0").open("rb") as down:
        fcntl.fcntl(down, fcntl.F_SETPIPE_SZ, 4096)
    player.send_signal(signal.SIGSTOP)
    time.sleep(STOP_S)
    with suppress(psutil.NoSuchProcess):  # the daemon has ended it
        player.send_signal(signal.SIGCONT)


def full_ring(stage: Stage) -> None:
    """The JACK server stops, and more comes for it than rtmidi has room for."""
    stage.jack.signal(signal.SIGSTOP)
    player = stage.daemon.child("player")
    # It waits in rtmidi, until its alarm ends it.
    with suppress(BrokenPipeError), Path(f"/proc/{player.pid}/fd/0").open("wb", 0) as down:
        for _ in range(RING_MESSAGES):
            down.write(pack(Record(Kind.PLAY, NOTHING)))
    time.sleep(FULL_S)
    stage.jack.signal(signal.SIGCONT)


def listener_blinks(stage: Stage) -> None:
    """Away for so short a time that nobody may have looked meanwhile."""
    stage.listener.leave()
    time.sleep(0.3)
    stage.listener = Listener(stage.jack)


def listener_goes(stage: Stage) -> None:
    stage.listener.leave()
    stage.daemon.says("is gone")
    stage.listener = Listener(stage.jack)


def jack_goes(stage: Stage) -> None:
    stage.jack.kill()
    stage.daemon.says("is gone")
    stage.listener.kill()
    stage.jack.start()
    stage.listener = Listener(stage.jack)


DEATHS = {
    "end by --duration": Death(
        lambda stage: time.sleep(max(0, stage.began_s + DURATION_S - time.monotonic())),
        After.ENDS,
        ("--duration", str(DURATION_S)),
    ),
    "SIGINT": Death(to_daemon(signal.SIGINT), After.ENDS),
    "SIGTERM": Death(to_daemon(signal.SIGTERM), After.ENDS),
    "SIGHUP": Death(to_daemon(signal.SIGHUP), After.ENDS),
    "SIGKILL of the daemon": Death(to_daemon(signal.SIGKILL), After.ENDS),
    "SIGKILL of the composer": Death(to_child("composer", signal.SIGKILL), After.GOES_ON),
    "SIGKILL of the player": Death(to_child("player", signal.SIGKILL), After.GOES_ON),
    "the composer hangs": Death(to_child("composer", signal.SIGSTOP), After.HANGS),
    "the player hangs": Death(to_child("player", signal.SIGSTOP), After.HANGS),
    "the player's pipe full": Death(full_pipe, After.HANGS, ("--tempo-scale", "10")),
    "the daemon stopped for 2 s": Death(
        stopped(lambda stage, number: stage.daemon.process.send_signal(number)), After.HOLDS
    ),
    "the composer stopped for 2 s": Death(
        stopped(lambda stage, number: stage.daemon.child("composer").send_signal(number)),
        After.HOLDS,
    ),
    "the player stopped for 2 s": Death(
        stopped(lambda stage, number: stage.daemon.child("player").send_signal(number)),
        After.HOLDS,
    ),
    "the JACK server stopped for 2 s": Death(
        stopped(lambda stage, number: stage.jack.signal(number)), After.HOLDS
    ),
    "the JACK server stopped, its ring full": Death(full_ring, After.HOLDS),
    "the JACK server killed, and back": Death(jack_goes, After.GOES_ON),
    "the destination killed, and back": Death(listener_goes, After.GOES_ON),
    "the destination away for 0.3 s": Death(listener_blinks, After.HANGS),
    **{
        f"an exception in {room}": Death(
            lambda stage: stage.fuse.touch(),
            After.ENDS if room in OF_THE_DAEMON else After.GOES_ON,
            room=room,
        )
        for room in (*ROOMS, *PROGRAMS)
    },
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=2, help=f"1..{SERVERS}")
    parser.add_argument("--only", nargs="+", default=[], help="deaths whose names contain these")
    parser.add_argument("--json", type=Path, help="write each trial's figures")
    parser.add_argument("--minutes", type=float, help="begin no trial after so long")
    parser.add_argument(
        "--patience-s", type=float, default=0, help="count what is left no sooner than this"
    )
    options = parser.parse_args()
    names = [name for name in DEATHS if not options.only or any(o in name for o in options.only)]
    trials: dict[str, list[Trial]] = {name: [] for name in names}
    failures: list[str] = []
    todo: queue.SimpleQueue[tuple[str, int]] = queue.SimpleQueue()
    for number in range(options.trials):
        for name in names:
            todo.put((name, number))

    end_s = time.monotonic() + 60 * (options.minutes or float("inf"))

    def work(jack: Jack) -> None:
        with suppress(queue.Empty):
            while time.monotonic() < end_s:
                name, number = todo.get_nowait()
                try:
                    done = tried(jack, DEATHS[name], number, options.patience_s)
                    trials[name].append(done)
                    if done.left:
                        print(f"{name}, trial {number}:", *done.story, sep="\n  ", file=sys.stderr)
                except Exception as error:
                    failures.append(f"{name}, trial {number}: {error!r}")

    stages = [Jack()]
    with suppress(OSError):  # others use the rest: fewer jobs, then
        while len(stages) < options.jobs:
            stages.append(Jack())
    jobs = [threading.Thread(target=work, args=(jack,), daemon=True) for jack in stages]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # a server must not be left behind
    try:
        for job in jobs:
            job.start()
        for job in jobs:
            job.join()
    finally:
        for jack in stages:
            jack.stop()
    if options.json:
        figures = {name: [each._asdict() for each in done] for name, done in trials.items()}
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    print("| death | trials | left a note | last release, ms (max) |", end=" ")
    print(f"after {SOON_MS} ms | goes on after, ms (max) |")
    print("|---|---|---|---|---|---|")
    for name, done in trials.items():
        left = sum(bool(each.left) for each in done)
        release = spread([each.release_ms for each in done])
        later = sum((each.release_ms or 0) > SOON_MS for each in done)
        resumed = spread([each.resumed_ms for each in done])
        print(f"| {name} | {len(done)} | {left} | {release} | {later} | {resumed} |")
    for failure in failures:
        print(failure)
    sys.exit(bool(failures) or any(each.left for done in trials.values() for each in done))


def tried(jack: Jack, death: Death, number: int, patience_s: float) -> Trial:
    """What could not begin says nothing of deaths: it is tried again, with another server."""
    for _ in range(2):
        with suppress(NotSetUpError):
            return trial(jack, death, number, patience_s)
        jack.kill()
        jack.start()
    return trial(jack, death, number, patience_s)


def spread(values_ms: list[float | None]) -> str:
    known = [value for value in values_ms if value is not None]
    if not known:
        return "-"
    return f"{statistics.median(known):.0f} ({max(known):.0f})"


if __name__ == "__main__":
    main()
