"""Builds, connects, watches and stops the two processes; no music of its own.

It stands between composer and player, so that either can end without the other losing its pipe,
and it keeps a copy of the ledger: what may sound is known even when the player is gone.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO, Any, NamedTuple, cast

from core.errors import ComposerError, PortError
from realtime import wire
from realtime.clock import NS_PER_S, RealClock
from realtime.ledger import Ledger
from realtime.report import Report, write_stats
from realtime.wire import Kind, Record

LINE_EVERY_NS = NS_PER_S // 5
STOP_WITHIN_S = 0.8  # then a process that has not ended is killed


class Arrival(NamedTuple):
    """What a child said, or None at its end. From no child: the musician wants to stop."""

    child: Child | None
    record: Record | None = None


class Child:
    """One of the two processes: orders down its stdin, greeting and records up its stdout."""

    def __init__(self, module: str) -> None:
        # -P: nothing in the folder that the musician stands in may pose as one of our modules.
        # A session of its own: Ctrl-C in the terminal is for the daemon alone.
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._module = module
        self._down = cast(IO[bytes], self.process.stdin)
        self._up = cast(IO[bytes], self.process.stdout)

    def greet(self, orders: dict[str, Any]) -> dict[str, Any]:
        """Give it its orders; wait until it is ready.

        Raises:
            ComposerError: it cannot start, in its own words.
        """
        try:
            wire.greet(self._down, orders)
            answer = wire.greeting(self._up)
        except (OSError, EOFError, ValueError) as error:
            raise ComposerError(f"{self._module} went without a word") from error
        if "error" in answer:
            raise PortError(answer["error"])
        return answer

    def listen(self, inbox: SimpleQueue[Arrival]) -> None:
        """Put all that it says into the inbox, and None when it has ended."""

        def pump() -> None:
            for record in wire.records(self._up):
                inbox.put(Arrival(self, record))
            inbox.put(Arrival(self, None))

        threading.Thread(target=pump, daemon=True).start()

    def send(self, record: Record) -> None:
        with suppress(OSError):  # it is gone: its end reaches the inbox
            self._down.write(wire.pack(record))
            self._down.flush()

    def close(self) -> None:
        """End it: it sees its pipe close, and has a moment to go."""
        with suppress(OSError):
            self._down.close()
        try:
            self.process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What the command line asked for."""

    player: dict[str, Any]  # see realtime.player
    composer: dict[str, Any]  # see realtime.composer
    duration_s: float | None = None
    record: Path | None = None  # write here what was sent
    stats: Path | None = None


class Daemon:
    """One performance: `start`, then `run`.

    Args:
        orders: what to do.
        start_ns: when the command was given; the time to the first note counts from here.
        show: is given a line for the terminal a few times a second.
    """

    def __init__(
        self, orders: Orders, start_ns: int, show: Callable[[str], None] = lambda _: None
    ) -> None:
        self._orders = orders
        self._show = show
        self._clock = RealClock()
        self._inbox: SimpleQueue[Arrival] = SimpleQueue()
        self._sounding = Ledger()  # as the player tells
        self._possible = Ledger()  # with what it was told to play and has not told of yet
        self._record: list[tuple[int, bytes]] = []  # (sent at, message)
        self.report = Report(start_ns)
        self.greeting: dict[str, Any] = {}

    def start(self) -> None:
        """Make both processes ready; the music begins.

        Raises:
            ComposerError: a port, the model or the seed file is not to be had. Nothing runs then.
        """
        self._player, self._composer = Child("realtime.player"), Child("realtime.composer")
        try:
            self.greeting = self._player.greet(self._orders.player)
            self.greeting |= self._composer.greet(self._orders.composer)
        except BaseException:
            self._composer.close()
            self._player.close()
            raise
        self._player.listen(self._inbox)
        self._composer.listen(self._inbox)

    def run(self) -> None:
        """Play until the musician or the duration ends it; then nothing is left sounding.

        Raises:
            PortError: the output port was lost.
            ComposerError: one of the processes died.
        """
        now_ns = self._clock.now_ns()
        duration_s = self._orders.duration_s
        end_ns = None if duration_s is None else now_ns + round(duration_s * NS_PER_S)
        line_ns = now_ns
        with _signals_into(self._inbox):
            try:
                while end_ns is None or now_ns < end_ns:
                    wake_ns = line_ns if end_ns is None else min(line_ns, end_ns)
                    with suppress(Empty):
                        arrival = self._inbox.get(timeout=max(0, wake_ns - now_ns) / NS_PER_S)
                        if arrival.child is None:
                            break
                        self._handle(arrival)
                    now_ns = self._clock.now_ns()
                    if now_ns >= line_ns:
                        line_ns = now_ns + LINE_EVERY_NS
                        pitches = (pitch for _, pitch in self._sounding.sounding)
                        self._show(self.report.line(now_ns, self.greeting["port"], pitches))
            finally:
                self._stop()

    def _handle(self, arrival: Arrival) -> None:
        record = arrival.record
        if record is None:
            who = "composer" if arrival.child is self._composer else "player"
            raise ComposerError(f"the {who} process died; what sounded was released")
        if record.kind in (Kind.PLAY, Kind.HUSH):
            if record.kind is Kind.PLAY:
                self._possible.leaving(record.message)
            self._player.send(record)
        elif record.kind is Kind.SENT:
            self._sent(record)
        elif record.kind is Kind.DROPPED:
            self.report.dropped += 1
        elif record.kind in (Kind.HEARD, Kind.DEAF):
            self._composer.send(record)
        elif record.kind is Kind.LOST:
            raise PortError(
                f"port {self.greeting['port']} is gone; composerd --list-ports tells what is there"
            )

    def _sent(self, record: Record) -> None:
        for ledger in (self._sounding, self._possible):
            ledger.leaving(record.message)
            ledger.left(record.message)
        self.report.sent(record.message, record.due_ns, record.at_ns)
        if self._orders.record:
            self._record.append((record.at_ns, record.message))

    def _stop(self) -> None:
        """The composer first, so that nothing new comes; then the player, which releases all."""
        self._composer.close()
        self._player.send(Record(Kind.STOP))
        self._drain()
        self._player.close()
        if self._player.process.returncode != 0 and self._possible.sounding:
            self._release_what_the_player_left()
        if self._orders.record:
            self._write_recording(self._orders.record)
        if self._orders.stats:
            write_stats(self._orders.stats, self.report.stats(self.greeting))

    def _drain(self) -> None:
        """Hear the player out: it tells of its last releases, then ends."""
        end_ns = self._clock.now_ns() + round(STOP_WITHIN_S * NS_PER_S)
        while (left_ns := end_ns - self._clock.now_ns()) > 0:
            with suppress(Empty):
                child, record = self._inbox.get(timeout=left_ns / NS_PER_S)
                if child is self._player and record is None:
                    return
                if record is not None and record.kind is Kind.SENT:
                    self._sent(record)

    def _release_what_the_player_left(self) -> None:
        """The player died: a new one, on the same port, releases what may still sound."""
        successor = Child("realtime.player")
        with suppress(ComposerError):
            successor.greet(self._orders.player | {"sounding": self._possible.sounding})
        successor.close()

    def _write_recording(self, path: Path) -> None:
        # Not at the top: numpy comes with it, which a performance without a recording spares.
        from core import midi_file

        start_ns = self._record[0][0] if self._record else 0
        midi_file.write(path, [(at_ns - start_ns, message) for at_ns, message in self._record])


@contextmanager
def _signals_into(inbox: SimpleQueue[Arrival]) -> Iterator[None]:
    """Ctrl-C and polite kills become an arrival from no child."""
    names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")  # the last two not on every system
    signals = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in signals}
    for number in signals:
        signal.signal(number, lambda *_: inbox.put(Arrival(None)))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
