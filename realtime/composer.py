"""The composer process: what to play, written ahead; what the human plays, heard.

    python -m realtime.composer

The first line down is the orders:

    model           path of a checkpoint, or null for the one that comes along
    seed_file       path of a MIDI file to go on from, or null
    seed_events     how many of its events: the first n, or the last with -n
    settings        the fields of realtime.settings.Settings
    rng             the same whole number, the same choices
    channel         0..15
    program         0..127, or null
    epoch           of the first records, above all that the player has seen; 0 when left out
    past            what a composer before this one heard, [[at_ns, message in hex], ...]; or not
    bpm             in which tempo that was, if in a song's; or not
    sync            whether to play only while a song is on, in its tempo
    voices          how many parts it is one of, with those that it hears; 1 when left out
    together        whether to wait for a RESUME before playing, as others may not be ready; or not
    take            whether to tell what is done, see realtime.course; or not

The first line up is {"model": path, "start_ns": when the stream begins}, or {"error": one line for
the musician}. Then down come HEARD, DEAF, CLOCK, PAUSE, RESUME, PING and ORDER; up go PLAY, HUSH,
REVISE, WORD, PONG and TOOK. It ends when its stdin does. An ORDER says {"settings": {those that
change}}, {"model": path} or {"surprise": true}; a WORD {"say": what the musician is to know,
"model": the path, when another one plays now}.
"""

from __future__ import annotations

import os

# A step is too short to be spread over threads. BLAS asks when numpy is first imported.
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["VECLIB_MAXIMUM_THREADS"] = "1"

import gc
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from core import checkpoint, midi_file
from core.errors import ComposerError
from core.events import Event
from realtime import priority, wire
from realtime.clock import NS_PER_MS, NS_PER_S, RealClock
from realtime.course import Course
from realtime.keeping import NOTHING
from realtime.pacing import MODEL_BPM
from realtime.past import recall
from realtime.performer import Performer
from realtime.plain import engine_for
from realtime.settings import Settings
from realtime.wire import Inbox, Kind, Record, is_note, is_onset

# Until the first event may be due: the first steps of a cold process take longer than later ones.
SETTLE_NS = 100 * NS_PER_MS


def performer(orders: dict[str, Any], start_ns: Callable[[], int]) -> Performer:
    """A performer as ordered, ready to play.

    Args:
        orders: see above.
        start_ns: when it begins; asked last, for getting ready takes a while.

    Raises:
        ComposerError: the model or the seed file cannot be read, a setting is out of its range.
    """
    settings = Settings(**orders["settings"])
    model = checkpoint.load(model_path(orders))
    engine, keeping = engine_for(model), NOTHING
    if orders["seed_file"] is not None:
        music = midi_file.read(Path(orders["seed_file"]))
        count = orders["seed_events"]
        keeping = recall(engine, model.codec, music[:count] if count >= 0 else music[count:])
    keeping = recall(engine, model.codec, _events(orders, settings), keeping)
    return Performer(
        engine,
        model.codec,
        settings,
        np.random.default_rng(orders["rng"]),
        start_ns(),
        channel=orders["channel"],
        program=orders["program"],
        epoch=orders.get("epoch", 0),
        paused=orders.get("together", False),
        voices=orders.get("voices", 1),
        keeping=keeping,
    )


def _events(orders: dict[str, Any], settings: Settings) -> Iterator[Event]:
    """The past, as the model heard it."""
    speed = settings.tempo_scale * (orders.get("bpm") or MODEL_BPM) / MODEL_BPM
    last_ns = None
    for at_ns, hexadecimal in orders.get("past", ()):
        message = bytes.fromhex(hexadecimal)
        if not is_note(message):
            continue
        delta_s = 0.0 if last_ns is None else max(at_ns - last_ns, 0) / NS_PER_S
        last_ns = at_ns
        velocity = message[2] / settings.velocity_scale if is_onset(message) else 0.0
        velocity = min(max(round(velocity), int(is_onset(message))), 127)
        yield Event(delta_s * speed, message[1], velocity)


def main() -> None:
    # When to end is for the daemon to decide, and it closes our stdin: a signal to all of its
    # processes, as from a terminal or a service manager, is not for us.
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK", "SIGUSR1"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    priority.take_long_turns()  # the daemon's short ones came with us
    with suppress(EOFError, BrokenPipeError):
        _compose()


def _compose() -> None:
    """Until the daemon is gone, which is an EOFError or a BrokenPipeError."""
    with os.fdopen(0, "rb", 0, closefd=False) as down, os.fdopen(1, "wb", 0, closefd=False) as up:
        orders = wire.greeting(down)
        inbox = Inbox(down.fileno())
        clock = RealClock(inbox)
        start_ns = 0

        def start() -> int:
            nonlocal start_ns
            start_ns = clock.now_ns() + SETTLE_NS
            return start_ns

        try:
            plays = performer(orders, start)
        except ComposerError as error:
            wire.greet(up, {"error": str(error)})
            sys.exit(1)
        wire.greet(up, {"model": str(model_path(orders)), "start_ns": start_ns})

        def send(record: Record) -> None:
            up.write(wire.pack(record))

        def tell(call: dict[str, Any]) -> None:
            for piece in wire.pieces(Kind.TOOK, call):
                send(piece)

        course = Course(
            plays,
            model_path(orders),
            sync=orders.get("sync", False),
            send=send,
            tell=tell if orders.get("take") else None,
        )
        gc.collect()
        gc.freeze()
        for record in course.begin(clock.now_ns()):
            send(record)
        while True:
            _listen(course, clock, inbox, send)
            # The human comes first.
            for record in course.plan(clock.now_ns(), lambda: clock.wait_until(0)):
                send(record)
            course.go_on()


def _listen(course: Course, clock: RealClock, inbox: Inbox, send: Callable[[Record], None]) -> None:
    """Hear what comes until there is something to write."""
    if not clock.wait_until(course.wake_ns(clock.now_ns())):
        return
    for record in inbox.read():
        if record.kind is Kind.PING:
            send(Record(Kind.PONG))
        else:
            for answer in course.take_in(record, clock.now_ns()):
                send(answer)


def model_path(orders: dict[str, Any]) -> Path:
    """The checkpoint to play from."""
    return checkpoint.SHIPPED if orders["model"] is None else Path(orders["model"])


if __name__ == "__main__":
    main()
