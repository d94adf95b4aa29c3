"""Whether the player's ports are still there, and how much came in that was too much."""

from __future__ import annotations

from collections.abc import Callable

from core.errors import PortError
from realtime.clock import NS_PER_MS
from realtime.hearing import Hearing
from realtime.ports import Input, Output
from realtime.rehearsal import MemoryPort
from realtime.wire import Kind, Record

GLANCE_EVERY_NS = 200 * NS_PER_MS  # where it is quickly done to see that a port is gone
STARTS_WITHIN = 5  # looks: then a port that is there, but is not connected, is left as it is


class Plug:
    """An input that may come and go, and be there some time before it can be connected."""

    def __init__(self, port: Input) -> None:
        self._port = port
        self._was_away = not port.present()  # between two looks, or never yet there
        self._looks = 0  # since it came back
        self.plugged_in = True

    def glance(self) -> None:
        self._was_away |= self._port.away()

    def changes(self) -> bool:
        """Look; whether it went or came back."""
        there = self._port.present() and not self._was_away
        self._was_away = False
        if not there:
            self._looks = 0
        if there == self.plugged_in or (there and not self._connects()):
            return False
        self.plugged_in = there
        return True

    def _connects(self) -> bool:
        if not self._port.connect():
            return False
        self._looks += 1
        return self._port.connected() or self._looks >= STARTS_WITHIN


class Watch:
    """Looks when it is told to.

    Args:
        output: that must be there.
        keyboard: that may come and go.
        hearing: of the keyboard.
        clock_input: that may come and go.
        report: is given DEAF, HEARING and UNHEARD.
    """

    def __init__(
        self,
        output: Output | MemoryPort,
        keyboard: Input | None,
        hearing: Hearing,
        clock_input: Input | None,
        report: Callable[[Record], None],
    ) -> None:
        self._output = output
        self._glance_ns = 0
        self._keyboard = Plug(keyboard) if keyboard else None
        self._hearing = hearing
        self._clock_input = Plug(clock_input) if clock_input else None
        self._report = report
        self._reported = 0  # onsets that were too many

    def glance(self, now_ns: int) -> None:
        """Raises PortError when the output is seen at once to be gone."""
        if now_ns >= self._glance_ns:
            self._glance_ns = now_ns + GLANCE_EVERY_NS
            for plug in self._keyboard, self._clock_input:
                if plug:
                    plug.glance()
            if self._output.gone(now_ns):
                raise PortError(f"output port '{self._output.name}' is gone, or its server stopped")

    def look(self) -> None:
        """Report an input that went or came back. Raises PortError when the output went."""
        self.report_unheard()
        if not self._output.present():
            raise PortError(f"output port '{self._output.name}' is gone")
        if self._keyboard and self._keyboard.changes():
            if not self._keyboard.plugged_in:
                self._hearing.forget()
            self._report(Record(Kind.HEARING if self._keyboard.plugged_in else Kind.DEAF))
        if self._clock_input:
            self._clock_input.changes()

    def report_unheard(self) -> None:
        dropped = self._hearing.dropped
        if dropped > self._reported:
            self._report(Record(Kind.UNHEARD, epoch=dropped - self._reported))
            self._reported = dropped
