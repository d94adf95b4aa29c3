"""Who plays when: the machine ahead of time, and what comes of the human's playing.

No clock, no process and no port of its own: moments come in, records go out. The rules are those
of the mode (`realtime.modes`), the stream that both play is `realtime.stream`; `realtime.machine`
chooses, `realtime.human` knows what is held.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from core.codec import Codec, Token
from realtime.clock import NS_PER_MS, NS_PER_S
from realtime.engine import Engine
from realtime.grid import Grid
from realtime.human import Act, Human
from realtime.keeping import NOTHING, Keeping
from realtime.machine import Choice, Machine
from realtime.modes import MODES
from realtime.pacing import Pacing
from realtime.settings import CHOOSING, KNOBS, Settings
from realtime.stream import Stream
from realtime.wire import Kind, Record, hush, note_off, note_on, revise

HORIZON_NS = 30 * NS_PER_MS  # how far ahead the machine writes: what a busy computer may cost
# The player hears of a new plan so late, at most. What is due before stands: it has sounded.
REACH_NS = 2 * NS_PER_MS
SHORTEST_ANSWER_NS = NS_PER_S  # else about as long as the phrase was
FEWEST = 0.2  # notes a second, however small the share


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
        voices: itself, and those whose notes it hears and that hear, like it, what comes next.
        keeping: what was struck before.
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
        voices: int = 1,
        keeping: Keeping = NOTHING,
    ) -> None:
        self._codec = codec
        self.pacing = Pacing()  # its beats may change at any time
        self._stream = Stream(engine, codec, self.pacing, start_ns, keeping)
        self._machine = Machine(engine, codec, self._stream, self.pacing, rng, voices)
        self._human = Human(codec)
        self._rng = rng
        self._channel = channel
        self._horizon_ns = horizon_ns
        self._epoch = epoch
        self._to_say: list[Record] = []  # with the next plan
        if program is not None:
            message = bytes((0xC0 | channel, program))
            self._to_say.append(Record(Kind.PLAY, message, due_ns=start_ns, epoch=epoch))
        self._next: Choice | None = None  # beyond the horizon
        self._again = False  # it was chosen, and is to be chosen once more
        self._paused = {"port"} if paused else set()  # why
        # In a mode that yields: silent, until there is a phrase and the human is done with it.
        self._silent = False
        self._phrase_ns: int | None = None  # when the phrase began that is to be answered
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
        yielded, yields = (MODES[each.mode].yields for each in (self._settings, settings))
        if any(getattr(settings, name) != getattr(self._settings, name) for name in CHOOSING):
            self._machine.forget_form()
            self._rethink()
        self._settings = settings
        self._obey(settings)
        if yields and not yielded:
            self._next = None
            self._machine.until_ns = self._stream.last.at_ns  # it is the human's turn
        elif yielded and not yields:
            self._silent, self._phrase_ns, self._machine.until_ns = False, None, None
            self._machine.leave()

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
        stuck_ns = self._human.stuck_ns
        if self._silent and (self._human.held or self._phrase_ns is None):
            return stuck_ns
        if len(self._human.held) == self._codec.notes:
            return stuck_ns  # nothing is left to play
        due_ns = self._machine.played_ns(self._next) if self._next else self._stream.last.at_ns
        if self._silent:
            due_ns += self._patience_ns
        wake_ns = due_ns - self._horizon_ns
        return wake_ns if stuck_ns is None else min(wake_ns, stuck_ns)

    def plan(self, now_ns: int) -> Iterator[Record]:
        """Write events until the next one is due beyond the horizon.

        One by one, so that the caller may stop in between to listen.
        """
        stuck_ns = self._human.stuck_ns
        if stuck_ns is not None and stuck_ns <= now_ns and not self._paused:
            yield from self.human_gone(now_ns, now_ns)
        self._stream.sounded(now_ns)
        while (wake_ns := self.wake_ns) is not None and wake_ns <= now_ns:
            if self._to_say:
                yield self._to_say.pop(0)
            elif self._next is None:
                self._choose(now_ns + self._horizon_ns)
            else:
                choice = self._next
                due_ns, token = self._machine.place(choice, now_ns)
                self._next = None
                self._stream.hear(due_ns, token, begins=choice.begins)
                yield self._play(token, due_ns)

    def heard(self, at_ns: int, message: bytes, now_ns: int) -> Iterator[Record]:
        """The human did this at `at_ns`, and we hear of it now.

        To be asked for all, at once: what is to be said of it comes first, and between two records
        the network hears it, which takes longer.
        """
        yield from self._acts(at_ns, self._human.does(at_ns, message), now_ns)

    def human_gone(self, at_ns: int, now_ns: int) -> Iterator[Record]:
        """The keyboard was unplugged. As `heard`."""
        yield from self._acts(at_ns, self._human.leaves(at_ns), now_ns)

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
        self._next = self._machine.adopt(engine, codec, self._next)
        self._codec = codec

    def surprise(self) -> None:
        """A nudge: the model loses the thread a little, and finds another one."""
        self._machine.forget_form()  # else what comes again would be no surprise
        self._stream.nudge(self._rng)
        self._rethink()

    def _rethink(self) -> None:
        """What comes next is chosen once more, however long it was to wait."""
        if self._next and self._next.free:
            self._next, self._again = None, True

    def pause(self, now_ns: int, why: str = "port") -> Iterator[Record]:
        """Write no more until `resume`; what was written for later has never been. As `heard`."""
        paused, self._paused = self._paused, self._paused | {why}
        if not paused and not self._silent:
            yield from self._hush(now_ns, now_ns)

    def resume(self, why: str = "port", from_ns: int | None = None) -> None:
        """Go on from where the music stood, unless it is paused for another reason too.

        If it has not begun, it begins at `from_ns`: how long one waited is no part of it.
        """
        self._paused.discard(why)
        if from_ns is not None:
            self._stream.begin(from_ns)

    @property
    def _patience_ns(self) -> int:
        return round(self._settings.patience_s * NS_PER_S)

    def _acts(self, at_ns: int, acts: list[Act], now_ns: int) -> Iterator[Record]:
        """The human strikes and releases notes: the stream hears it, the machine makes room."""
        strikes = any(act.velocity for act in acts)
        if strikes and MODES[self._settings.mode].yields:
            if not self._silent:
                self._silent, self._machine.until_ns = True, None
                yield from self._hush(at_ns, now_ns)
            if self._phrase_ns is None:
                self._phrase_ns = at_ns
        elif acts and not self._silent:
            yield from self._revise(now_ns)
            if strikes:
                self._machine.leave()
        for note, velocity in acts:
            struck_ns = self._stream.last.struck_ns.get(note)
            if velocity and struck_ns is not None:  # one key, two hands
                if not self._silent:
                    # At once, even where the stream has it after what stands.
                    yield self._play(Token(note, 0, 0), max(at_ns, struck_ns))
                self._stream.happens(at_ns, note, 0)
            self._stream.happens(at_ns, note, velocity)

    def _undo(self, now_ns: int) -> tuple[bool, int]:
        """What the player has not sent by the time it hears of this has never been.

        Returns whether there was any, and the last moment that stands.
        """
        self._next = None
        stands_ns = max(now_ns + REACH_NS, self._stream.fixed_ns)
        return self._stream.undo(stands_ns), stands_ns

    def _revise(self, now_ns: int) -> Iterator[Record]:
        """The machine thinks again of what comes next; what sounds goes on."""
        undone, stands_ns = self._undo(now_ns)
        if undone:
            self._epoch += 1
            yield revise(self._channel, self._epoch, stands_ns)

    def _hush(self, at_ns: int, now_ns: int) -> Iterator[Record]:
        """The machine ends its notes."""
        _, stands_ns = self._undo(now_ns)
        self._machine.leave()
        self._stream.ask(0)
        self._epoch += 1
        yield hush(self._channel, self._epoch, stands_ns)
        for note in self._machine.sounding(self._human.held):
            self._stream.happens(at_ns, note, 0)

    def _fall_silent(self) -> None:
        """It is the human's turn. The others are told why nothing comes."""
        self._silent = True
        self._stream.ask(0)
        self._phrase_ns = self._human.acted_ns if self._human.held else None
        self._epoch += 1
        self._to_say.append(hush(self._channel, self._epoch, self._stream.last.at_ns))

    def _choose(self, written_ns: int) -> None:
        """The machine's next event; or it falls silent. Up to `written_ns` there is none."""
        now_ns, from_ns = self._stream.last.at_ns, None
        not_before_ns, self._again = written_ns if self._again else None, False
        if self._silent:
            # The human is done: the answer comes now, and the model knows how long it took.
            from_ns = now_ns + self._patience_ns
            phrase_ns = 0 if self._phrase_ns is None else now_ns - self._phrase_ns
            self._machine.until_ns = from_ns + max(phrase_ns, SHORTEST_ANSWER_NS)
            self._silent, self._phrase_ns = False, None
        self._next = self._machine.choose(
            self._sharing(now_ns), self._human.held, from_ns, not_before_ns
        )
        if self._next is None:
            self._fall_silent()

    def _sharing(self, now_ns: int) -> Settings:
        """With as many notes as leave the human their share."""
        settings, theirs = self._settings, self._human.density(now_ns)
        if not (MODES[settings.mode].shares and theirs and settings.share < 1):
            return settings
        ours = max(theirs * settings.share / (1 - settings.share), FEWEST)
        density = min(KNOBS["density"].clamped(ours), settings.density or ours)
        return replace(settings, density=density)

    def _play(self, token: Token, due_ns: int) -> Record:
        pitch = token.note + self._codec.lowest_pitch
        if token.velocity:
            scaled = round(token.velocity * self._settings.velocity_scale)
            message = note_on(self._channel, pitch, min(max(scaled, 1), 127))
        else:
            message = note_off(self._channel, pitch)
        return Record(Kind.PLAY, message, due_ns=due_ns, epoch=self._epoch)
