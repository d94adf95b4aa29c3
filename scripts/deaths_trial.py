"""One trial of scripts/deaths.py: play until notes sound, die, and count what is left."""

from __future__ import annotations

import enum
import random
import signal
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from deaths_stage import (
    REPOSITORY,
    Composerd,
    Jack,
    Listener,
    NotSetUpError,
    TooLateError,
    composerd,
    wait_until,
)

RESUMES_WITHIN_S = 20.0  # else it does not


class After(enum.Enum):
    """What must follow, and for how long (s) notes from before may still sound."""

    ENDS = 0.5
    GOES_ON = 1.0  # a process is replaced, unless the daemon has ended
    HANGS = 8.0  # the same, but somebody has to notice first
    HOLDS = 0.0  # all lives: notes may sound for as long as they do; stopped later


class Trial(NamedTuple):
    left: int  # notes
    release_ms: float | None  # from the death to the last release of what sounded
    resumed_ms: float | None  # from the death, or its end, to the next note
    story: tuple[str, ...] = ()  # if notes are left: what was done, said and heard, and when


class Stage:
    """Where a trial takes place."""

    def __init__(self, jack: Jack, listener: Listener, daemon: Composerd, fuse: Path) -> None:
        self.jack, self.listener, self.daemon, self.fuse = jack, listener, daemon, fuse
        self.began_s = time.monotonic()
        self._acts: list[tuple[float, str]] = []

    def act(self, words: str) -> float:
        """Something is done to composerd now."""
        self._acts.append((now_s := time.monotonic(), words))
        return now_s

    def story(self, first: Listener) -> tuple[str, ...]:
        """Of the trial from its death on; `first` listened then."""
        died_s = self._acts[0][0]
        told = [*self._acts, *((at_s, f"composerd: {line}") for at_s, line in self.daemon.lines)]
        for listener in {first, self.listener}:
            told += [(at_s, message.hex(" ")) for at_s, message in list(listener.heard)]
        return tuple(
            f"{at_s - died_s:.3f} {words}" for at_s, words in sorted(told) if at_s > died_s - 1
        )


class Death(NamedTuple):
    cause: Callable[[Stage], object]
    after: After
    arguments: tuple[str, ...] = ()
    room: str = ""


def trial(jack: Jack, death: Death, number: int, patience_s: float) -> Trial:
    """Play, die, listen.

    Raises:
        NotSetUpError: no trial took place.
        TooLateError: what had to follow did not.
    """
    dice = random.Random(number)
    with tempfile.TemporaryDirectory() as folder:
        fuse = Path(folder, "fuse")
        environment = {"COMPOSER_PLANT": death.room, "COMPOSER_FUSE": str(fuse)}
        environment["PYTHONPATH"] = f"{REPOSITORY / 'scripts' / 'planted'}:{REPOSITORY}"
        listener = stage = None
        dying = False
        try:
            listener = Listener(jack)
            arguments = [*death.arguments, "--rng", str(number)]
            with composerd(jack, arguments, environment if death.room else {}) as daemon:
                stage = Stage(jack, listener, daemon, fuse)
                wait_until(lambda: bool(listener.sounding()), 30, "a first note")
                time.sleep(dice.uniform(0, 1))
                wait_until(lambda: bool(listener.sounding()), 30, "a note")
                dying = True
                done = _die(stage, death, patience_s)
                return done._replace(story=stage.story(listener)) if done.left else done
        except TooLateError as error:
            if dying:
                raise
            raise NotSetUpError from error
        finally:
            for program in {listener, stage and stage.listener} - {None}:
                program.kill()


def _die(stage: Stage, death: Death, patience_s: float) -> Trial:
    died_s = stage.act("dies")
    before = stage.listener.sounding()
    first = stage.listener
    death.cause(stage)
    wait_until(lambda: not stage.fuse.exists(), 30, "the exception")
    # From here on one can speak of 'after': a stop is over, a port is back, an exception raised.
    over_s = stage.act("has died")
    since_s = over_s if stage.listener is not first or death.room else died_s
    if death.arguments[:1] == ("--duration",):
        died_s, since_s, before = over_s, over_s, first.sounding()
    listened = (stage.listener, before, died_s, since_s, death.after, patience_s)
    if death.after is After.HOLDS:
        return _hold(stage, over_s, patience_s)
    if death.after is not After.ENDS and stage.daemon.alive:
        quiet_s = over_s if stage.listener is not first else died_s + 0.1
        left, release_ms = _listen(*listened)
        resumed_ms = _resumed(stage, quiet_s, since_s)
        ended = _hold(stage, time.monotonic(), patience_s)
        return Trial(left + ended.left, release_ms, resumed_ms)
    left, release_ms = _listen(*listened)
    return Trial(left + _still(stage), release_ms, None)


def _hold(stage: Stage, over_s: float, patience_s: float) -> Trial:
    """It goes on; then it is asked to stop."""
    resumed_ms = _resumed(stage, over_s, over_s)
    before, asked_s = stage.listener.sounding(), stage.act("is asked to end")
    if stage.daemon.alive:
        stage.daemon.process.send_signal(signal.SIGTERM)
    left, release_ms = _listen(stage.listener, before, asked_s, asked_s, After.ENDS, patience_s)
    return Trial(left + _still(stage), release_ms, resumed_ms)


def _listen(
    listener: Listener,
    before: set[int],
    died_s: float,
    since_s: float,
    after: After,
    patience_s: float,
) -> tuple[int, float | None]:
    """How many of the notes are left, and how long (ms) after `since_s` the last release came."""
    end_s = time.monotonic() + max(after.value, patience_s)
    while before - listener.released_s(died_s).keys() and time.monotonic() < end_s:
        time.sleep(0.01)
    all_s = listener.released_s(died_s)
    released = [at_s for pitch, at_s in all_s.items() if pitch in before]
    left = len(before - all_s.keys())
    return left, max(max(released) - since_s, 0) * 1000 if released else None


def _resumed(stage: Stage, quiet_s: float, since_s: float) -> float | None:
    with suppress(TooLateError):
        wait_until(
            lambda: stage.listener.struck_s(quiet_s) is not None or not stage.daemon.alive,
            RESUMES_WITHIN_S,
            "the music",
        )
    struck_s = stage.listener.struck_s(quiet_s)
    return None if struck_s is None else (struck_s - since_s) * 1000


def _still(stage: Stage) -> int:
    """What sounds when all is over."""
    with suppress(TooLateError):
        wait_until(lambda: not stage.daemon.alive, 60, "the end")
    stage.act("has ended")
    time.sleep(After.ENDS.value)
    return len(stage.listener.sounding())
