"""Who plays when: the machine's own events, ahead of time, and what it makes of the human's.

No clock, no process and no port of its own: moments come in, records go out. The rules are those
of the mode (`realtime.modes`), the stream that both play is `realtime.stream`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from core.codec import Codec, Token
from realtime.clock import NS_PER_MS, NS_PER_S
from realtime.engine import Engine
from realtime.form import Form
from realtime.grid import Grid
from realtime.modes import MODES
from realtime.pacing import Pacing
from realtime.sampler import sample
from realtime.settings import CHOOSING, KNOBS, Settings
from realtime.stream import Stream
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
    revise,
)

HORIZON_NS = 30 * NS_PER_MS  # how far ahead the machine writes: what a busy computer may cost
# The player hears of a new plan so late, at most. What is due before stands: it has sounded.
REACH_NS = 2 * NS_PER_MS
STUCK_NS = 60 * NS_PER_S  # a key held for so long without another is not held by a human
LONGEST_NS = 20 * NS_PER_S  # a network forgets: no note of the machine sounds longer
FADE_NS = 200 * NS_PER_MS  # how long the last notes of a piece sound
BREATH_NS = 2 * NS_PER_S  # between two pieces
BEHIND_NS = 50 * NS_PER_MS  # later than this, the music goes on from now instead of catching up
JUST_NOW_NS = 20 * NS_PER_MS  # a line of the grid so long ago is not missed yet
SHORTEST_ANSWER_NS = NS_PER_S  # else about as long as the phrase was
LATELY_NS = 4 * NS_PER_S  # how far back one looks to see how much the human plays
FEWEST = 0.2  # notes a second, however small the share

_ALL_SOUND_OFF = 120


class _Choice(NamedTuple):
    """The next event: so long after the last one, or at a moment."""

    token: Token
    delta_s: float | None = None
    due_ns: int = 0
    begins: bool = False  # a piece


class Performer:
    """Writes what the model plays, a little ahead of time, and listens to the human.

    Args:
        engine: as it stands; what it has heard so far went before, and nothing of it sounds.
        codec: of the engine's checkpoint.
        settings: how it plays.
        rng: every choice comes from it.
        start_ns: when the stream begins; the first delta counts from here.
        channel: 0..15, of all messages.
        program: 0..127, asked for at the start.
        horizon_ns: how far ahead of now to write.
        epoch: of the first records; above all that the player has seen.
        paused: from the start, until `resume`.
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
        horizon_ns: int = HORIZON_NS,
        epoch: int = 0,
        paused: bool = False,
    ) -> None:
        self._engine = engine
        self._codec = codec
        self.pacing = Pacing()  # its beats may change at any time
        self._stream = Stream(engine, codec, self.pacing, start_ns)
        self._rng = rng
        self._channel = channel
        self._horizon_ns = horizon_ns
        self._epoch = epoch
        self._to_say: list[Record] = []  # with the next plan
        if program is not None:
            message = bytes((0xC0 | channel, program))
            self._to_say.append(Record(Kind.PLAY, message, due_ns=start_ns, epoch=epoch))
        self._next: _Choice | None = None  # beyond the horizon
        self._form = Form(rng)
        # What sounds is released: then comes the first part again, another piece, or silence.
        self._ending = False
        self._paused = {"port"} if paused else set()  # why
        self._keys: set[int] = set()  # notes whose key the human holds
        self._pedal = False
        self._held: set[int] = set()  # notes that the human lets sound, by key or pedal
        self._human_ns = start_ns  # when they last did something
        self._strikes_ns: deque[int] = deque(maxlen=256)  # the human's, of late
        # In a mode that yields: silent, until there is a phrase and the human is done with it.
        self._silent = False
        self._phrase_ns: int | None = None  # when the phrase began that is to be answered
        self._until_ns: int | None = None  # how long to answer
        self._settings = settings
        self._obey(settings)
        if MODES[settings.mode].yields:
            self._fall_silent()

    @property
    def settings(self) -> Settings:
        """May change between events."""
        return self._settings

    @settings.setter
    def settings(self, settings: Settings) -> None:
        yielded = MODES[self._settings.mode].yields
        if any(getattr(settings, name) != getattr(self._settings, name) for name in CHOOSING):
            self._form.leave()  # what was chosen before does not come again
        self._settings = settings
        self._obey(settings)
        if MODES[settings.mode].yields and not yielded:
            self._next = None
            self._until_ns = self._stream.last.at_ns  # it is the human's turn
        elif yielded and not MODES[settings.mode].yields:
            self._silent, self._phrase_ns, self._until_ns = False, None, None
            self._ending = False

    def _obey(self, settings: Settings) -> None:
        self.pacing.tempo_scale = settings.tempo_scale
        self.pacing.grid = Grid.of(settings)

    @property
    def wake_ns(self) -> int | None:
        """When `plan` has something to do; None until something happens."""
        if self._paused:
            return None
        if self._to_say:
            return self._stream.last.at_ns - self._horizon_ns
        stuck_ns = self._human_ns + STUCK_NS if self._held else None
        if self._silent and (self._held or self._phrase_ns is None):
            return stuck_ns
        if len(self._held) == self._codec.notes:
            return stuck_ns  # nothing is left to play
        due_ns = self._played_ns(self._next) if self._next else self._stream.last.at_ns
        if self._silent:
            due_ns += self._patience_ns
        wake_ns = due_ns - self._horizon_ns
        return wake_ns if stuck_ns is None else min(wake_ns, stuck_ns)

    def plan(self, now_ns: int) -> Iterator[Record]:
        """Write events until the next one is due beyond the horizon.

        One by one, so that the caller may stop in between to listen.
        """
        if self._held and not self._paused and now_ns >= self._human_ns + STUCK_NS:
            yield from self.human_gone(now_ns, now_ns)
        self._stream.sounded(now_ns)
        while (wake_ns := self.wake_ns) is not None and wake_ns <= now_ns:
            if self._to_say:
                yield self._to_say.pop(0)
            elif self._next is None:
                self._next = self._choose()
            else:
                choice = self._next
                due_ns, token = self._place(choice, now_ns)
                self._next = None
                self._stream.hear(due_ns, token, begins=choice.begins)
                yield self._play(token, due_ns)

    def heard(self, at_ns: int, message: bytes, now_ns: int) -> list[Record]:
        """The human did this at `at_ns`, and we hear of it now."""
        kind, data = message[0] & 0xF0, message[1:]
        if is_note(message) and self._codec.holds(message[1]):
            note = message[1] - self._codec.lowest_pitch
            if is_onset(message):
                return self._human_strikes(at_ns, note, message[2], now_ns)
            self._keys.discard(note)
        elif kind == 0xB0 and data[0] == SUSTAIN_PEDAL:
            self._pedal = data[1] >= 64
        elif kind == 0xB0 and data[0] in (_ALL_SOUND_OFF, ALL_NOTES_OFF):
            return self.human_gone(at_ns, now_ns)
        return self._human_releases(at_ns, now_ns)

    def human_gone(self, at_ns: int, now_ns: int) -> list[Record]:
        """The keyboard was unplugged: nobody is left to release its keys."""
        self._keys.clear()
        self._pedal = False
        return self._human_releases(at_ns, now_ns)

    @property
    def stream(self) -> Stream:
        """To be read by who brings another model."""
        return self._stream

    def adopt(self, engine: Engine, codec: Codec) -> None:
        """Another model goes on from here, between two events; what sounds goes on.

        Args:
            engine: it has heard all of the stream that cannot be undone.
            codec: of its checkpoint, with the pitches of the one before.
        """
        self._stream.adopt(engine, codec)
        if codec != self._codec:
            self._form.leave()  # what it would play again is written in the other's times
            if self._next:
                token = codec.encode(self._codec.decode(self._next.token))
                self._next = self._next._replace(token=token)
        if self._next and self._next.begins:
            engine.reset()
        self._engine, self._codec = engine, codec

    def surprise(self) -> None:
        """A nudge: the model loses the thread a little, and finds another one."""
        self._form.leave()  # else what comes again would be no surprise
        self._stream.nudge(self._rng)

    def pause(self, now_ns: int, why: str = "port") -> list[Record]:
        """Write no more until `resume`; what was written for later has never been."""
        paused, self._paused = self._paused, self._paused | {why}
        return [] if paused or self._silent else [self._hush(now_ns, now_ns)]

    def resume(self, why: str = "port") -> None:
        """Go on from where the music stood, unless it is paused for another reason too."""
        self._paused.discard(why)

    @property
    def _patience_ns(self) -> int:
        return round(self._settings.patience_s * NS_PER_S)

    def _mine(self) -> dict[int, int]:
        """Of each note of the machine that sounds, when it was struck."""
        struck_ns = self._stream.last.struck_ns
        return {note: at_ns for note, at_ns in struck_ns.items() if note not in self._held}

    # The human

    def _human_strikes(self, at_ns: int, note: int, velocity: int, now_ns: int) -> list[Record]:
        records = []
        if MODES[self._settings.mode].yields:
            if not self._silent:
                records.append(self._hush(at_ns, now_ns))
                self._silent, self._until_ns = True, None
            if self._phrase_ns is None:
                self._phrase_ns = at_ns
        else:
            records += self._revise(now_ns)
            self._leave()
            if (struck_ns := self._mine().get(note)) is not None:  # one key, two hands
                self._stream.happens(at_ns, note, 0)
                # At once, even where the stream has it after what stands.
                records.append(self._play(Token(note, 0, 0), max(at_ns, struck_ns)))
        if note in self._held:  # again, under the pedal or without a release
            self._stream.happens(at_ns, note, 0)
        self._stream.happens(at_ns, note, velocity)
        self._keys.add(note)
        self._held.add(note)
        self._human_ns = at_ns
        self._strikes_ns.append(at_ns)
        return records

    def _human_releases(self, at_ns: int, now_ns: int) -> list[Record]:
        """What neither key nor pedal holds any longer."""
        released = set() if self._pedal else self._held - self._keys
        if not released:
            return []
        records = [] if self._silent else self._revise(now_ns)
        for note in sorted(released):
            self._stream.happens(at_ns, note, 0)
        self._held &= self._keys
        self._human_ns = at_ns
        return records

    def _leave(self) -> None:
        """The human is in: nothing of this piece comes again, and it does not end now."""
        self._form.leave()
        self._ending = False

    def _undo(self, now_ns: int) -> tuple[bool, int]:
        """What the player has not sent by the time it hears of this has never been.

        Returns whether there was any, and the last moment that stands.
        """
        self._next = None
        stands_ns = max(now_ns + REACH_NS, self._stream.fixed_ns)
        return self._stream.undo(stands_ns), stands_ns

    def _revise(self, now_ns: int) -> list[Record]:
        """The machine thinks again of what comes next; what sounds goes on."""
        undone, stands_ns = self._undo(now_ns)
        if not undone:
            return []
        self._epoch += 1
        return [revise(self._channel, self._epoch, stands_ns)]

    def _hush(self, at_ns: int, now_ns: int) -> Record:
        """The machine falls silent."""
        _, stands_ns = self._undo(now_ns)
        self._leave()
        self._stream.asked = 0
        self._epoch += 1
        for note in self._mine():
            self._stream.happens(at_ns, note, 0)
        return hush(self._channel, self._epoch, stands_ns)

    def _fall_silent(self) -> None:
        """It is the human's turn. The others are told why nothing comes."""
        self._silent = True
        self._ending = False
        self._stream.asked = 0
        self._until_ns = None
        self._phrase_ns = self._human_ns if self._held else None
        self._epoch += 1
        self._to_say.append(hush(self._channel, self._epoch))

    # The machine

    def _choose(self) -> _Choice | None:
        """The machine's next event; None when it falls silent."""
        last = self._stream.last
        now_ns, struck_ns = last.at_ns, last.struck_ns
        # A state carried further than in any training drifts, until notes are struck and hardly
        # one released. So the stream is one of pieces, as what the model learned from was.
        form, mine = self._form, self._mine()
        if self._until_ns is not None and now_ns >= self._until_ns:
            self._ending = True
        elif not self._held and not self._silent:
            if form.piece_ends(last.age, len(mine)):
                form.leave()
                self._ending = True
            elif form.part_ends(len(mine)):
                self._ending = True
        if self._ending:
            return self._end(mine)
        again = form.repeat()
        if again is not None:
            return self._after(again)
        due_ns = time_bin = None
        if self._silent:
            # The human is done: the answer comes now, and the model knows how long it took.
            due_ns = now_ns + self._patience_ns
            time_bin = self._stream.token(due_ns, 0, 0).time_bin
            phrase_ns = 0 if self._phrase_ns is None else now_ns - self._phrase_ns
            self._until_ns = due_ns + max(phrase_ns, SHORTEST_ANSWER_NS)
            self._silent, self._phrase_ns = False, None
        settings = self._sharing(now_ns)
        self._stream.asked = settings.density
        token = sample(
            self._engine,
            self._codec,
            settings,
            self._rng,
            sounding=struck_ns.keys(),
            struck_now={note for note, at_ns in struck_ns.items() if at_ns == now_ns},
            held=self._held,
            time_bin=time_bin,
            ahead=last.ahead,
        )
        choice = self._after(token) if due_ns is None else _Choice(token, due_ns=due_ns)
        until_ns = self._until_ns
        if until_ns is not None and token.velocity and self._due_ns(choice) > until_ns:
            self._ending = True
            return self._end(mine)
        oldest = next(iter(mine), None)
        if oldest is not None and mine[oldest] + LONGEST_NS < self._due_ns(choice):
            choice = self._release_at(max(mine[oldest] + LONGEST_NS, now_ns), oldest)
        form.keep(choice.token)
        return choice

    def _sharing(self, now_ns: int) -> Settings:
        """With as many notes as leave the human their share."""
        strikes = sum(now_ns - at_ns <= LATELY_NS for at_ns in self._strikes_ns)
        share = self._settings.share
        if not (MODES[self._settings.mode].shares and strikes and share < 1):
            return self._settings
        theirs = strikes / (LATELY_NS / NS_PER_S)
        density = KNOBS["density"].clamped(max(theirs * share / (1 - share), FEWEST))
        if self._settings.density:
            density = min(density, self._settings.density)
        return replace(self._settings, density=density)

    def _end(self, mine: dict[int, int]) -> _Choice | None:
        """Release what sounds, all of it together; then comes what the form says."""
        now_ns = self._stream.last.at_ns
        if mine:
            oldest, newest_ns = next(iter(mine)), max(mine.values())
            due_ns = min(newest_ns + FADE_NS, mine[oldest] + LONGEST_NS)
            return self._release_at(max(due_ns, now_ns), oldest)
        if self._until_ns is not None:
            self._fall_silent()
            return None
        self._ending = False
        if self._form.part_ends(0):
            return self._after(self._form.play_again())
        self._form.begin()
        self._engine.reset()
        token = sample(self._engine, self._codec, self._settings, self._rng)
        self._form.keep(token)
        return _Choice(token, due_ns=now_ns + BREATH_NS, begins=True)

    def _after(self, token: Token) -> _Choice:
        """When the model wants it."""
        return _Choice(token, delta_s=self._codec.values_s[token.time_bin])

    def _release_at(self, due_ns: int, note: int) -> _Choice:
        return _Choice(self._stream.token(due_ns, note, 0), due_ns=due_ns)

    def _due_ns(self, choice: _Choice) -> int:
        """When it would be due without a grid."""
        if choice.delta_s is None:
            return choice.due_ns
        return self.pacing.later_ns(self._stream.last.at_ns, choice.delta_s)

    def _played_ns(self, choice: _Choice) -> int:
        last = self._stream.last
        struck_ns = None if choice.token.velocity else last.struck_ns.get(choice.token.note)
        return self.pacing.played_ns(self._due_ns(choice), last.at_ns, struck_ns)

    def _place(self, choice: _Choice, now_ns: int) -> tuple[int, Token]:
        """When it is played at last, and what the model hears of it."""
        token, due_ns, played_ns = choice.token, self._due_ns(choice), self._played_ns(choice)
        if now_ns - played_ns > BEHIND_NS:
            due_ns = now_ns
            played_ns = self.pacing.played_ns(due_ns, now_ns - JUST_NOW_NS)
        if self.pacing.pulls:
            token = self._stream.token(played_ns, token.note, token.velocity)
        self.pacing.place(due_ns, played_ns)
        return played_ns, token

    def _play(self, token: Token, due_ns: int) -> Record:
        pitch = token.note + self._codec.lowest_pitch
        if token.velocity:
            scaled = round(token.velocity * self._settings.velocity_scale)
            message = note_on(self._channel, pitch, min(max(scaled, 1), 127))
        else:
            message = note_off(self._channel, pitch)
        return Record(Kind.PLAY, message, due_ns=due_ns, epoch=self._epoch)
