"""A voice: its composer process, and what another one has to know to take its place."""

from __future__ import annotations

import secrets
from collections import deque
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from realtime.child import Answer, Arrivals, Child
from realtime.control import ACTIONS, Wish, changed
from realtime.pulse import Deaths
from realtime.settings import Settings
from realtime.wire import Kind, Pieces, Record, is_note, is_onset, pieces

PAST_EVENTS = 512  # what a composer that is started again hears of the music so far


@dataclass(frozen=True, slots=True, kw_only=True)
class PartOrders:
    """What the musician wants of a part."""

    composer: dict[str, Any]  # see realtime.composer
    name: str = "composer"
    hears: frozenset[str] = frozenset()  # names of other parts

    def replayable(self) -> PartOrders:
        """The composer tells what it does, and what is left to chance is chosen now."""
        rng = self.composer["rng"]
        chosen = {"rng": secrets.randbits(32) if rng is None else rng, "take": True}
        return replace(self, composer=self.composer | chosen)


class Part:
    """Begins when its composer does.

    Args:
        orders: what to play.
        composer: a process without orders.
    """

    def __init__(self, orders: PartOrders, composer: Child) -> None:
        self._orders = orders
        self.settings = Settings(**orders.composer["settings"])
        self._told = self.settings  # as the composer knows them
        self.model = ""  # a file
        self._swapped = False  # the model, for another one
        self.answer: Answer = lambda _: None  # who asked for it is told what came of that
        self._words = Pieces()
        self._calls = Pieces()
        self.composer = composer
        self.ordered: dict[str, Any] = {}  # as the composer knows it
        self.greeting: dict[str, Any] = {}  # the composer's
        self.ready = False  # the composer, to play
        self.deaths = Deaths()
        self.epoch = 0  # the composer's latest
        self.listening = False  # the composer, to the human: it is silent for a reason
        self.onsets = 0  # that have left
        self._missed = False  # the composer, something that the human did
        self._past: deque[tuple[int, bytes]] = deque(maxlen=PAST_EVENTS)  # what sounded, and when

    @property
    def name(self) -> str:
        return self._orders.name

    @property
    def channel(self) -> int:
        """0..15, its own."""
        channel: int = self._orders.composer["channel"]
        return channel

    def hears(self, other: Part) -> bool:
        return other.name in self._orders.hears

    def order(self, *, together: bool) -> None:
        """The composer gets its orders; `together`, it plays when a RESUME says so."""
        self.ordered = self._composer_orders() | {"together": together}
        self.composer.order(self.ordered)

    def begin(self, inbox: Arrivals) -> None:
        """Wait until the composer is ready.

        Raises:
            ComposerError: it cannot play, in its own words.
        """
        self.greeting = self.composer.ready(inbox)
        self.model = self.greeting["model"]
        self.ready = True

    def succeed(self, composer: Child, inbox: Arrivals, bpm: float | None = None) -> None:
        """Another composer goes on from what sounded, in an epoch of its own; its greeting comes.

        Nobody waits for it: the other parts play. `bpm` is the song's, if one is followed.
        """
        self.epoch += 1
        past = [(at_ns, message.hex()) for at_ns, message in self._past]
        self.composer = composer
        self.ready = False
        heritage = {"epoch": self.epoch, "past": past, "bpm": bpm}
        self.ordered = self._composer_orders() | heritage
        composer.begin_later(self.ordered, inbox)

    def _composer_orders(self) -> dict[str, Any]:
        self._told = self.settings
        model = {"model": self.model} if self._swapped else {}
        return self._orders.composer | model | {"settings": asdict(self.settings)}

    def turn(self, wish: Wish, answer: Answer = lambda _: None) -> tuple[str, ...]:
        """The musician wishes so; a word on each thing that could not be.

        What comes of another model takes a while: `answer` is to be told then.
        """
        actions: dict[str, object] = {}
        if "surprise" in wish:
            actions["surprise"] = True
        if "model" in wish:  # None: the same file, which may have changed
            model = self.model if wish["model"] is None else str(wish["model"])
            actions["model"] = str(Path(model).absolute())  # a take is played anywhere
            self.answer = answer
        knobs = {name: value for name, value in wish.items() if name not in ACTIONS}
        self.settings, words = changed(self.settings, knobs)
        self._tell_settings()
        if actions and not all(map(self.composer.send, pieces(Kind.ORDER, actions))):
            words += (f"{self.name} is too busy for {', '.join(actions)}",)
        return words

    def _tell_settings(self) -> None:
        """What the composer does not know yet; when its pipe has no room, at the next beat."""
        if self._told == self.settings:
            return
        told, wanted = asdict(self._told), asdict(self.settings)
        news = {name: value for name, value in wanted.items() if told[name] != value}
        if all(map(self.composer.send, pieces(Kind.ORDER, {"settings": news}))):
            self._told = self.settings

    def wrote(self, record: Record) -> None:
        """The composer says so."""
        if record.kind is Kind.PLAY:
            self.listening = False
        elif record.kind is Kind.HUSH:
            self.listening = True
            self.epoch = record.epoch
        elif record.kind is Kind.REVISE:
            self.epoch = record.epoch

    def did(self, record: Record) -> dict[str, Any] | None:
        """The composer's TOOK, or a piece of it: what it did, when it is whole."""
        return self._calls.join(record)

    def said(self, record: Record) -> str | None:
        """The composer's WORD, or a piece of it: what the musician is to know, when it is whole."""
        said = self._words.join(record)
        if said is None:
            return None
        if "model" in said:
            self.model, self._swapped = said["model"], True
        word: str = said["say"]
        return word

    def sounded(self, record: Record) -> None:
        """A message of its own has left: a successor hears it."""
        self.onsets += is_onset(record.message)
        self._past.append((record.at_ns, record.message))

    def overheard(self, record: Record) -> None:
        """A message of another part has left."""
        if is_note(record.message):
            self.heard(Record(Kind.HEARD, record.message, at_ns=record.at_ns))

    def heard(self, record: Record) -> bool:
        """Somebody played this; True when it was an onset that the composer cannot hear.

        A composer that is slower than the human misses some; then all keys count as released.
        """
        self._past.append((record.at_ns, record.message))
        self.forgive()
        if self._missed or not self.composer.send(record):
            self._missed = True
        return self._missed and is_onset(record.message)

    def forgive(self) -> None:
        """A composer that missed something hears again, as soon as it has room."""
        if self._missed:
            self._missed = not self.composer.send(Record(Kind.DEAF))
        self._tell_settings()

    def stats(self) -> dict[str, Any]:
        """For a program, or a musician: channels count from 1."""
        usual = asdict(Settings())
        turned = {k: value for k, value in asdict(self.settings).items() if value != usual[k]}
        return {
            "channel": self.channel + 1,
            "model": self.model,
            "onsets": self.onsets,
            "settings": turned,
        }
