"""What the machine plays next: what the model chooses, in the form of a piece, and when it is due.

It chooses and places one event at a time, and keeps no future: who undoes forgets its choice.
"""

from __future__ import annotations

import math
from collections.abc import Set
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from core.codec import Codec, Token
from realtime.clock import NS_PER_MS, NS_PER_S
from realtime.engine import Engine
from realtime.form import Form
from realtime.pacing import Pacing
from realtime.sampler import sample
from realtime.settings import Settings
from realtime.stream import Stream

LONGEST_NS = 20 * NS_PER_S  # a network forgets: no note of the machine sounds longer
FADE_NS = 200 * NS_PER_MS  # how long the last notes of a piece sound
BREATH_NS = 2 * NS_PER_S  # between two pieces
BEHIND_NS = 50 * NS_PER_MS  # later than this, the music goes on from now instead of catching up
JUST_NOW_NS = 20 * NS_PER_MS  # a line of the grid so long ago is not missed yet


class Choice(NamedTuple):
    """The next event: so long after the last one, or at a moment."""

    token: Token
    delta_s: float | None = None
    due_ns: int = 0
    begins: bool = False  # a piece
    free: bool = False  # chosen by the model, for a time of its own


class Machine:
    """Reads the stream; the engine stands where the stream does.

    Args:
        engine: chooses.
        codec: of the engine's checkpoint.
        stream: what was played so far.
        pacing: between the model's time and ours.
        rng: every choice comes from it.
        voices: that play what the model says comes next: this one, and those that it hears.
    """

    def __init__(
        self,
        engine: Engine,
        codec: Codec,
        stream: Stream,
        pacing: Pacing,
        rng: np.random.Generator,
        voices: int = 1,
    ) -> None:
        self._engine = engine
        self._codec = codec
        self._stream = stream
        self._pacing = pacing
        self._rng = rng
        self._voices = voices
        self._form = Form(rng)
        # What sounds is released: then comes the first part again, another piece, or silence.
        self._ending = False
        self.until_ns: int | None = None  # then it ends and is silent

    def choose(
        self,
        settings: Settings,
        held: Set[int] = frozenset(),
        from_ns: int | None = None,
        not_before_ns: int | None = None,
    ) -> Choice | None:
        """Its next event; None when it has played until it was to end.

        Args:
            settings: how it plays.
            held: notes that the human holds. They are left alone.
            from_ns: when the event is due, if that is not for the model to say.
            not_before_ns: until then nothing came, if it chooses once more.
        """
        last, form, mine = self._stream.last, self._form, self.sounding(held)
        now_ns, struck_ns = last.at_ns, last.struck_ns
        # A state carried further than in any training drifts, until notes are struck and hardly
        # one released. So the stream is one of pieces, as what the model learned from was.
        if self.until_ns is not None and now_ns >= self.until_ns:
            self._ending = True
        elif not held and from_ns is None:
            if form.piece_ends(last.age, len(mine)):
                form.leave()
                self._ending = True
            elif form.part_ends(len(mine)):
                self._ending = True
        if self._ending:
            return self._end(settings, mine)
        again = form.repeat()
        if again is not None:
            return self._after(again)
        self._stream.ask(settings.density)
        waited_s = 0.0
        if not_before_ns is not None:
            waited_s = self._pacing.seconds(last.at_ns, not_before_ns)
        token = self._sample(
            settings,
            waited_s,
            whole=self._voices == 1 or bool(settings.density) or from_ns is not None,
            sounding=struck_ns.keys(),
            struck_now={note for note, at_ns in struck_ns.items() if at_ns == now_ns},
            held=held,
            time_bin=None if from_ns is None else self._stream.token(from_ns, 0, 0).time_bin,
            ahead=self._stream.last.ahead,
            leaning=last.keeping.bias(self._codec, settings),
        )
        choice = self._after(token) if from_ns is None else Choice(token, due_ns=from_ns)
        due_ns = self._due_ns(choice)
        if self.until_ns is not None and token.velocity and due_ns > self.until_ns:
            self._ending = True
            return self._end(settings, mine)
        oldest = next(iter(mine), None)
        if oldest is not None and mine[oldest] + LONGEST_NS < due_ns:
            choice = self._release_at(max(mine[oldest] + LONGEST_NS, now_ns), oldest)
        form.keep(choice.token)
        return choice._replace(free=from_ns is None)

    def _sample(self, settings: Settings, waited_s: float, *, whole: bool, **now: Any) -> Token:
        """What the model says comes next; unless `whole`, of this voice.

        Of all that comes next, a voice plays its own releases, and one in so many strikes as there
        are voices; it waits for the rest. If each played all of it, and heard the others do so,
        they would play more and more.
        """
        draw = partial(sample, self._engine, self._codec, settings, self._rng, **now)
        while not whole:
            token = draw(waited_s=waited_s, theirs_too=True)
            theirs = token.note in now["held"]
            if not theirs and (not token.velocity or self._rng.random() < 1 / self._voices):
                return token
            whole = token.time_bin >= self._codec.time_bins - 2  # nobody waits any longer
            if not whole:
                waited_s = math.nextafter(self._codec.values_s[token.time_bin], math.inf)
        return draw(waited_s=waited_s)

    def sounding(self, held: Set[int]) -> dict[int, int]:
        """Of each note of its own that sounds, when it was struck."""
        struck_ns = self._stream.last.struck_ns
        return {note: at_ns for note, at_ns in struck_ns.items() if note not in held}

    def leave(self) -> None:
        """The human is in: nothing of this piece comes again, and it does not end now."""
        self._form.leave()
        self._ending = False

    def forget_form(self) -> None:
        """What was chosen before does not come again."""
        self._form.leave()

    def played_ns(self, choice: Choice) -> int:
        """When it is played, as things stand."""
        last = self._stream.last
        struck_ns = None if choice.token.velocity else last.struck_ns.get(choice.token.note)
        return self._pacing.played_ns(self._due_ns(choice), last.at_ns, struck_ns)

    def place(self, choice: Choice, now_ns: int) -> tuple[int, Token]:
        """When it is played at last, and what the model is to hear of it."""
        token, due_ns, played_ns = choice.token, self._due_ns(choice), self.played_ns(choice)
        if now_ns - played_ns > BEHIND_NS:
            due_ns = now_ns
            played_ns = self._pacing.played_ns(due_ns, now_ns - JUST_NOW_NS)
        if self._pacing.pulls:
            token = self._stream.token(played_ns, token.note, token.velocity)
        self._pacing.place(due_ns, played_ns)
        return played_ns, token

    def adopt(self, engine: Engine, codec: Codec, choice: Choice | None) -> Choice | None:
        """Another model chooses from now on; what is chosen already, in its terms."""
        if codec != self._codec:
            self._form.leave()  # what it would play again is written in the other's times
            if choice:
                choice = choice._replace(token=codec.encode(self._codec.decode(choice.token)))
        if choice and choice.begins:
            engine.reset()
        self._engine, self._codec = engine, codec
        return choice

    def _end(self, settings: Settings, mine: dict[int, int]) -> Choice | None:
        """Release what sounds, all of it together; then comes what the form says."""
        now_ns = self._stream.last.at_ns
        if mine:
            oldest, newest_ns = next(iter(mine)), max(mine.values())
            due_ns = min(newest_ns + FADE_NS, mine[oldest] + LONGEST_NS)
            return self._release_at(max(due_ns, now_ns), oldest)
        self._ending = False
        if self.until_ns is not None:
            self.until_ns = None
            return None
        if self._form.part_ends(0):
            return self._after(self._form.play_again())
        self._form.begin()
        self._engine.reset()
        token = sample(self._engine, self._codec, settings, self._rng)
        self._form.keep(token)
        return Choice(token, due_ns=now_ns + BREATH_NS, begins=True)

    def _after(self, token: Token) -> Choice:
        """When the model wants it."""
        return Choice(token, delta_s=self._codec.values_s[token.time_bin])

    def _release_at(self, due_ns: int, note: int) -> Choice:
        return Choice(self._stream.token(due_ns, note, 0), due_ns=due_ns)

    def _due_ns(self, choice: Choice) -> int:
        """When it would be due without a grid."""
        if choice.delta_s is None:
            return choice.due_ns
        return self._pacing.later_ns(self._stream.last.at_ns, choice.delta_s)
