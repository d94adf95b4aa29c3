"""Whether the player's ports are still there, and how much came in that was too much."""

from __future__ import annotations

from collections.abc import Callable

from core.errors import PortError
from realtime.clock import NS_PER_MS
from realtime.hearing import Hearing
from realtime.ports import Input, MemoryPort, Output
from realtime.wire import Kind, Record

GLANCE_EVERY_NS = 200 * NS_PER_MS  # where it is quickly done to see that the output is gone


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
        self._keyboard = keyboard
        self._hearing = hearing
        self._clock_input = clock_input
        self._report = report
        self._plugged_in = True
        self._clock_plugged_in = True
        self._reported = 0  # onsets that were too many

    def glance(self, now_ns: int) -> None:
        """Raises PortError when the output is seen at once to be gone."""
        if now_ns >= self._glance_ns:
            self._glance_ns = now_ns + GLANCE_EVERY_NS
            if self._output.gone(now_ns):
                raise PortError(f"output port '{self._output.name}' is gone, or its server stopped")

    def look(self) -> None:
        """Report an input that went or came back. Raises PortError when the output went."""
        self.report_unheard()
        if not self._output.present():
            raise PortError(f"output port '{self._output.name}' is gone")
        if self._keyboard and self._keyboard.present() != self._plugged_in:
            if self._plugged_in:
                self._plugged_in = False
                self._hearing.forget()
                self._report(Record(Kind.DEAF))
            elif self._keyboard.reconnect():
                self._plugged_in = True
                self._report(Record(Kind.HEARING))
        if self._clock_input and self._clock_input.present() != self._clock_plugged_in:
            self._clock_plugged_in = not self._clock_plugged_in and self._clock_input.reconnect()

    def report_unheard(self) -> None:
        dropped = self._hearing.dropped
        if dropped > self._reported:
            self._report(Record(Kind.UNHEARD, epoch=dropped - self._reported))
            self._reported = dropped
