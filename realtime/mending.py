"""What died has a successor, and the music goes on from what sounded; so it does after a lost port.

A process that dies again and again is no accident: then the performance ends, or the part does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from core.errors import ComposerError, PortError
from realtime.band import Band
from realtime.clock import RealClock
from realtime.outlet import Outlet
from realtime.part import Part
from realtime.pulse import TOO_OFTEN
from realtime.report import Report
from realtime.song import Song
from realtime.tape import Tape
from realtime.wire import Kind, Record, hush


class Mending:
    """Told of each death, and of the output port.

    Args:
        band: whose composers may die.
        outlet: whose player, or port.
        song: the successors are to know.
        report: counts.
        tape: knows of it.
        wait_for_port: when it is lost; else that is the end.
        log: is given a line for the musician.
    """

    def __init__(
        self,
        band: Band,
        outlet: Outlet,
        *,
        song: Song,
        report: Report,
        tape: Tape,
        wait_for_port: bool,
        log: Callable[[str], None],
    ) -> None:
        self._band = band
        self._outlet = outlet
        self._song = song
        self._report = report
        self._tape = tape
        self._wait_for_port = wait_for_port
        self._log = log
        self._clock = RealClock()

    def composer_died(self, part: Part) -> None:
        """Start another one, that goes on from what sounded.

        Raises:
            ComposerError: it has died too often, and there is no other part.
        """
        part.composer.close()
        now_ns = self._clock.now_ns()
        self._tape.died(part, now_ns)
        if part.deaths.one_too_many(now_ns):
            self._give_up(part)
            return
        self._report.restarts += 1
        self._outlet.tell(hush(part.channel, part.epoch + 1))
        self._band.succeed(part, self._song)
        if self._outlet.lost:
            part.composer.tell(Record(Kind.PAUSE, at_ns=now_ns))

    def _give_up(self, part: Part) -> None:
        """The others play on, when there are others."""
        if self._band.parts == [part]:
            raise ComposerError(f"{part.name} {TOO_OFTEN}")
        self._log(f"{part.name} {TOO_OFTEN}; the other parts play on")
        self._band.leave(part)
        self._outlet.tell(hush(part.channel, part.epoch + 1))

    def player_died(self) -> None:
        """Start another one, that releases first what sounds.

        Raises:
            ComposerError: it has died too often.
            PortError: it cannot get up without its port, which is not to be waited for.
        """
        if not self._outlet.lost:
            if self._outlet.deaths.one_too_many(self._clock.now_ns()):
                raise ComposerError(f"player {TOO_OFTEN}")
            self._report.restarts += 1
        try:
            self._outlet.succeed(self._song.last_tick())
        except ComposerError:  # what killed the first keeps the second from getting up
            self.port_lost()

    def port_lost(self) -> None:
        """The music waits for it, and knows where it stood.

        Raises:
            PortError: it is not to be waited for.
        """
        port = self._outlet.greeting["port"]
        if not self._wait_for_port:
            raise PortError(f"port {port} is gone; composerd --list-ports tells what is there")
        self._log(f"port {port} is gone; waiting until it is back")
        self._band.tell(Record(Kind.PAUSE, at_ns=self._clock.now_ns()))
        self._outlet.lose(self._song.last_tick())

    def port_found(self, greeting: dict[str, Any]) -> None:
        """The player has released there what sounded, and the music goes on."""
        self._log(f"port {greeting['port']} is back")
        self._outlet.found(greeting)
        # The new player counts epochs from 0, and has not been told of the last one.
        for part in self._band.parts:
            self._outlet.tell(hush(part.channel, part.epoch))
        self._band.tell(Record(Kind.RESUME))
