"""Knobs turned while it plays: what comes out is what was asked for."""

from collections.abc import Callable, Iterable
from itertools import accumulate

import numpy as np
import pytest

from core.checkpoint import Checkpoint
from core.codec import Codec
from realtime.clock import NS_PER_S
from realtime.engine import Engine
from realtime.performer import Performer
from realtime.settings import Settings
from realtime.wire import Record, is_note, is_onset, note_on

OCTAVES = Codec(
    lowest_pitch=48,
    notes=36,
    edges_s=(0.0, 0.005, 0.05, 0.15, 0.4, 1.0, 3.0),
    values_s=(0.0, 0.02, 0.1, 0.25, 0.6, 1.5, 5.0),
)

MakeCheckpoint = Callable[..., Checkpoint]


@pytest.fixture
def performer(make_checkpoint: MakeCheckpoint) -> Performer:
    return on(make_checkpoint(0, OCTAVES, spread=0.2))


def on(checkpoint: Checkpoint, seed: int = 0, **knobs: float | str) -> Performer:
    settings = Settings(**{"mode": "free", **knobs})  # type: ignore[arg-type]
    rng = np.random.default_rng(seed)
    return Performer(Engine(checkpoint), checkpoint.codec, settings, rng, 0)


def turn(performer: Performer, **knobs: float | str) -> None:
    settings = {name: getattr(performer.settings, name) for name in Settings.__slots__}
    performer.settings = Settings(**settings | knobs)


def play(performer: Performer, from_s: float, until_s: float) -> list[Record]:
    """The note messages."""
    records = list(performer.plan(round(from_s * NS_PER_S)))
    while (wake_ns := performer.wake_ns) is not None and wake_ns < until_s * NS_PER_S:
        records += performer.plan(wake_ns)
    return [record for record in records if is_note(record.message)]


def onsets(records: Iterable[Record]) -> list[Record]:
    return [record for record in records if is_onset(record.message)]


@pytest.mark.parametrize("density", [0.5, 2, 12])
def test_as_many_notes_come_as_are_asked_for(performer: Performer, density: float) -> None:
    turn(performer, density=density, polyphony=6)
    play(performer, 0, 60)
    notes = onsets(play(performer, 60, 260))
    assert len(notes) / 200 == pytest.approx(density, rel=0.15)


def test_of_few_notes_there_are_no_more_at_the_beginning(make_checkpoint: MakeCheckpoint) -> None:
    played = 0
    for seed in range(8):
        performer = on(make_checkpoint(seed, OCTAVES, spread=0.2), density=0.5)
        played += len(onsets(play(performer, 0, 4)))
    assert played <= 8 * 4 * 0.5


def test_density_is_of_the_second_that_passes_whatever_the_tempo(
    make_checkpoint: MakeCheckpoint,
) -> None:
    performer = on(make_checkpoint(0, OCTAVES, spread=0.2), density=4, polyphony=6, tempo_scale=3)
    play(performer, 0, 30)
    assert len(onsets(play(performer, 30, 130))) / 100 == pytest.approx(4, rel=0.15)


def test_however_long_the_next_event_was_to_wait_a_knob_is_heard_soon(
    make_checkpoint: MakeCheckpoint,
) -> None:
    for seed in range(8):
        performer = on(make_checkpoint(seed, Codec.log_spaced(), spread=0.2), density=0.1)
        play(performer, 0, 120)
        turn(performer, density=20)
        assert len(onsets(play(performer, 120, 124))) > 10


def test_turning_a_knob_to_and_fro_makes_no_more_notes(make_checkpoint: MakeCheckpoint) -> None:
    still, turned = (on(make_checkpoint(0, OCTAVES, spread=0.2), polyphony=6) for _ in range(2))
    notes = []
    for at_ms in range(0, 200_000, 20):
        turn(turned, top_p=0.95 if at_ms % 40 else 0.951)
        notes += onsets(play(turned, at_ms / 1000, at_ms / 1000 + 0.02))
    assert len(notes) == pytest.approx(len(onsets(play(still, 0, 200))), rel=0.2)


def test_a_paused_song_is_not_made_up_for(performer: Performer) -> None:
    turn(performer, density=4)
    play(performer, 0, 60)
    list(performer.pause(60 * NS_PER_S))
    performer.resume()
    notes = onsets(play(performer, 600, 610))
    assert len(notes) < 10 * 4 * 2


def test_every_knob_is_heard_while_it_plays(performer: Performer) -> None:
    play(performer, 0, 20)
    turn(performer, register_low=60, register_high=72, key="D", scale="pentatonic", density=6)
    assert onsets(play(performer, 20, 60))[1:]
    pitches = {record.message[1] for record in onsets(play(performer, 60, 120))}
    assert pitches == {62, 64, 66, 69, 71}
    turn(performer, velocity_low=100, velocity_high=110)
    play(performer, 120, 130)
    assert (
        {100, 110}
        <= {r.message[2] for r in onsets(play(performer, 130, 400))}
        <= {*range(100, 111)}
    )


def test_notes_end_until_no_more_sound_than_asked_for(performer: Performer) -> None:
    before = play(performer, 0, 20)
    turn(performer, polyphony=2)
    after = play(performer, 20, 60)
    sounding = list(accumulate(1 if is_onset(r.message) else -1 for r in before + after))
    many = sounding[len(before) - 1]
    assert many > 2
    assert max(sounding[len(before) + many :]) == 2


def test_what_was_chosen_otherwise_does_not_come_again(
    make_checkpoint: MakeCheckpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realtime.form.PART_EVENTS", (31, 32))
    performer = on(make_checkpoint(0, OCTAVES))
    play(performer, 0, 5)
    turn(performer, register_low=80)
    play(performer, 5, 10)
    assert all(record.message[1] >= 80 for record in onsets(play(performer, 10, 120)))


def test_the_tempo_and_the_loudness_turn_while_it_plays(make_checkpoint: MakeCheckpoint) -> None:
    plain, turned = (on(make_checkpoint(0, OCTAVES), polyphony=6) for _ in range(2))
    first = play(plain, 0, 10)
    assert play(turned, 0, 10) == first
    turn(turned, tempo_scale=2.0, velocity_scale=0.5)
    # Not for longer: notes would be released for their age, which is of our seconds.
    slow, fast = play(plain, 10, 20), play(turned, 10, 15)
    count = min(len(slow), len(fast))
    assert count > 20
    for before, after in zip(slow[:count], fast[:count], strict=True):
        assert before.message[:2] == after.message[:2]
        assert before.due_ns - slow[0].due_ns == pytest.approx(
            2 * (after.due_ns - fast[0].due_ns), abs=1000
        )
        if is_onset(before.message):
            assert after.message[2] == max(round(before.message[2] / 2), 1)


def test_a_surprise_outlives_that_the_human_joins_in(make_checkpoint: MakeCheckpoint) -> None:
    def answer(surprise: bool) -> list[bytes]:
        performer = on(make_checkpoint(0, OCTAVES), mode="respond")
        if surprise:
            performer.surprise()
        list(performer.heard(NS_PER_S, note_on(0, 60, 80), NS_PER_S))
        list(performer.heard(2 * NS_PER_S, note_on(0, 60, 0), 2 * NS_PER_S))
        return [record.message for record in play(performer, 2, 10)]

    assert answer(surprise=True) != answer(surprise=False)
