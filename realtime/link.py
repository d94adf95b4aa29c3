"""The Link process: the beats of an Ableton Link session, told as those of a MIDI clock.

    python -m realtime.link

Ableton's library has threads and a network of its own; here they can delay nobody. The first line
down and the first line up are {}, or up {"error": one line for the musician}. Then up go CLOCK
records. It ends when its stdin does.

Many programs in a session never start or stop for the others. So the song is on from the
beginning, until somebody in the session says stop.
"""

from __future__ import annotations

import math
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from realtime import wire
from realtime.clock import NS_PER_MS, NS_PER_S, RealClock
from realtime.tempo import TICKS_PER_BEAT
from realtime.wire import CONTINUE, STOP, TICK, Inbox, Kind, Outbox, Record

BPM = 120  # of a session that nobody else has begun
BAR_BEATS = 4  # whose beginning all in the session share
LOOK_EVERY_NS = 5 * NS_PER_MS
MEET_NS = NS_PER_S  # others in the session are found within


class Session:
    """What was told of it last: it may jump when others are met, and change its tempo."""

    def __init__(self) -> None:
        self._number: int | None = None  # of the last tick
        self._was_on = True

    def look(self, beat: float, beat_ns: float, now_ns: int, *, is_on: bool) -> Iterator[Record]:
        """Tell what has happened until now.

        Args:
            beat: of the session, now; less than 0 before its beginning.
            beat_ns: how long one takes.
            now_ns: of the monotonic clock.
            is_on: whether it is to be played.
        """
        if is_on != self._was_on:
            self._was_on = is_on
            yield Record(Kind.CLOCK, CONTINUE if is_on else STOP, at_ns=now_ns)
        number = math.floor(beat * TICKS_PER_BEAT)
        # Clocks of several machines are compared again and again: a step back is none.
        steady = self._number is not None and -6 <= number - self._number <= TICKS_PER_BEAT
        if self._number is None or not steady:
            if is_on:
                yield Record(Kind.CLOCK, CONTINUE, at_ns=now_ns)
            self._number = number - 1
        for each in range(max(self._number + 1, 0), number + 1):
            at_ns = now_ns - round((beat - each / TICKS_PER_BEAT) * beat_ns)
            yield Record(Kind.CLOCK, TICK, at_ns=at_ns, epoch=each)
        self._number = max(number, self._number)


def main() -> None:
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK", "SIGUSR1"):  # are the daemon's
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    with os.fdopen(0, "rb", 0, closefd=False) as down, os.fdopen(1, "wb", 0, closefd=False) as up:
        try:
            wire.greeting(down)
            import link
        except EOFError:
            return
        except ImportError:
            error = "--sync link needs a library: pip install 'live-composer[link]'"
            wire.greet(up, {"error": error})
            sys.exit(1)
        member = link.Link(BPM)
        member.startStopSyncEnabled = True
        member.enabled = True
        wire.greet(up, {})
        with suppress(EOFError):
            _follow(member, Inbox(down.fileno()), Outbox(up.fileno()))


def _follow(member: Any, inbox: Inbox, outbox: Outbox) -> None:
    """Until the daemon is gone, which is an EOFError."""
    clock = RealClock(inbox)
    session = Session()
    begin_ns = clock.now_ns() + MEET_NS
    started = False  # by anybody: who never starts does not stop either
    while True:
        if clock.wait_until(clock.now_ns() + LOOK_EVERY_NS):
            for record in inbox.read():
                if record.kind is Kind.PING:
                    outbox.write(Record(Kind.PONG))
        state = member.captureSessionState()
        link_us, now_ns = member.clock().micros(), clock.now_ns()
        started = started or state.isPlaying()
        if now_ns < begin_ns:
            continue
        beat_ns = 60 * NS_PER_S / state.tempo()
        beat = state.beatAtTime(link_us, BAR_BEATS)
        is_on = state.isPlaying() or not started
        for told in session.look(beat, beat_ns, now_ns, is_on=is_on):
            outbox.write(told)


if __name__ == "__main__":
    main()
