"""Who plays when. Owns the one stream that the model hears, its own notes and the human's.

No clock, no process and no port of its own: moments come in, records go out. While the human
plays the machine listens; when the human has been silent for a while, it goes on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from core.codec import Codec, Token
from core.events import Event
from realtime.clock import NS_PER_MS, NS_PER_S
from realtime.engine import Engine, Snapshot
from realtime.form import Form
from realtime.grid import Grid
from realtime.pacing import Pacing
from realtime.sampler import sample
from realtime.settings import Settings, within
from realtime.wire import (
    ALL_NOTES_OFF,
    SUSTAIN_PEDAL,
    Kind,
    Record,
    hush,
    is_note,
    is_onset,
    note_off,
    note_on,
)

HORIZON_NS = 30 * NS_PER_MS  # how far ahead the machine writes: what a busy computer may cost
PATIENCE_NS = 1 * NS_PER_S  # how long the human is silent before the machine goes on
STUCK_NS = 60 * NS_PER_S  # a key held for so long without another is not held by a human
LONGEST_NS = 20 * NS_PER_S  # a network forgets: no note of the machine sounds longer
FADE_NS = 200 * NS_PER_MS  # how long the last notes of a piece sound
BREATH_NS = 2 * NS_PER_S  # between two pieces
BEHIND_NS = 50 * NS_PER_MS  # later than this, the music goes on from now instead of catching up
JUST_NOW_NS = 20 * NS_PER_MS  # a line of the grid so long ago is not missed yet

_ALL_SOUND_OFF = 120


class _Moment(NamedTuple):
    """The stream right after one of its events, to come back to."""

    at_ns: int
    state: Snapshot
    struck_ns: dict[int, int]  # of each sounding note, in the order in which they were struck
    age: int  # events since the piece began


class _Choice(NamedTuple):
    """The next event: so long after the last one, or at a moment."""

    token: Token
    delta_s: float | None = None
    due_ns: int = 0


class Performer:
    """Writes what the model plays, a little ahead of time, and listens to the human.

    Args:
        engine: as it stands; what it has heard so far went before, and nothing of it sounds.
        codec: of the engine's checkpoint.
        settings: how daring.
        rng: every choice comes from it.
        start_ns: when the stream begins; the first delta counts from here.
        channel: 0..15, of all messages.
        program: 0..127, asked for at the start.
        tempo_scale: 0.1..10; 2 plays twice as fast, and hears the human so much slower.
        velocity_scale: 0.1..4, of what is played; the model hears its own velocities.
        horizon_ns: how far ahead of now to write.
        patience_ns: how long the human, holding no key, is silent before the machine goes on.
        epoch: of the first records; above all that the player has seen.
        paused: begin when `resume` says so.

    Raises:
        SettingsError: a scale is out of its range.
    """

    def __init__(
        self,
        engine: Engine,
        codec: Codec,
        settings: Settings,
        rng: np.random.Generator,
        start_ns: int,
        *,
        channel: int = 0,
        program: int | None = None,
        tempo_scale: float = 1.0,
        velocity_scale: float = 1.0,
        horizon_ns: int = HORIZON_NS,
        patience_ns: int = PATIENCE_NS,
        epoch: int = 0,
        paused: bool = False,
    ) -> None:
        within("tempo scale", tempo_scale, 0.1, 10)
        within("velocity scale", velocity_scale, 0.1, 4)
        self._engine = engine
        self._codec = codec
        self.pacing = Pacing(tempo_scale)  # its beats may change at any time
        self.settings = settings
        self._rng = rng
        self._channel = channel
        self._program = program
        self._velocity_scale = velocity_scale
        self._horizon_ns = horizon_ns
        self._patience_ns = patience_ns
        self._epoch = epoch
        # After the last event that has sounded, and after each one written ahead since.
        self._moments = deque([_Moment(start_ns, engine.snapshot(), {}, 0)])
        self._next: _Choice | None = None  # beyond the horizon
        self._form = Form(rng)
        # What sounds is released: then comes the first part again, or another piece.
        self._ending = False
        self._listening = False
        self._paused = {"port"} if paused else set()  # why
        self._keys: set[int] = set()  # notes whose key the human holds
        self._pedal = False
        self._held: set[int] = set()  # notes that the human lets sound, by key or pedal

    @property
    def settings(self) -> Settings:
        """May change between events."""
        return self._settings

    @settings.setter
    def settings(self, settings: Settings) -> None:
        self._settings = settings
        self.pacing.grid = Grid.of(settings)

    @property
    def wake_ns(self) -> int | None:
        """When `plan` has something to do; None while the music is paused."""
        if self._paused:
            return None
        if self._held:
            return self._moments[-1].at_ns + STUCK_NS
        due_ns = self._played_ns(self._next) if self._next else self._moments[-1].at_ns
        if self._listening:
            due_ns += self._patience_ns
        return due_ns - self._horizon_ns

    def plan(self, now_ns: int) -> Iterator[Record]:
        """Write events until the next one is due beyond the horizon.

        One by one, so that the caller may stop in between to listen.
        """
        if self._program is not None:
            message = bytes((0xC0 | self._channel, self._program))
            self._program = None
            yield Record(Kind.PLAY, message, due_ns=self._moments[0].at_ns, epoch=self._epoch)
        if self._held and (wake_ns := self.wake_ns) is not None and wake_ns <= now_ns:
            self.human_gone(now_ns)
        while len(self._moments) > 1 and self._moments[1].at_ns <= now_ns:
            self._moments.popleft()
        while (wake_ns := self.wake_ns) is not None and wake_ns <= now_ns:
            if self._next is None:
                self._next = self._choose()
                continue
            due_ns, token = self._place(self._next, now_ns)
            self._next = None
            self._hear(due_ns, token)
            yield Record(Kind.PLAY, self._message(token), due_ns=due_ns, epoch=self._epoch)

    def _due_ns(self, choice: _Choice) -> int:
        """When it would be due without a grid."""
        if choice.delta_s is None:
            return choice.due_ns
        return self.pacing.later_ns(self._moments[-1].at_ns, choice.delta_s)

    def _played_ns(self, choice: _Choice) -> int:
        last = self._moments[-1]
        struck_ns = None if choice.token.velocity else last.struck_ns.get(choice.token.note)
        return self.pacing.played_ns(self._due_ns(choice), last.at_ns, struck_ns)

    def _place(self, choice: _Choice, now_ns: int) -> tuple[int, Token]:
        """When it is played at last, and what the model hears of it."""
        token, due_ns, played_ns = choice.token, self._due_ns(choice), self._played_ns(choice)
        if now_ns - played_ns > BEHIND_NS:
            due_ns = now_ns
            played_ns = self.pacing.played_ns(due_ns, now_ns - JUST_NOW_NS)
        if self.pacing.pulls:
            token = self._token(played_ns, token.note, token.velocity)
        self.pacing.place(due_ns, played_ns)
        return played_ns, token

    def heard(self, at_ns: int, message: bytes) -> list[Record]:
        """The human did this at `at_ns`. From their first note on the machine is silent."""
        kind, data = message[0] & 0xF0, message[1:]
        if is_note(message) and self._codec.holds(message[1]):
            note = message[1] - self._codec.lowest_pitch
            if is_onset(message):
                return self._human_strikes(at_ns, note, message[2])
            self._keys.discard(note)
        elif kind == 0xB0 and data[0] == SUSTAIN_PEDAL:
            self._pedal = data[1] >= 64
        elif kind == 0xB0 and data[0] in (_ALL_SOUND_OFF, ALL_NOTES_OFF):
            self.human_gone(at_ns)
        self._human_releases(at_ns)
        return []

    def human_gone(self, at_ns: int) -> None:
        """The keyboard was unplugged: nobody is left to release its keys."""
        self._keys.clear()
        self._pedal = False
        self._human_releases(at_ns)

    def pause(self, at_ns: int, why: str = "port") -> list[Record]:
        """Write no more until `resume`; what was written for later than `at_ns` has never been."""
        paused, self._paused = self._paused, self._paused | {why}
        if paused or self._listening:
            return []
        records = [self._hush(at_ns)]
        self._listening = False  # nobody else plays
        return records

    def resume(self, why: str = "port") -> None:
        """Go on from where the music stood, unless it is paused for another reason too."""
        self._paused.discard(why)

    def _human_strikes(self, at_ns: int, note: int, velocity: int) -> list[Record]:
        records = []
        if not self._listening:
            records = [self._hush(at_ns)]
        if note in self._held:  # again, under the pedal or without a release
            self._human(at_ns, note, 0)
        self._human(at_ns, note, velocity)
        self._keys.add(note)
        self._held.add(note)
        return records

    def _human_releases(self, at_ns: int) -> None:
        """What neither key nor pedal holds any longer."""
        if not self._pedal:
            for note in sorted(self._held - self._keys):
                self._human(at_ns, note, 0)
            self._held &= self._keys

    def _hush(self, at_ns: int) -> Record:
        """The machine falls silent: what it wrote for later than `at_ns` has never been."""
        self._listening = True
        self._ending = False
        self._form.leave()
        self._next = None
        self._epoch += 1
        while len(self._moments) > 1 and self._moments[-1].at_ns > at_ns:
            self._moments.pop()
        now = self._moments[-1]
        self._engine.restore(now.state)
        for note in now.struck_ns:
            self._human(at_ns, note, 0)
        return hush(self._channel, self._epoch)

    def _human(self, at_ns: int, note: int, velocity: int) -> None:
        """Something happens now, or at the last event if that was heard of too late."""
        at_ns = max(at_ns, self._moments[-1].at_ns)
        self._hear(at_ns, self._token(at_ns, note, velocity))
        # What the human did cannot be undone.
        self._moments = deque([self._moments[-1]])

    def _hear(self, at_ns: int, token: Token) -> None:
        """Add one event to the stream."""
        self._engine.step(token)
        struck_ns, age = self._moments[-1].struck_ns.copy(), self._moments[-1].age + 1
        if self._ending and not struck_ns:
            self._ending = False
            age = age if self._form.repeating else 1
        if token.velocity:
            struck_ns[token.note] = at_ns
        else:
            del struck_ns[token.note]
        self._moments.append(_Moment(at_ns, self._engine.snapshot(), struck_ns, age))

    def _token(self, at_ns: int, note: int, velocity: int) -> Token:
        """An event at a time that is not the model's choice."""
        delta_s = self.pacing.seconds(self._moments[-1].at_ns, at_ns)
        return self._codec.encode(Event(delta_s, note + self._codec.lowest_pitch, velocity))

    def _choose(self) -> _Choice:
        """The machine's next event."""
        now_ns, _, struck_ns, age = self._moments[-1]
        # A state carried further than in any training drifts, until notes are struck and hardly
        # one released. So the stream is one of pieces, as what the model learned from was.
        form, sounding = self._form, len(struck_ns)
        if form.piece_ends(age, sounding) and not self._listening:
            form.leave()
            self._ending = True
        elif form.part_ends(sounding):
            self._ending = True
        if self._ending:
            return self._end()
        again = form.repeat()
        if again is not None:
            return self._after(again)
        due_ns = time_bin = None
        if self._listening:
            # The human is done: the answer comes now, and the model knows how long it took.
            self._listening = False
            due_ns = now_ns + self._patience_ns
            time_bin = self._token(due_ns, 0, 0).time_bin
        token = sample(
            self._engine,
            self._codec,
            self.settings,
            self._rng,
            sounding=struck_ns.keys(),
            struck_now={note for note, at_ns in struck_ns.items() if at_ns == now_ns},
            held=self._held,
            time_bin=time_bin,
        )
        choice = self._after(token) if due_ns is None else _Choice(token, due_ns=due_ns)
        oldest = next(iter(struck_ns), None)
        if oldest is not None and struck_ns[oldest] + LONGEST_NS < self._due_ns(choice):
            choice = self._release_at(max(struck_ns[oldest] + LONGEST_NS, now_ns), oldest)
        form.keep(choice.token)
        return choice

    def _after(self, token: Token) -> _Choice:
        """When the model wants it."""
        return _Choice(token, delta_s=self._codec.values_s[token.time_bin])

    def _release_at(self, due_ns: int, note: int) -> _Choice:
        return _Choice(self._token(due_ns, note, 0), due_ns=due_ns)

    def _end(self) -> _Choice:
        """Release what sounds, all of it together; then comes what the form says."""
        now_ns, _, struck_ns, _ = self._moments[-1]
        if struck_ns:
            oldest, newest_ns = next(iter(struck_ns)), max(struck_ns.values())
            due_ns = min(newest_ns + FADE_NS, struck_ns[oldest] + LONGEST_NS)
            return self._release_at(max(due_ns, now_ns), oldest)
        if self._form.part_ends(0):
            return self._after(self._form.play_again())
        self._form.begin()
        self._engine.reset()
        token = sample(self._engine, self._codec, self.settings, self._rng, held=self._held)
        self._form.keep(token)
        return _Choice(token, due_ns=now_ns + BREATH_NS)

    def _message(self, token: Token) -> bytes:
        pitch = token.note + self._codec.lowest_pitch
        if not token.velocity:
            return note_off(self._channel, pitch)
        velocity = min(max(round(token.velocity * self._velocity_scale), 1), 127)
        return note_on(self._channel, pitch, velocity)
