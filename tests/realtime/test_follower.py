"""A song in virtual time: what the clock says and when -> what is played."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.checkpoint import Checkpoint
from core.codec import Codec
from realtime.clock import NS_PER_MS, VirtualClock
from realtime.engine import Engine
from realtime.follower import Follower
from realtime.ledger import Ledger
from realtime.machine import BEHIND_NS
from realtime.performer import Performer
from realtime.rehearsal import MemoryPort
from realtime.scheduler import Scheduler
from realtime.settings import GRIDS, MODES, Settings
from realtime.transport import Transport
from realtime.wire import (
    CONTINUE,
    START,
    STOP,
    TICK,
    Kind,
    Record,
    control_change,
    is_onset,
    note_off,
    note_on,
)

MakeCheckpoint = Callable[..., Checkpoint]
Song = list[tuple[float, bytes, int]]  # (ms, message of the clock, number of a tick)

# Dense music: about ten events a second at 120 bpm.
DENSE = Codec(edges_s=(0.0, 0.001, 0.05, 0.15), values_s=(0.0, 0.02, 0.1, 0.23))
EIGHTH = "1/8"


def ticks(beats: float, start_ms: float, bpm: float = 120, first: int = 0) -> Song:
    every_ms = 60_000 / 24 / bpm
    return [(start_ms + n * every_ms, TICK, first + n) for n in range(round(beats * 24))]


class Stage:
    """A performer, its follower, and what they say."""

    def __init__(
        self, checkpoint: Checkpoint, grid: str = "off", engine: Engine | None = None
    ) -> None:
        settings = Settings(grid=grid)
        rng = np.random.default_rng(1)
        engine = engine or Engine(checkpoint)
        performer = Performer(engine, checkpoint.codec, settings, rng, 0)
        self.performer = performer
        self._follower = Follower(performer)
        self.said = list(self._follower.begin(0))

    def plays(self, song: Song, until_ms: float) -> list[Record]:
        """What is said from now on; between two messages it plans when it asks for it."""
        before, now_ns = len(self.said), 0
        for at_ms, message, number in [*song, (until_ms, b"", 0)]:
            at_ns = round(at_ms * NS_PER_MS)
            while (wake_ns := self.performer.wake_ns) is not None and wake_ns < at_ns:
                now_ns = max(now_ns, wake_ns)
                planned = list(self.performer.plan(now_ns))
                assert all(now_ns - record.due_ns <= BEHIND_NS for record in planned)
                self.said += planned
            now_ns = at_ns
            if message:
                record = Record(Kind.CLOCK, message, at_ns=at_ns, epoch=number)
                self.said += self._follower.heard(record, at_ns)
        return self.said[before:]


@pytest.fixture
def stage(make_checkpoint: MakeCheckpoint) -> Callable[..., Stage]:
    return lambda grid="off": Stage(make_checkpoint(0, DENSE), grid)


MakeStage = Callable[..., Stage]


def onsets_ms(records: list[Record]) -> list[float]:
    return [
        record.due_ns / NS_PER_MS
        for record in records
        if is_play(record) and is_onset(record.message)
    ]


def is_play(record: Record) -> bool:
    return record.kind is Kind.PLAY


def test_nothing_is_played_before_the_song_starts(stage: MakeStage) -> None:
    assert stage().plays(ticks(16, 100), until_ms=9_000) == []


def test_it_plays_from_start_to_stop(stage: MakeStage) -> None:
    song = [*ticks(1, 0), (500, START, 0), *ticks(8, 505), (4_500, STOP, 0), *ticks(2, 4_510)]
    said = stage().plays(song, until_ms=6_000)
    struck = onsets_ms(said)
    assert 505 <= struck[0] < 600
    assert len(struck) > 10
    assert said[-1].kind is Kind.HUSH
    assert struck[-1] < 4_500 + 30


def test_a_first_start_waits_for_a_sixteenth_to_know_the_tempo(stage: MakeStage) -> None:
    struck = onsets_ms(stage(EIGHTH).plays([(0, START, 0), *ticks(8, 0)], until_ms=4_000))
    assert struck[0] == pytest.approx(250, abs=0.01)


def test_the_first_note_is_on_the_downbeat_when_the_tempo_is_known(stage: MakeStage) -> None:
    song = [*ticks(4, 0), (2_000, START, 0), *ticks(4, 2_005)]
    assert onsets_ms(stage(EIGHTH).plays(song, until_ms=4_000))[0] == pytest.approx(2_005, abs=0.01)


@pytest.mark.parametrize("bpm", [60, 97.3, 120, 174])
def test_every_onset_is_on_the_grid(stage: MakeStage, bpm: float) -> None:
    song = [(0, START, 0), *ticks(32, 0, bpm)]
    struck = onsets_ms(stage(EIGHTH).plays(song, until_ms=song[-1][0]))
    eighth_ms = 30_000 / bpm
    assert len({*struck}) > 10
    for at_ms in struck:
        assert abs(at_ms - round(at_ms / eighth_ms) * eighth_ms) < 0.1


def test_music_is_twice_as_fast_in_a_song_that_is(stage: MakeStage) -> None:
    slow, fast = (
        stage().plays([(0, START, 0), *ticks(64, 0, bpm)], until_ms=64 * 60_000 / bpm)
        for bpm in (70, 140)
    )
    assert [r.message for r in fast[:20]] == [r.message for r in slow[:20]]
    assert fast[19].due_ns - fast[0].due_ns == pytest.approx(
        (slow[19].due_ns - slow[0].due_ns) / 2, rel=0.01
    )


def test_through_a_change_of_tempo_onsets_stay_on_the_grid(stage: MakeStage) -> None:
    change_ms = 8 * 500
    song = [(0, START, 0), *ticks(8, 0), *ticks(16, change_ms, bpm=150, first=192)]
    struck = onsets_ms(stage(EIGHTH).plays(song, until_ms=song[-1][0]))
    after = [at_ms for at_ms in struck if at_ms > change_ms + 400]
    assert len({*after}) > 5
    for at_ms in after:
        assert abs((at_ms - change_ms) / 200 - round((at_ms - change_ms) / 200)) < 0.01


def test_continue_goes_on_in_the_grid_of_the_song(stage: MakeStage) -> None:
    song = [(0, START, 0), *ticks(4, 0), (2_000, STOP, 0), (3_333, CONTINUE, 0)]
    song += ticks(8, 3_333, first=96 + 6)  # half an eighth on
    struck = [at_ms for at_ms in onsets_ms(stage(EIGHTH).plays(song, 7_000)) if at_ms > 2_100]
    eighths = [(at_ms - (3_333 - 125)) / 250 for at_ms in struck]
    assert len({*struck}) > 5
    assert all(abs(eighth - round(eighth)) < 0.001 for eighth in eighths)


class Overheard(Engine):
    """An engine that keeps what it was fed."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.bins: list[int] = []
        super().__init__(checkpoint)

    def step(self, token) -> None:  # type: ignore[no-untyped-def]
        super().step(token)
        self.bins.append(token.time_bin)


def test_the_model_hears_what_was_really_played(make_checkpoint: MakeCheckpoint) -> None:
    checkpoint = make_checkpoint(0, DENSE)
    engine = Overheard(checkpoint)
    stage = Stage(checkpoint, EIGHTH, engine)
    said = stage.plays([(0, START, 0), *ticks(32, 0)], until_ms=14_000)
    dues_ns = [record.due_ns for record in said if is_play(record)]
    deltas_s = [(after - before) / 1e9 for before, after in pairwise(dues_ns)]
    heard = engine.bins[len(engine.bins) - len(deltas_s) :]
    assert [DENSE.values_s[time_bin] for time_bin in heard] == [
        min(DENSE.values_s, key=lambda value: abs(value - min(delta_s, 0.23)))
        for delta_s in deltas_s
    ]


CLOCK = (TICK, START, CONTINUE, STOP, bytes((0xF2, 8, 0)))
KEYS = (note_on(0, 60, 80), note_off(0, 60), note_on(0, 61, 80), note_off(0, 61))
HUMAN = (*KEYS, control_change(0, 64, 127), control_change(0, 64, 0))


@settings(max_examples=100)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.integers(1, 60), st.sampled_from(CLOCK), st.sampled_from(HUMAN)),
            st.integers(0, 40),
        ),
        max_size=60,
    ),
    st.sampled_from(GRIDS),
    st.sampled_from(MODES),
)
def test_after_stop_no_note_is_left_sounding_whatever_came_before(
    make_checkpoint: MakeCheckpoint,
    happenings: list[tuple[int | bytes, int]],
    grid: str,
    mode: str,
) -> None:
    """(so many ticks of 20 ms, a message of the clock, or one of the human; ms until the next)."""
    clock, ledger = VirtualClock(), Ledger()
    scheduler = Scheduler(clock, ledger, MemoryPort(keep=0).send, lambda _: None)
    engine, rng = Engine(checkpoint := make_checkpoint(0, DENSE)), np.random.default_rng(1)
    performer = Performer(engine, checkpoint.codec, Settings(grid=grid, mode=mode), rng, 0)
    follower = Follower(performer)
    clocked: list[Record] = []
    transport = Transport(clocked.append)

    def obey(records: list[Record]) -> None:
        for record in records:
            if record.kind is Kind.PLAY:
                scheduler.push(record)
            elif record.kind is Kind.HUSH:
                scheduler.hush(record.epoch, record.message[0] & 0x0F, record.due_ns)
            else:
                scheduler.revise(record.epoch, record.message[0] & 0x0F, record.due_ns)

    def pass_time(until_ns: int) -> None:
        while (wake_ns := performer.wake_ns) is not None and wake_ns < until_ns:
            scheduler.run_until(max(wake_ns, clock.now_ns()))
            obey(list(performer.plan(clock.now_ns())))
        scheduler.run_until(until_ns)

    def say(message: bytes) -> None:
        transport.heard(message, clock.now_ns())
        obey(follower.heard(clocked[-1], clock.now_ns()))

    obey(follower.begin(0))
    for what, ms in [*happenings, (STOP, 50)]:
        for _ in range(what if isinstance(what, int) else 0):
            say(TICK)
            pass_time(clock.now_ns() + 20 * NS_PER_MS)
        if isinstance(what, bytes):
            if what in CLOCK:
                say(what)
            else:
                obey(performer.heard(clock.now_ns(), what, clock.now_ns()))
        pass_time(clock.now_ns() + ms * NS_PER_MS)
    assert ledger.sounding == ()
