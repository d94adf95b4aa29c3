"""Builds, connects, watches and stops the processes; no music of its own.

It stands between the composers, one a part, and the player, so that each can end without the others
losing their pipes.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from queue import Empty
from typing import TYPE_CHECKING, Any

from realtime import priority, systemd
from realtime.band import Band
from realtime.child import STOP_WITHIN_S, Arrival, Arrivals, Child
from realtime.clock import NS_PER_S, RealClock
from realtime.desk import Desk
from realtime.mending import Mending
from realtime.orders import Orders
from realtime.outlet import Outlet
from realtime.pulse import Pulse
from realtime.report import Report, write_stats
from realtime.scheduler import MAX_NOTE_NS
from realtime.signals import signals_into
from realtime.song import Song
from realtime.tape import Tape
from realtime.wire import Kind, Record

if TYPE_CHECKING:
    from realtime.osc import Osc

LINE_EVERY_NS = NS_PER_S // 5  # and the recording is saved so often
BEAT_EVERY_NS = NS_PER_S
SPARES_AFTER_NS = NS_PER_S  # the first notes come first
PLAYER, LINK = "player", "link"  # no part is called so


class Daemon:
    """One performance: `start`, then `run`.

    Args:
        orders: what to do.
        start_ns: when the command was given; the time to the first note counts from here.
        show: is given a line for the terminal a few times a second.
        log: is given a line when something happens.
    """

    def __init__(
        self,
        orders: Orders,
        start_ns: int,
        show: Callable[[str], None] = lambda _: None,
        log: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._orders = orders
        self._show = show
        self._log = log
        self._clock = RealClock()
        self._inbox = Arrivals()
        self._song = Song()
        self._link: Child | None = None
        self._osc: Osc | None = None
        self.report = Report(start_ns)

    def start(self) -> None:
        """Make all processes ready; the music begins.

        Raises:
            ComposerError: a port, the model or the seed file is not to be had, or the recording
                cannot be written. Nothing runs then.
        """
        # What a human plays passes through here, while the composer computes.
        priority.take_short_turns()
        # All get up at once, before anybody is waited for.
        self._outlet = Outlet(self._orders.player_orders, Child("realtime.player"), self._inbox)
        parts = self._orders.parts
        if self._orders.record:
            parts = [part.replayable() for part in parts]
        self._band = Band(parts, self._inbox)
        try:
            self._outlet.begin()
            self._band.begin()
            if self._orders.link:
                self._link = Child("realtime.link")
                self._link.begin({}, self._inbox)
            self._connect()
            self._began_ns = self._clock.now_ns()
            self._band.strike_up(self._began_ns)
        except BaseException:
            self._band.close()
            self._outlet.close()
            if self._link:
                self._link.close()
            if self._osc:
                self._osc.close()
            raise

    def _connect(self) -> None:
        """What they say is to go where it belongs.

        Raises:
            ComposerError: the recording cannot be written, or nobody can listen for OSC there.
        """
        if self._orders.osc or self._orders.osc_to:
            # Not at the top: most do without.
            from realtime.osc import Osc

            self._osc = Osc(self._orders.osc, self._orders.osc_to, self._inbox.want)
        self._tape = Tape(
            self._orders.record,
            self._band.parts,
            human=bool(self.greeting["input"]),
            max_note_s=self._orders.player.get("max_note_s", MAX_NOTE_NS / NS_PER_S),
            log=self._log,
        )
        self._desk = Desk(
            self._orders,
            self._band,
            self._outlet,
            song=self._song,
            report=self.report,
            tape=self._tape,
            osc=self._osc,
            log=self._log,
        )
        self._mending = Mending(
            self._band,
            self._outlet,
            song=self._song,
            report=self.report,
            tape=self._tape,
            wait_for_port=self._orders.wait_for_port,
            log=self._log,
        )

    @property
    def greeting(self) -> dict[str, Any]:
        """The player's: what was opened, and what the system granted."""
        return self._outlet.greeting

    def run(self) -> None:
        """Play until the musician or the duration ends it; then nothing is left sounding.

        Raises:
            PortError: the output port was lost, and is not to be waited for.
            ComposerError: one of the processes died again and again.
        """
        now_ns = self._clock.now_ns()
        duration_s = self._orders.duration_s
        end_ns = None if duration_s is None else now_ns + round(duration_s * NS_PER_S)
        line_ns = beat_ns = now_ns
        self._pulse = Pulse(now_ns)
        systemd.notify("READY=1")
        with signals_into(self._inbox):
            try:
                while end_ns is None or now_ns < end_ns:
                    wake_ns = line_ns if end_ns is None else min(line_ns, end_ns)
                    with suppress(Empty):
                        arrival = self._inbox.get(max(0, wake_ns - now_ns) / NS_PER_S)
                        if arrival.wanted:
                            self._desk.turn(*arrival.wanted)
                        elif arrival.child is None:
                            break
                        else:
                            self._handle(arrival)
                    now_ns = self._clock.now_ns()
                    if now_ns >= line_ns:
                        line_ns = now_ns + LINE_EVERY_NS
                        line = self.report.line(now_ns, self.greeting["port"], self._heard_now())
                        if self._orders.follows:
                            line = f"{line}  {self._song.words()}"
                        self._show(line)
                        if now_ns >= beat_ns:
                            beat_ns = now_ns + BEAT_EVERY_NS
                            self._beat(now_ns, line)
                        self._tape.save(now_ns)
            finally:
                self._stop()

    def status(self) -> dict[str, Any]:
        """What `composerd --status` tells. Any thread may ask."""
        pids = {part.name: part.composer.process.pid for part in self._band.parts}
        if self._link:
            pids[LINK] = self._link.process.pid
        return {
            "uptime_s": round((self._clock.now_ns() - self._began_ns) / NS_PER_S, 1),
            "mode": ", ".join(dict.fromkeys(part.settings.mode for part in self._band.parts)),
            "waiting_for_port": self._outlet.lost,
            "clock": self._song.stats(self._clock.now_ns()),
            **self._stats(),
            "pids": {"daemon": os.getpid(), PLAYER: self._outlet.player.process.pid, **pids},
        }

    def _stats(self) -> dict[str, Any]:
        return {
            **self.report.stats(self.greeting),
            "parts": {part.name: part.stats() for part in self._band.parts},
        }

    def _heard_now(self) -> dict[str, list[int]]:
        """The pitches that sound, by part."""
        return {part.name: self._outlet.pitches(part.channel) for part in self._band.parts}

    def _beat(self, now_ns: int, line: str) -> None:
        """Feed the service manager's watchdog, while there is music or a reason for silence."""
        if now_ns >= self._began_ns + SPARES_AFTER_NS:
            self._outlet.stock()
            self._band.stock()
        self._band.forgive()
        children = {part.name: part.composer for part in self._band.parts if part.ready}
        if not self._outlet.lost:
            children[PLAYER] = self._outlet.player
        hung = self._pulse.hung(children)
        to_ask = self._pulse.to_ask(children, now_ns)
        for name, child in children.items():
            if name in hung:
                self._log(f"{name} hangs; starting another one")
                child.process.kill()
            elif name in to_ask:
                child.tell(Record(Kind.PING))
        waits = self._orders.follows and self._song.waits
        excused = self._outlet.lost or waits or all(part.listening for part in self._band.parts)
        slowest = min(part.settings.tempo_scale for part in self._band.parts)
        if self._pulse.beats(children, now_ns, excused=excused, tempo_scale=slowest):
            systemd.notify("WATCHDOG=1", f"STATUS={line}")

    def _handle(self, arrival: Arrival) -> None:
        child, record, greeting, _ = arrival
        part = self._band.whose(child)
        if child and child is self._link:
            self._linked(record)
            return
        if child is None or (part is None and child is not self._outlet.player):
            return  # one that has been replaced
        name = part.name if part else PLAYER
        if greeting is not None:
            if part:
                part.ready = True
                self._tape.began(part, greeting)
            else:
                self._mending.port_found(greeting)
            self._pulse.began(name, self._clock.now_ns())
        elif record is None:
            if part:
                self._mending.composer_died(part)
            else:
                self._mending.player_died()
            self._pulse.began(name, self._clock.now_ns())
        else:
            self._pulse.heard(name, record.kind, self._clock.now_ns())
            if part:
                self._desk.composed(part, record)
            elif record.kind is Kind.LOST:
                self._mending.port_lost()
            else:
                self._desk.played(record)

    def _linked(self, record: Record | None) -> None:
        """The Link process says so, or has died."""
        if record:
            self._desk.followed(record)
        elif self._link:
            self._log("the Link session is lost; the music goes on at its last tempo")
            self._link.close()
            self._link = None

    def _stop(self) -> None:
        """The player releases all; what a composer may still say comes to nobody's ears."""
        systemd.notify("STOPPING=1")
        end_ns = self._clock.now_ns()
        self._outlet.stop()
        self._drain()
        # Only now: processes that end make the machine busy, and the last releases late.
        if self._link:
            self._link.hang_up()
        self._band.hang_up()
        self._outlet.close()
        self._band.close()
        if self._link:
            self._link.close()
        if self._osc:
            self._osc.close()
        self._tape.close(end_ns)
        if self._orders.stats:
            write_stats(self._orders.stats, self._stats())

    def _drain(self) -> None:
        """Hear the player out: it tells of its last releases, then ends."""
        end_ns = self._clock.now_ns() + round(STOP_WITHIN_S * NS_PER_S)
        while (left_ns := end_ns - self._clock.now_ns()) > 0:
            with suppress(Empty):
                child, record, *_ = self._inbox.get(left_ns / NS_PER_S)
                if child is self._outlet.player and record is None:
                    return
                if record is not None and record.kind in (Kind.SENT, Kind.UNHEARD):
                    self._desk.played(record)
