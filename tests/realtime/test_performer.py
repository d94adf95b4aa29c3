"""Who plays when: the machine in time, the human first, and one legal stream for the model."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.checkpoint import Checkpoint
from core.codec import Codec, Token
from core.errors import SettingsError
from core.events import Event
from realtime.clock import VirtualClock
from realtime.engine import Engine, Snapshot
from realtime.form import CROWD
from realtime.human import STUCK_NS
from realtime.ledger import Ledger
from realtime.machine import BEHIND_NS, BREATH_NS, LONGEST_NS
from realtime.modes import MODES
from realtime.past import recall
from realtime.performer import HORIZON_NS, REACH_NS, Performer
from realtime.rehearsal import MemoryPort
from realtime.scheduler import Scheduler
from realtime.settings import Settings
from realtime.wire import (
    Kind,
    Record,
    control_change,
    hush,
    is_onset,
    note_off,
    note_on,
)

MS = 1_000_000
S = 1000 * MS
START_NS = 5 * S

MakeCheckpoint = Callable[..., Checkpoint]
# Ten notes from middle C, so that the human and the machine meet often.
FEW = Codec(
    lowest_pitch=60,
    notes=10,
    edges_s=(0.0, 0.001, 0.01, 0.1, 0.5),
    values_s=(0.0, 0.005, 0.05, 0.2, 0.7),
)

# The same notes, in another model's times.
COARSE = Codec(lowest_pitch=60, notes=10, edges_s=(0.0, 0.005, 0.1), values_s=(0.0, 0.02, 0.5))


class Overheard(Engine):
    """An engine that keeps the stream it was fed, as `restore` leaves it."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.stream: list[Token] = []
        self._streams: list[tuple[Snapshot, list[Token]]] = []
        super().__init__(checkpoint)

    def step(self, token: Token) -> None:
        super().step(token)
        self.stream.append(token)

    def snapshot(self) -> Snapshot:
        self._streams.append((super().snapshot(), list(self.stream)))
        return self._streams[-1][0]

    def restore(self, snapshot: Snapshot) -> None:
        super().restore(snapshot)
        self.stream = list(next(s for kept, s in self._streams if kept is snapshot))


def machine(
    checkpoint: Checkpoint,
    engine: Engine | None = None,
    *,
    seed: int = 0,
    channel: int = 0,
    program: int | None = None,
    horizon_ns: int = HORIZON_NS,
    paused: bool = False,
    **knobs: Any,
) -> Performer:
    return Performer(
        engine or Engine(checkpoint),
        checkpoint.codec,
        Settings(**knobs),
        np.random.default_rng(seed),
        START_NS,
        channel=channel,
        program=program,
        horizon_ns=horizon_ns,
        paused=paused,
    )


def human(performer: Performer, at_ns: int, message: bytes) -> list[Record]:
    """Heard of at once."""
    return list(performer.heard(at_ns, message, at_ns))


def play(performer: Performer, until_ns: int, now_ns: int = START_NS) -> list[Record]:
    """Plan whenever the performer asks for it."""
    records = list(performer.plan(now_ns))
    while performer.wake_ns is not None and performer.wake_ns <= until_ns:
        records += performer.plan(performer.wake_ns)
    return records


def is_legal(stream: Iterable[Token]) -> bool:
    sounding: set[int] = set()
    for note, velocity, _ in stream:
        if (velocity == 0) != (note in sounding):
            return False
        sounding ^= {note}
    return True


def notes_after(stream: Iterable[Token]) -> set[int]:
    sounding: set[int] = set()
    for note, _, _ in stream:
        sounding ^= {note}
    return sounding


def is_playable(records: Iterable[Record]) -> bool:
    """In each epoch only what sounds is released, later than struck, and only silence struck."""
    struck_ns: dict[int, int] = {}
    for kind, message, due_ns, *_ in records:
        if kind is Kind.HUSH:
            struck_ns = {}
        elif is_onset(message):
            if message[1] in struck_ns:
                return False
            struck_ns[message[1]] = due_ns
        elif struck_ns.pop(message[1], due_ns) >= due_ns:
            return False
    return True


def dues_ns(records: Iterable[Record]) -> list[int]:
    return [record.due_ns for record in records]


# The machine in time


@pytest.mark.parametrize("tempo_scale", [1.0, 2.0, 0.7])
def test_after_an_hour_the_last_due_is_the_sum_of_the_deltas(
    make_checkpoint: MakeCheckpoint, tempo_scale: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One endless piece, and nothing of it again: a breath is no delta.
    monkeypatch.setattr("realtime.form.PIECE_EVENTS", 10**9)
    monkeypatch.setattr("realtime.form.PART_EVENTS", (10**9, 10**9 + 1))
    # One note, struck and released in turn: none grows so long that it is ended for its length.
    slow = Codec(notes=1, edges_s=(0.0, 0.1, 0.5, 1.0), values_s=(0.0, 0.3, 0.7, 1.1))
    checkpoint = make_checkpoint(0, slow, hidden_size=2)
    engine = Overheard(checkpoint)
    performer = machine(checkpoint, engine, tempo_scale=tempo_scale)
    at_ns = START_NS
    written = 0
    while at_ns < START_NS + 3600 * S:
        at_ns = performer.wake_ns or at_ns
        records = list(performer.plan(at_ns + 7 * MS))  # always a little late
        written += len(records)
        engine._streams = engine._streams[-100:]
    expected_ns = START_NS
    for token in engine.stream:
        expected_ns += round(slow.values_s[token.time_bin] / tempo_scale * S)
    assert written == len(engine.stream) > 1000
    assert dues_ns(records)[-1] == expected_ns


def test_the_same_seed_writes_the_same_records(make_checkpoint: MakeCheckpoint) -> None:
    checkpoint = make_checkpoint()

    def night(seed: int) -> list[Record]:
        return play(machine(checkpoint, seed=seed), START_NS + 20 * S)

    assert night(3) == night(3) != night(4)


def test_it_writes_up_to_the_horizon_and_asks_to_be_woken_for_the_next(
    make_checkpoint: MakeCheckpoint,
) -> None:
    performer = machine(make_checkpoint())
    for _ in range(200):
        now_ns = performer.wake_ns or 0
        records = list(performer.plan(now_ns))
        assert all(due_ns <= now_ns + HORIZON_NS for due_ns in dues_ns(records))
        assert performer.wake_ns is not None
        assert performer.wake_ns > now_ns
        assert list(performer.plan(performer.wake_ns - 1)) == []


def test_it_can_be_interrupted_between_two_events(make_checkpoint: MakeCheckpoint) -> None:
    whole, pieces = machine(make_checkpoint()), machine(make_checkpoint())
    now_ns = START_NS + 40 * MS
    expected = list(whole.plan(now_ns))
    got = []
    while pieces.wake_ns is not None and pieces.wake_ns <= now_ns:
        got += [next(iter(pieces.plan(now_ns)), None)]
    assert [record for record in got if record] == expected


def test_a_note_that_the_network_forgets_is_released(make_checkpoint: MakeCheckpoint) -> None:
    # 128 notes, struck one after the other: the next release of a note is minutes away.
    slow = Codec(edges_s=(0.0, 0.1, 1.0), values_s=(0.0, 0.7, 2.3))
    checkpoint = make_checkpoint(0, slow, spread=0.1)
    engine = Overheard(checkpoint)
    records = play(machine(checkpoint, engine), START_NS + 600 * S)
    assert is_playable(records)
    assert is_legal(engine.stream)
    struck_ns: dict[int, int] = {}
    lengths_ns = []
    for record in records:
        if is_onset(record.message):
            struck_ns[record.message[1]] = record.due_ns
        else:
            lengths_ns.append(record.due_ns - struck_ns.pop(record.message[1]))
    assert lengths_ns.count(LONGEST_NS) > 10
    assert max(lengths_ns) == LONGEST_NS
    assert all(records[-1].due_ns - at_ns <= LONGEST_NS for at_ns in struck_ns.values())


def test_who_begins_with_others_waits_until_all_are_ready(make_checkpoint: MakeCheckpoint) -> None:
    performer = machine(make_checkpoint(), paused=True)
    assert performer.wake_ns is None
    assert list(performer.plan(START_NS + 5 * S)) == []
    performer.resume()
    first = next(performer.plan(START_NS + 5 * S))
    assert first.due_ns == START_NS + 5 * S


def test_how_long_one_waited_for_the_others_changes_no_note(
    make_checkpoint: MakeCheckpoint,
) -> None:
    def after(waited_ns: int) -> list[tuple[int, bytes]]:
        performer = machine(make_checkpoint(), paused=True, density=4.0)
        begin_ns = START_NS + waited_ns
        performer.resume(from_ns=begin_ns)
        records = play(performer, begin_ns + 20 * S, begin_ns)
        return [(record.due_ns - begin_ns, record.message) for record in records]

    assert len(after(0)) > 20
    assert after(0) == after(2 * S)


def test_after_the_computer_slept_the_music_goes_on_from_now(
    make_checkpoint: MakeCheckpoint,
) -> None:
    performer = machine(make_checkpoint())
    play(performer, START_NS + S)
    awake_ns = START_NS + 3600 * S
    records = list(performer.plan(awake_ns))
    assert records[0].due_ns == awake_ns
    assert all(awake_ns <= due_ns <= awake_ns + HORIZON_NS for due_ns in dues_ns(records))


def test_a_little_late_is_caught_up(make_checkpoint: MakeCheckpoint) -> None:
    on_time, late = machine(make_checkpoint()), machine(make_checkpoint())
    expected = play(on_time, START_NS + S)
    assert play(late, START_NS + S, START_NS + BEHIND_NS) == expected


def test_velocities_are_scaled_on_the_way_out_only(make_checkpoint: MakeCheckpoint) -> None:
    checkpoint = make_checkpoint()
    plain = play(machine(checkpoint), START_NS + 60 * S)
    loud = play(machine(checkpoint, velocity_scale=3.0), START_NS + 60 * S)
    assert len(loud) == len(plain) > 10
    for before, after in zip(plain, loud, strict=True):
        if is_onset(before.message):
            assert after.message[2] == min(before.message[2] * 3, 127)
    soft = play(machine(checkpoint, velocity_scale=0.1), START_NS + 60 * S)
    assert all(r.message[2] >= 1 for r in soft if r.message[0] == 0x90)


def test_the_program_is_asked_for_first_on_the_channel(make_checkpoint: MakeCheckpoint) -> None:
    records = play(machine(make_checkpoint(), channel=3, program=40), START_NS + S)
    assert records[0] == Record(Kind.PLAY, bytes((0xC3, 40)), due_ns=START_NS)
    assert {record.message[0] & 0x0F for record in records} == {3}
    assert is_playable(records[1:])


def test_scales_out_of_range_say_so(make_checkpoint: MakeCheckpoint) -> None:
    with pytest.raises(SettingsError, match=r"tempo_scale must be within 0.1..10, not 0"):
        machine(make_checkpoint(), tempo_scale=0.0)
    with pytest.raises(SettingsError, match=r"velocity_scale must be within 0.1..4, not 5"):
        machine(make_checkpoint(), velocity_scale=5.0)


# Going on from a seed


def test_what_the_seed_left_sounding_is_released_in_the_stream_and_not_played(
    make_checkpoint: MakeCheckpoint,
) -> None:
    checkpoint = make_checkpoint(0, FEW)
    engine = Overheard(checkpoint)
    recall(engine, FEW, [Event(0.0, 60, 70), Event(0.05, 64, 80), Event(0.2, 60, 0)])
    assert engine.stream == [(0, 70, 0), (4, 80, 2), (0, 0, 3), (4, 0, 0)]
    records = play(machine(checkpoint, engine), START_NS + 5 * S)
    assert len(records) == len(engine.stream) - 4 > 10
    assert is_playable(records)
    assert min(dues_ns(records)) >= START_NS


def test_a_broken_seed_is_mended(make_checkpoint: MakeCheckpoint) -> None:
    engine = Overheard(make_checkpoint(0, FEW))
    broken = [
        Event(0.0, 61, 0),  # a release of nothing
        Event(0.05, 20, 64),  # outside the codec; its time counts
        Event(0.05, 60, 64),
        Event(0.05, 60, 65),  # struck twice
    ]
    recall(engine, FEW, broken)
    assert engine.stream == [(0, 64, 3), (0, 0, 2), (0, 65, 0), (0, 0, 0)]


# The human


@pytest.fixture
def duo(make_checkpoint: MakeCheckpoint) -> tuple[Performer, Overheard]:
    """A performer in full swing, after two seconds, with notes sounding, and what it heard."""
    for seed in range(100):
        checkpoint = make_checkpoint(seed, FEW)
        engine = Overheard(checkpoint)
        performer = machine(checkpoint, engine)
        play(performer, START_NS + 2 * S)
        if len(engine.stream) > 5 and sum(1 if t.velocity else -1 for t in engine.stream) > 1:
            performer.settings = Settings(mode="respond")
            return performer, engine
    pytest.fail("no random network plays two notes at once")


NOW_NS = START_NS + 2 * S


def test_when_the_human_plays_the_machine_is_silent_until_they_are_done(
    duo: tuple[Performer, Overheard],
) -> None:
    performer, _ = duo
    assert human(performer, NOW_NS, note_on(0, 62, 90)) == [hush(0, 1, NOW_NS + REACH_NS)]
    assert performer.wake_ns == NOW_NS + STUCK_NS
    assert list(performer.plan(NOW_NS + 60 * S)) == []
    up_ns = NOW_NS + 60 * S
    assert human(performer, up_ns, note_off(0, 62)) == []
    assert performer.wake_ns == up_ns + S - HORIZON_NS
    assert list(performer.plan(performer.wake_ns - 1)) == []
    answer = list(performer.plan(performer.wake_ns))
    assert answer[0].due_ns == up_ns + S
    assert answer[0].epoch == 1
    assert is_onset(answer[0].message)


def test_the_model_hears_the_human_in_the_stream_at_the_true_time(
    duo: tuple[Performer, Overheard],
) -> None:
    performer, engine = duo
    before = list(engine.stream)
    human(performer, NOW_NS, note_on(0, 62, 90))
    human(performer, NOW_NS + 200 * MS, note_on(0, 65, 91))
    human(performer, NOW_NS + 250 * MS, note_off(0, 62))
    human(performer, NOW_NS + 950 * MS, note_on(0, 65, 0))
    assert engine.stream[-3:] == [(5, 91, 3), (2, 0, 2), (5, 0, 4)]
    assert engine.stream[-4][:2] == (2, 90)
    # The machine's own notes were released at the human's first.
    released = engine.stream[len(before) : -4]
    assert all(token.velocity == 0 for token in released)
    assert is_legal(engine.stream)


def test_the_model_forgets_what_it_wrote_for_later_than_the_human(
    make_checkpoint: MakeCheckpoint,
) -> None:
    checkpoint = make_checkpoint(1, FEW)
    engine = Overheard(checkpoint)
    performer = machine(checkpoint, engine, horizon_ns=3 * S)
    written = list(performer.plan(START_NS))
    performer.settings = Settings(mode="respond")
    human_ns = START_NS + S
    sounded = [record for record in written if record.due_ns <= human_ns + REACH_NS]
    assert 0 < len(sounded) < len(written) == len(engine.stream)
    kept = engine.stream[: len(sounded)]
    human(performer, human_ns, note_on(0, 69, 64))
    assert engine.stream[: len(kept)] == kept
    assert notes_after(engine.stream) == {9}
    assert engine.stream[-1][:2] == (9, 64)
    assert all(token.velocity == 0 for token in engine.stream[len(kept) : -1])
    # The first thing that happens next came so long after the last that sounded.
    waited_s = (human_ns - sounded[-1].due_ns) / S
    assert engine.stream[len(kept)].time_bin == FEW.encode(Event(waited_s, 60, 0)).time_bin


def test_what_has_sounded_is_not_undone_however_late_the_human_is_heard_of(
    make_checkpoint: MakeCheckpoint,
) -> None:
    checkpoint = make_checkpoint(0, FEW)
    engine = Overheard(checkpoint)
    performer = machine(checkpoint, engine)
    records = play(performer, NOW_NS)
    records += performer.plan(NOW_NS)
    performer.settings = Settings(mode="respond")
    sounded = engine.stream[: sum(due_ns <= NOW_NS + REACH_NS for due_ns in dues_ns(records))]
    list(performer.heard(START_NS, note_on(0, 62, 90), NOW_NS))
    assert len(sounded) > 5
    assert engine.stream[: len(sounded)] == sounded
    assert all(token.velocity == 0 for token in engine.stream[len(sounded) : -1])


def test_twice_the_tempo_hears_the_human_at_half_the_speed(
    make_checkpoint: MakeCheckpoint,
) -> None:
    engine = Overheard(make_checkpoint(0, FEW))
    performer = machine(make_checkpoint(0, FEW), engine, tempo_scale=2.0, mode="respond")
    human(performer, START_NS, note_on(0, 62, 90))
    human(performer, START_NS + 25 * MS, note_off(0, 62))
    assert engine.stream == [(2, 90, 0), (2, 0, FEW.encode(Event(0.05, 60, 0)).time_bin)]


@pytest.fixture
def listener(make_checkpoint: MakeCheckpoint) -> tuple[Performer, Overheard]:
    """A performer that has not played yet."""
    engine = Overheard(make_checkpoint(0, FEW))
    performer = machine(make_checkpoint(0, FEW), engine, mode="respond")
    assert list(performer.plan(START_NS)) == [hush(0, 1, START_NS)]
    return performer, engine


def test_a_key_or_pedal_that_is_stuck_does_not_silence_the_machine_for_ever(
    listener: tuple[Performer, Overheard],
) -> None:
    performer, engine = listener
    human(performer, START_NS, control_change(0, 64, 127))
    human(performer, START_NS, note_on(0, 62, 90))
    assert list(performer.plan(START_NS + STUCK_NS - 1)) == []
    assert engine.stream == [(2, 90, 0)]
    assert list(performer.plan(START_NS + STUCK_NS)) == []  # as if it had been released just now
    assert [event[:2] for event in engine.stream] == [(2, 90), (2, 0)]
    assert list(performer.plan(START_NS + STUCK_NS + 2 * S)) != []


def test_the_pedal_holds_what_its_key_lets_go(listener: tuple[Performer, Overheard]) -> None:
    performer, engine = listener
    human(performer, START_NS, control_change(0, 64, 127))
    human(performer, START_NS, note_on(0, 62, 90))
    human(performer, START_NS + 10 * MS, note_off(0, 62))
    assert engine.stream == [(2, 90, 0)]
    assert performer.wake_ns == START_NS + STUCK_NS
    human(performer, START_NS + 60 * MS, control_change(0, 64, 0))
    assert engine.stream == [(2, 90, 0), (2, 0, 2)]
    assert performer.wake_ns is not None


def test_a_note_struck_again_under_the_pedal_is_released_first(
    listener: tuple[Performer, Overheard],
) -> None:
    performer, engine = listener
    human(performer, START_NS, control_change(0, 64, 127))
    for at_ns in (START_NS, START_NS + 200 * MS):
        human(performer, at_ns, note_on(0, 62, 90))
        human(performer, at_ns + 5 * MS, note_off(0, 62))
    assert engine.stream == [(2, 90, 0), (2, 0, 3), (2, 90, 0)]


def test_orphan_releases_and_double_strikes_are_mended(
    listener: tuple[Performer, Overheard],
) -> None:
    performer, engine = listener
    assert human(performer, START_NS, note_off(0, 62)) == []
    human(performer, START_NS, note_on(0, 62, 90))
    human(performer, START_NS + 200 * MS, note_on(1, 62, 80))
    human(performer, START_NS + 205 * MS, note_off(0, 62))
    human(performer, START_NS + 210 * MS, note_off(1, 62))
    assert engine.stream == [(2, 90, 0), (2, 0, 3), (2, 80, 0), (2, 0, 1)]


def test_a_pitch_outside_the_codec_is_not_heard(duo: tuple[Performer, Overheard]) -> None:
    performer, engine = duo
    before = list(engine.stream)
    assert human(performer, NOW_NS, note_on(0, 59, 90)) == []
    assert human(performer, NOW_NS, note_off(0, 59)) == []
    assert engine.stream == before
    assert performer.wake_ns is not None


def test_what_there_is_to_say_is_said_before_the_network_has_heard_it(
    make_checkpoint: MakeCheckpoint,
) -> None:
    engine = Overheard(make_checkpoint(0, FEW))
    performer = machine(make_checkpoint(0, FEW), engine, mode="duet")
    sounding = {}
    for record in play(performer, NOW_NS):
        if record.due_ns <= NOW_NS:
            sounding[record.message[1]] = is_onset(record.message)
    mine = next(pitch for pitch, sounds in sounding.items() if sounds)
    said = performer.heard(NOW_NS, note_on(0, mine, 90), NOW_NS)
    while next(said).message != note_off(0, mine):  # one key, two hands
        pass
    heard = len(engine.stream)
    assert not list(said)
    assert [token.velocity for token in engine.stream[heard:]] == [0, 90]


def test_a_keyboard_unplugged_with_keys_down_does_not_silence_the_machine(
    listener: tuple[Performer, Overheard],
) -> None:
    performer, engine = listener
    human(performer, START_NS, note_on(0, 62, 90))
    list(performer.human_gone(START_NS + 50 * MS, START_NS + 50 * MS))
    assert engine.stream == [(2, 90, 0), (2, 0, 2)]
    assert performer.wake_ns is not None


def test_all_notes_off_lets_all_keys_go(listener: tuple[Performer, Overheard]) -> None:
    performer, engine = listener
    human(performer, START_NS, note_on(0, 62, 90))
    human(performer, START_NS, note_on(0, 63, 90))
    human(performer, START_NS + 50 * MS, control_change(0, 123, 0))
    assert notes_after(engine.stream) == set()
    assert performer.wake_ns is not None


# Whatever happens

pitches = st.integers(58, 71)
acts = st.one_of(
    st.builds(note_on, st.just(0), pitches, st.integers(0, 127)),
    st.builds(note_off, st.just(0), pitches),
    st.builds(control_change, st.just(0), st.sampled_from([1, 64, 123]), st.sampled_from([0, 127])),
)
# (milliseconds since the last, how long ago the human did it, what; None: only plan)
happenings = st.lists(
    st.tuples(st.integers(0, 400), st.integers(0, 60), st.none() | acts), max_size=60
)


@settings(max_examples=300)
@given(
    seed=st.integers(0, 2**32 - 1),
    spread=st.sampled_from([0.1, 1.0, 10.0]),
    tempo_scale=st.floats(0.1, 10),
    patience_ms=st.integers(50, 500),
    modes=st.lists(st.sampled_from(list(MODES)), min_size=1, max_size=4),
    happenings=happenings,
    swapped_after=st.integers(0, 60),
)
def test_whatever_the_human_does_the_model_hears_what_sounds_and_nothing_is_left_sounding(
    make_checkpoint: MakeCheckpoint,
    seed: int,
    spread: float,
    tempo_scale: float,
    patience_ms: int,
    modes: list[str],
    happenings: list[tuple[int, int, bytes | None]],
    swapped_after: int,
) -> None:
    checkpoint = make_checkpoint(seed, FEW, hidden_size=4, spread=spread)
    engine = Overheard(checkpoint)
    knobs = Settings(tempo_scale=tempo_scale, patience_s=patience_ms / 1000, mode=modes[0])
    performer = Performer(engine, FEW, knobs, np.random.default_rng(seed), START_NS)
    clock, ledger = VirtualClock(START_NS), Ledger()
    told: list[Record] = []  # each message once, though a release may be sent again
    scheduler = Scheduler(clock, ledger, MemoryPort(keep=0).send, told.append)
    struck: list[int] = []  # by the human

    def pass_on(records: Iterable[Record]) -> None:
        for record in records:
            if record.kind is Kind.PLAY:
                scheduler.push(record)
            elif record.kind is Kind.HUSH:
                scheduler.hush(record.epoch, 0, record.due_ns)
            else:
                scheduler.revise(record.epoch, 0, record.due_ns)

    for count, (wait_ms, ago_ms, message) in enumerate(happenings):
        scheduler.run_until(clock.now_ns() + wait_ms * MS)
        now_ns = clock.now_ns()
        if message is None:
            pass_on(record for _, record in zip(range(20), performer.plan(now_ns), strict=False))
        else:
            struck += [message[1] - 60] * (is_onset(message) and FEW.holds(message[1]))
            pass_on(performer.heard(now_ns - ago_ms * MS, message, now_ns))
        assert is_legal(engine.stream)
        if count == swapped_after:
            engine = Overheard(make_checkpoint(seed, COARSE, hidden_size=4, spread=spread))
            for heard in performer.stream.heard_since(None):
                engine.step(COARSE.encode(heard.event))
            performer.adopt(engine, COARSE)
        if count % 10 == 9:
            performer.settings = replace(knobs, mode=modes[count // 10 % len(modes)])
    # What is written ahead sounds; then the music pauses.
    scheduler.run_until(clock.now_ns() + HORIZON_NS)
    pass_on(performer.pause(clock.now_ns()))
    scheduler.run_until(clock.now_ns() + REACH_NS)
    assert ledger.sounding == ()
    sent = [record.message for record in told if record.kind is Kind.SENT]
    assert is_legal_on_the_wire(sent)
    onsets = Counter(message[1] - 60 for message in sent if is_onset(message))
    onsets_heard = Counter(token.note for token in engine.stream if token.velocity)
    assert onsets_heard == onsets + Counter(struck)


def test_a_surprise_leads_elsewhere_and_is_a_surprise_each_time(
    make_checkpoint: MakeCheckpoint,
) -> None:
    def played(*, surprised: bool, seed: int = 0) -> list[Record]:
        performer = machine(make_checkpoint(), seed=seed)
        before = play(performer, START_NS + S)
        if surprised:
            performer.surprise()
        return before + play(performer, START_NS + 10 * S, START_NS + S)

    assert played(surprised=True) == played(surprised=True)
    assert played(surprised=True) != played(surprised=False)


def is_legal_on_the_wire(messages: Iterable[bytes]) -> bool:
    sounding: set[int] = set()
    for message in messages:
        if is_onset(message) == (message[1] in sounding):
            return False
        sounding ^= {message[1]}
    return True


def test_a_stream_is_one_of_pieces(make_checkpoint: MakeCheckpoint) -> None:
    """A piece ends with all its notes; after a breath the next begins as from silence."""
    checkpoint = make_checkpoint(3)
    engine = Overheard(checkpoint)
    records = play(machine(checkpoint, engine), START_NS + 600 * S)
    sounding: set[int] = set()
    breaths = 0
    for before, after in pairwise(records):
        (sounding.add if is_onset(before.message) else sounding.discard)(before.message[1])
        assert len(sounding) <= CROWD + 1
        if after.due_ns - before.due_ns == BREATH_NS:
            assert not sounding
            breaths += 1
    assert breaths > 0


ONE_NOTE = Codec(notes=1, edges_s=(0.0, 0.1, 0.5, 1.0), values_s=(0.0, 0.3, 0.7, 1.1))


def test_the_first_part_of_a_piece_is_played_twice(
    make_checkpoint: MakeCheckpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realtime.form.PART_EVENTS", (31, 32))
    checkpoint = make_checkpoint(0, ONE_NOTE, hidden_size=2)
    engine = Overheard(checkpoint)
    play(machine(checkpoint, engine), START_NS + 120 * S)
    part, rest = engine.stream[:31], engine.stream[31:]
    assert rest[0].velocity == 0  # what sounds when the part ends
    assert rest[1:32] == part
    assert rest[32:63] != part
    assert is_legal(engine.stream)


def test_when_the_human_plays_nothing_comes_again(
    make_checkpoint: MakeCheckpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realtime.form.PART_EVENTS", (31, 32))
    checkpoint = make_checkpoint(0, ONE_NOTE, hidden_size=2)
    engine = Overheard(checkpoint)
    performer = machine(checkpoint, engine)
    play(performer, START_NS + 10 * S)
    part = list(engine.stream)
    assert len(part) < 31
    human(performer, START_NS + 10 * S, note_on(0, 0, 64))
    human(performer, START_NS + 11 * S, note_off(0, 0))
    play(performer, START_NS + 300 * S)
    assert not any(
        engine.stream[at : at + len(part)] == part for at in range(len(part), len(engine.stream))
    )
