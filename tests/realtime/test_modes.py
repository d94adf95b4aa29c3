"""Each mode as a table: who plays when, and what sounds of the machine."""

from collections.abc import Callable

import numpy as np
import pytest

from core.checkpoint import Checkpoint
from core.codec import Codec
from realtime.clock import VirtualClock
from realtime.engine import Engine
from realtime.ledger import Ledger
from realtime.modes import in_vain
from realtime.performer import REACH_NS, Performer
from realtime.rehearsal import MemoryPort
from realtime.scheduler import Scheduler
from realtime.settings import Settings
from realtime.wire import Kind, Record, is_onset, note_off, note_on

MakeCheckpoint = Callable[..., Checkpoint]
# Many notes, one every tenth of a second or so: the machine is never silent by chance for long.
BUSY = Codec(lowest_pitch=40, notes=40, edges_s=(0.0, 0.05), values_s=(0.02, 0.08))


class Stage:
    """A machine, and a human who plays as a table says, on a clock that takes no time."""

    def __init__(self, checkpoint: Checkpoint, settings: Settings) -> None:
        self.sent: list[tuple[float, bytes]] = []  # at which second
        self.clock = VirtualClock()
        self.ledger = Ledger()
        self._scheduler = Scheduler(self.clock, self.ledger, MemoryPort(keep=0).send, self._told)
        engine = Engine(checkpoint)
        self.performer = Performer(engine, checkpoint.codec, settings, np.random.default_rng(0), 0)

    def _told(self, record: Record) -> None:
        if record.kind is Kind.SENT:
            self.sent.append((record.at_ns / 1e9, record.message))

    def plays_until(self, second: float) -> None:
        end_ns = round(second * 1e9)
        while (wake_ns := self.performer.wake_ns) is not None and wake_ns < end_ns:
            self._scheduler.run_until(max(wake_ns, self.clock.now_ns()))
            self._pass_on(list(self.performer.plan(self.clock.now_ns())))
        self._scheduler.run_until(end_ns)

    def human(self, second: float, message: bytes) -> None:
        self.plays_until(second)
        now_ns = self.clock.now_ns()
        self._pass_on(self.performer.heard(now_ns, message, now_ns))

    def _pass_on(self, records: list[Record]) -> None:
        for record in records:
            if record.kind is Kind.PLAY:
                self._scheduler.push(record)
            elif record.kind is Kind.HUSH:
                self._scheduler.hush(record.epoch, 0, record.due_ns)
            else:
                self._scheduler.revise(record.epoch, 0, record.due_ns)

    def strikes(self, from_s: float, to_s: float) -> int:
        return sum(from_s <= at_s < to_s and is_onset(message) for at_s, message in self.sent)

    def hears_phrase(self, from_s: float, to_s: float) -> None:
        """The human plays two notes, one after the other."""
        middle_s = (from_s + to_s) / 2
        self.human(from_s, note_on(0, 60, 80))
        self.human(middle_s, note_off(0, 60))
        self.human(middle_s, note_on(0, 64, 80))
        self.human(to_s, note_off(0, 64))


# (mode, from which second, to which, whether the machine strikes notes), where the human plays
# from 4 to 7 and from 20 to 22.
TABLE = [
    ("free", 0, 4, True),
    ("free", 4, 7, True),
    ("free", 7, 20, True),
    ("respond", 0, 4, False),  # nothing to answer
    ("respond", 4, 7, False),  # listens
    ("respond", 7, 7.99, False),  # has patience
    ("respond", 8, 10.9, True),  # as long as the phrase was
    ("respond", 11.1, 20, False),  # the human's turn
    ("respond", 20, 22.99, False),
    ("respond", 23, 24.9, True),
    ("respond", 25.1, 30, False),
    ("duet", 0, 4, True),
    ("duet", 4, 7, True),
    ("duet", 7, 20, True),
]


@pytest.fixture
def make_stage(make_checkpoint: MakeCheckpoint) -> Callable[..., Stage]:
    checkpoint = make_checkpoint(5, BUSY, hidden_size=8)
    return lambda **settings: Stage(checkpoint, Settings(**settings))


@pytest.mark.parametrize(("mode", "from_s", "to_s", "plays"), TABLE)
def test_when_the_machine_plays(
    make_stage: Callable[..., Stage], mode: str, from_s: float, to_s: float, plays: bool
) -> None:
    stage = make_stage(mode=mode)
    stage.hears_phrase(4, 7)
    stage.hears_phrase(20, 22)
    stage.plays_until(30)
    assert (stage.strikes(from_s, to_s) > 0) == plays


def test_it_yields_at_once(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage(mode="respond")
    stage.hears_phrase(0, 5)
    at_s = 8.0
    while not stage.ledger.sounding and at_s < 9:
        at_s += 0.01
        stage.plays_until(at_s)
    stage.human(at_s, note_on(0, 60, 80))
    stage.plays_until(at_s + REACH_NS / 1e9)
    assert not stage.ledger.sounding
    stage.plays_until(20)
    assert stage.strikes(at_s + REACH_NS / 1e9, 20) == 0


def test_its_patience_is_how_long_the_human_must_be_silent(
    make_stage: Callable[..., Stage],
) -> None:
    stage = make_stage(mode="respond", patience_s=3.0)
    stage.hears_phrase(1, 2)
    stage.plays_until(6)
    assert next(at_s for at_s, message in stage.sent) == 5


def test_a_key_that_is_held_is_not_silence(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage(mode="respond")
    stage.human(1, note_on(0, 60, 80))
    stage.plays_until(20)
    assert stage.sent == []


def test_a_mode_is_changed_while_it_plays(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage(mode="free")
    stage.plays_until(5)
    stage.performer.settings = Settings(mode="respond")
    stage.plays_until(8)
    assert not stage.ledger.sounding
    assert stage.strikes(5.1, 8) == 0
    stage.performer.settings = Settings(mode="duet")
    stage.plays_until(10)
    assert stage.strikes(8, 10) > 0


def test_in_a_duet_it_does_not_touch_what_the_human_holds(
    make_stage: Callable[..., Stage],
) -> None:
    stage = make_stage(mode="duet")
    stage.human(3, note_on(0, 60, 80))
    stage.plays_until(30)
    since = [message for at_s, message in stage.sent if at_s > 3 + REACH_NS / 1e9]
    assert len(since) > 20
    assert all(message[1] != 60 for message in since)


def test_in_a_duet_the_next_note_is_thought_of_anew(make_stage: Callable[..., Stage]) -> None:
    """Two duets that differ in what the human plays differ from the machine's next note on."""

    def after(pitch: int) -> list[bytes]:
        stage = make_stage(mode="duet")
        stage.human(3, note_on(0, pitch, 80))
        stage.plays_until(5)
        return [message for at_s, message in stage.sent if at_s > 3]

    assert after(60) == after(60) != after(72)


# Here the machine can wait for longer than a human's next note.
PATIENT = Codec(
    lowest_pitch=40, notes=40, edges_s=(0.0, 0.05, 0.3, 1.0), values_s=(0.02, 0.1, 0.6, 4.0)
)


@pytest.mark.parametrize(("share", "least", "most"), [(0.2, 0.0, 0.35), (0.5, 0.35, 0.65)])
def test_in_a_duet_the_machine_leaves_the_human_their_share(
    make_checkpoint: MakeCheckpoint, share: float, least: float, most: float
) -> None:
    checkpoint = make_checkpoint(5, PATIENT, hidden_size=8)
    stage = Stage(checkpoint, Settings(mode="duet", share=share))
    strikes = 0
    for beat in range(240):  # five notes a second
        stage.human(beat / 5, note_on(0, 40 + beat % 40, 80))
        stage.human(beat / 5 + 0.1, note_off(0, 40 + beat % 40))
        strikes += beat / 5 >= 8
    ours = stage.strikes(8, 48)
    assert least <= ours / (ours + strikes) <= most


@pytest.mark.parametrize(
    ("voices", "silent"),
    [
        ({"a": ("free", ""), "b": ("duet", "")}, []),
        ({"a": ("respond", "")}, ["a"]),
        ({"a": ("respond", "b"), "b": ("free", "")}, []),
        ({"a": ("respond", "b"), "b": ("respond", "a")}, ["a", "b"]),  # each waits for the other
        ({"a": ("respond", "b"), "b": ("respond", "c"), "c": ("free", "")}, []),
        ({"a": ("respond", ""), "b": ("free", "a")}, ["a"]),
    ],
)
def test_who_only_answers_waits_in_vain_where_nobody_it_hears_plays(
    voices: dict[str, tuple[str, str]], silent: list[str]
) -> None:
    modes = {name: mode for name, (mode, _) in voices.items()}
    assert in_vain(modes, {name: set(hears) for name, (_, hears) in voices.items()}) == silent
