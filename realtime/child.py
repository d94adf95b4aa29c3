"""A process of ours as the daemon sees it: orders down, a greeting and then records up."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import IO, Any, NamedTuple, cast

from core.errors import ComposerError, PortError
from realtime import wire
from realtime.control import Wish
from realtime.wire import Outbox, Record

ROOM = 4096  # records that wait to be read
STOP_WITHIN_S = 0.8  # then a process that has not ended is killed


Answer = Callable[[str], None]  # tells a word to whoever wanted something


class Wanted(NamedTuple):
    """The musician, or a program of theirs, wants something of a part, or of all."""

    part: str | None
    wish: Wish
    answer: Answer  # is told what could not be, and what came of another model


class Arrival(NamedTuple):
    """What a child said; nothing at its end. From no child: what the musician wants, or to stop."""

    child: Child | None
    record: Record | None = None
    greeting: dict[str, Any] | None = None
    wanted: Wanted | None = None


class Arrivals:
    """What the children say, in its order; one that says too much waits until it is heard."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[Arrival] = SimpleQueue()
        self._room = threading.Semaphore(ROOM)

    def put(self, arrival: Arrival) -> None:
        self._room.acquire()
        self._queue.put(arrival)

    def stop(self) -> None:
        """The musician wants to stop. Never waits: a signal handler may call this."""
        self._queue.put(Arrival(None))

    def want(self, part: str | None, wish: Wish, answer: Answer) -> None:
        """Never waits, so that a signal handler may call this."""
        self._queue.put(Arrival(None, wanted=Wanted(part, wish, answer)))

    def get(self, timeout_s: float) -> Arrival:
        """Raises queue.Empty when nothing came in time."""
        arrival = self._queue.get(timeout=timeout_s)
        if arrival.child:
            self._room.release()
        return arrival


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
        self.module = module
        self._down = cast(IO[bytes], self.process.stdin)
        self._up = cast(IO[bytes], self.process.stdout)
        self._outbox: Outbox | None = None  # until it has its orders

    def begin(self, orders: dict[str, Any], inbox: Arrivals) -> dict[str, Any]:
        """Give it its orders, wait until it is ready, and from then on fill the inbox.

        Returns:
            Its greeting.

        Raises:
            ComposerError: it cannot start, in its own words.
        """
        self.order(orders)
        return self.ready(inbox)

    def begin_later(self, orders: dict[str, Any], inbox: Arrivals) -> None:
        """The same without waiting: its greeting too comes to the inbox, or its end."""
        self.order(orders)

        def listen() -> None:
            try:
                inbox.put(Arrival(self, greeting=self._greeted()))
            except ComposerError:
                inbox.put(Arrival(self))
            else:
                self._listen(inbox)

        threading.Thread(target=listen, daemon=True).start()

    def order(self, orders: dict[str, Any]) -> None:
        """Give it its orders; from then on records may follow."""
        with suppress(OSError):  # it is gone, and will be missed when it does not greet
            wire.greet(self._down, orders)
        self._outbox = Outbox(self._down.fileno())

    def ready(self, inbox: Arrivals) -> dict[str, Any]:
        """The second half of `begin`."""
        greeting = self._greeted()
        threading.Thread(target=self._listen, args=(inbox,), daemon=True).start()
        return greeting

    def _greeted(self) -> dict[str, Any]:
        try:
            answer = wire.greeting(self._up)
        except (OSError, EOFError, ValueError) as error:
            raise ComposerError(f"{self.module} went without a word") from error
        if "error" in answer:
            raise PortError(answer["error"])
        return answer

    def _listen(self, inbox: Arrivals) -> None:
        with self._up:
            for record in wire.records(self._up):
                inbox.put(Arrival(self, record))
        inbox.put(Arrival(self, None))

    def send(self, record: Record) -> bool:
        """Never waits. False when it is gone, or has left some thousand records unread."""
        if self._outbox is None:
            return False
        lost = self._outbox.lost
        self._outbox.write(record)
        return self._outbox.lost == lost

    def tell(self, record: Record) -> None:
        """Never waits: what leaves so much unread hangs, and is killed; its end comes up."""
        if not self.send(record):
            self.process.kill()

    def hang_up(self) -> None:
        """It sees its pipe close, and goes."""
        self._outbox = None
        with suppress(OSError):
            self._down.close()

    def close(self) -> None:
        """End it: it has a moment to go."""
        self.hang_up()
        try:
            self.process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Spare:
    """A process that is up and waits for its orders, for the day on which another one dies.

    To start Python takes longer than a musician takes to notice a note that hangs.
    """

    def __init__(self, module: str) -> None:
        self._module = module
        self._child: Child | None = None

    def stock(self) -> None:
        """Start one, if none waits."""
        if self._child is None:
            self._child = Child(self._module)

    def take(self) -> Child:
        """The one that waits, or one that has yet to get up."""
        child, self._child = self._child, None
        if child and child.process.poll() is None:
            return child
        return Child(self._module)

    def hang_up(self) -> None:
        """It is not needed any more."""
        if self._child:
            self._child.hang_up()

    def close(self) -> None:
        if self._child:
            self._child.close()
            self._child = None
