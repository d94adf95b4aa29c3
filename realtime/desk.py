"""The mixing desk: who hears what, and who turns which knob.

What is played and what is wished for come in here, and go on to all whom they concern.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from core.errors import SettingsError
from realtime.allowance import Allowance
from realtime.band import Band
from realtime.child import Answer
from realtime.clock import RealClock
from realtime.control import Wish, of_controller, of_preset
from realtime.modes import nobody_to_answer
from realtime.orders import Orders
from realtime.outlet import Outlet
from realtime.part import Part
from realtime.report import Report
from realtime.song import Song
from realtime.tape import Tape
from realtime.thru import Thru
from realtime.wire import Kind, Record

if TYPE_CHECKING:
    from realtime.osc import Osc

WORDS_AT_ONCE, WORDS_PER_SECOND = 20, 5  # on what a knob cannot do; one may turn for long


class Desk:
    """Told of all that the composers, the player and the clock say.

    Args:
        orders: what the keyboard turns, and which of it is heard.
        band: plays, and hears.
        outlet: takes what is to sound.
        song: goes as the clock says.
        report: counts.
        tape: runs along.
        osc: tells other programs what is played; None: nobody listens.
        log: is given a line for the musician.
    """

    def __init__(
        self,
        orders: Orders,
        band: Band,
        outlet: Outlet,
        *,
        song: Song,
        report: Report,
        tape: Tape,
        osc: Osc | None,
        log: Callable[[str], None],
    ) -> None:
        self._orders = orders
        self._band = band
        self._outlet = outlet
        self._song = song
        self._report = report
        self._tape = tape
        self._osc = osc
        self._log = log
        taken = {part.composer["channel"] for part in orders.parts}
        self._thru = Thru(taken) if orders.thru else None
        self._words = Allowance(WORDS_AT_ONCE, WORDS_PER_SECOND)
        self._clock = RealClock()

    def composed(self, part: Part, record: Record) -> None:
        """The part's composer says so."""
        part.wrote(record)
        self._tape.composed(part, record)
        if record.kind is Kind.WORD:
            if (word := part.said(record)) is not None:
                word = word if len(self._band.parts) == 1 else f"{part.name}: {word}"
                self._log(word)
                part.answer(word)
            return
        if record.kind in (Kind.PLAY, Kind.HUSH, Kind.REVISE, Kind.PONG):
            self._outlet.tell(record)

    def played(self, record: Record) -> None:
        """The player says so."""
        if record.kind is Kind.SENT:
            self._sent(record)
        elif record.kind is Kind.DROPPED:
            self._report.dropped += 1
        elif record.kind is Kind.HEARD:
            self._heard(record)
        elif record.kind is Kind.UNHEARD:
            self._report.unheard += record.epoch
        elif record.kind is Kind.HEARING:
            self._log(f"input {self._outlet.greeting['input']} is back")
        elif record.kind is Kind.DEAF:
            self._log(f"input {self._outlet.greeting['input']} is gone; the music goes on")
            self._band.tell(record)
            if self._thru:
                for passed in self._thru.endings(self._clock.now_ns()):
                    self._outlet.tell(passed)
        elif record.kind is Kind.CLOCK:
            self.followed(record)

    def followed(self, record: Record) -> None:
        """A clock, or a Link session, says where the song is."""
        self._song.heard(record)
        self._band.tell(record)
        self._tape.followed(self._song)

    def turn(self, name: str | None, wish: Wish, answer: Answer = lambda _: None) -> None:
        """What this part, or all of them, are to do from now on."""
        try:
            words = self._turned(name, wish, answer)
        except SettingsError as error:
            words = [str(error)]
        for word in dict.fromkeys(words):  # several parts say the same
            answer(word)
            if self._words.pays(1, self._clock.now_ns()):
                self._log(word)

    def _turned(self, name: str | None, wish: Wish, answer: Answer) -> list[str]:
        """Words on what could not be. Raises SettingsError: there is no such part or preset."""
        parts = self._band.called(name)
        if "preset" in wish:
            wish = {**wish, **of_preset(self._orders.presets, wish["preset"])}
        words = [word for part in parts for word in part.turn(wish, answer)]
        if "mode" in wish and not self._orders.player.get("input"):
            words += map(nobody_to_answer, self._band.in_vain())
        return words

    def _sent(self, record: Record) -> None:
        """A message has left."""
        self._outlet.sent(record)
        sender = self._band.sounded(record)
        if not sender:
            return  # the human's
        self._report.sent(record.message, record.due_ns, record.at_ns)
        if self._osc:
            self._osc.played(record.message, sender.name)

    def _heard(self, record: Record) -> None:
        """The human plays, or turns a knob."""
        kind, number = record.message[0] & 0xF0, record.message[1]
        if kind == 0xB0 and number in self._orders.controls:
            self.turn(*of_controller(self._orders.controls, record.message))
            return
        if kind == 0xC0:
            self.turn(None, {"preset": number + 1})
            return
        only = self._orders.input_channel
        if only is not None and record.message[0] & 0x0F != only:
            return
        if self._thru:
            self._outlet.tell(self._thru.passed(record))
        self._report.unheard += self._band.heard(record)
        self._tape.heard(record)
        if self._osc:
            self._osc.played(record.message, None)
