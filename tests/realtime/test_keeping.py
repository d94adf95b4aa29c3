"""A piece keeps its key and its place: other notes are struck, not more, and nothing is left of
what has never been.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from core import checkpoint, midi_file
from core.checkpoint import Checkpoint
from core.codec import Codec, Token
from core.events import Event
from realtime import composer
from realtime.bias import Strikes, which_not_whether
from realtime.clock import NS_PER_MS, NS_PER_S
from realtime.engine import Engine
from realtime.keeping import MIDDLE, NOTHING, Keeping
from realtime.pacing import Pacing
from realtime.past import recall
from realtime.performer import Performer
from realtime.sampler import sample
from realtime.settings import Settings
from realtime.stream import Stream
from realtime.wire import note_on

MakeCheckpoint = Callable[..., Checkpoint]

CODEC = Codec(edges_s=(0.0, 0.005, 0.1), values_s=(0.0, 0.02, 0.5))
C = 0  # a pitch class
EVERY_NS = 10 * NS_PER_MS

scores = arrays(np.float64, 12, elements=st.floats(-400, 400))


def kept(*pitches: int) -> Keeping:
    keeping = NOTHING
    for pitch in pitches:
        keeping = keeping.and_struck(pitch)
    return keeping


def bias(keeping: Keeping, **knobs: Any) -> dict[int, float]:
    """By pitch."""
    return dict(enumerate(keeping.bias(CODEC, Settings(**knobs)).tolist()))


def log_sum(scores: np.ndarray) -> float:
    return float(np.logaddexp.reduce(scores))


@given(scores, scores, st.frozensets(st.integers(0, 11), max_size=11))
def test_it_changes_which_note_is_struck_not_whether_one_is(
    scores: np.ndarray, bias: np.ndarray, sounding: frozenset[int]
) -> None:
    after = scores + which_not_whether(scores, Strikes(bias=bias), sounding)
    silent = [note for note in range(12) if note not in sounding]
    np.testing.assert_allclose(log_sum(after[silent]), log_sum(scores[silent]), atol=1e-9)
    np.testing.assert_array_equal(after[list(sounding)], scores[list(sounding)])
    wanted = (scores + bias)[silent]
    np.testing.assert_allclose(after[silent] - after[silent[0]], wanted - wanted[0], atol=1e-9)


def test_as_many_notes_are_struck_with_it(make_checkpoint: MakeCheckpoint) -> None:
    weights = dict(make_checkpoint(0, CODEC).weights)
    for name in ("note.weight", "release.weight", "release_by_age.weight"):
        weights[name] = np.zeros_like(weights[name])
    config = make_checkpoint(0, CODEC).config
    engine = Engine(Checkpoint(config=config, codec=CODEC, weights=weights))
    sounding = set(range(40, 100))
    for note in sounding:
        engine.step(Token(note, 80, 2))
    leaning = kept(*[72] * 2000).bias(CODEC, Settings())

    def drawn(leaning: np.ndarray | None) -> list[Token]:
        rng, settings = np.random.default_rng(0), Settings(top_p=1)
        return [
            sample(engine, CODEC, settings, rng, sounding=sounding, leaning=leaning)
            for _ in range(3000)
        ]

    plain, with_it = drawn(None), drawn(leaning)
    releases = [sum(not token.velocity for token in tokens) for tokens in (plain, with_it)]
    assert 500 < releases[0] < 2500
    assert abs(releases[1] - releases[0]) < 150  # four times what chance makes of it
    of_c = [sum(t.note % 12 == C for t in tokens if t.velocity) for tokens in (plain, with_it)]
    assert of_c[1] > 1.3 * of_c[0]


def test_a_piece_keeps_its_key() -> None:
    after = bias(kept(*[60, 67] * 40, 62)._replace(pitch=MIDDLE))
    assert after[60] == after[72] == after[67] > after[62] > after[61] == after[66]


def test_a_piece_that_lies_too_high_comes_down_and_one_too_low_comes_up() -> None:
    high, low = (bias(NOTHING._replace(pitch=pitch)) for pitch in (83, 43))
    assert high[48] > high[60] > high[72]
    assert low[48] < low[60] < low[72]


def test_before_the_first_note_it_wants_nothing() -> None:
    assert len(set(bias(NOTHING).values())) == 1


def test_the_key_that_the_musician_asks_for_counts_instead() -> None:
    keeping = kept(*[60] * 40)._replace(pitch=MIDDLE)

    def lean(**knobs: Any) -> float:
        of = bias(keeping, **knobs)
        return of[60] - of[61]

    assert lean() == lean(key="D", key_strength=0) > lean(key="D", key_strength=0.5) > 0
    assert lean(key="D") == 0


def test_the_middle_is_that_of_the_register_that_the_musician_asks_for() -> None:
    def upwards(pitch: float, **knobs: Any) -> float:
        of = bias(NOTHING._replace(pitch=pitch), **knobs)
        return of[80] - of[40]

    assert upwards(84, register_center=84) == 0 > upwards(84)
    assert upwards(72, register_low=72) == 0 > upwards(72)
    assert upwards(40, register_high=40) == 0 < upwards(40)


def test_a_codec_of_fewer_notes_has_the_bias_of_its_pitches() -> None:
    few = Codec(lowest_pitch=21, notes=88, edges_s=CODEC.edges_s, values_s=CODEC.values_s)
    keeping = kept(60, 64, 67, 90)
    np.testing.assert_array_equal(
        keeping.bias(few, Settings()), keeping.bias(CODEC, Settings())[21:109]
    )


# What is kept is what stands


STEPS = st.lists(
    st.tuples(st.sampled_from(("play", "begin", "human", "sound", "undo")), st.integers(0, 6)),
    max_size=60,
)


@given(STEPS)
def test_it_knows_what_stands_of_the_piece_whatever_is_undone(
    make_checkpoint: MakeCheckpoint, steps: list[tuple[str, int]]
) -> None:
    before = kept(50, 51)
    stream = Stream(Engine(make_checkpoint(1, CODEC)), CODEC, Pacing(), 0, before)
    expected = [before]  # after the last event that cannot be undone, and after each one since
    for what, number in steps:
        last = stream.last
        note = 60 + number
        velocity = 0 if note in last.struck_ns else 80
        after = expected[-1].and_struck(note) if velocity else expected[-1]
        at_ns = last.at_ns + EVERY_NS
        if what == "play":
            stream.hear(at_ns, stream.token(at_ns, note, velocity))
            expected.append(after)
        elif what == "begin" and not last.struck_ns:
            stream.hear(at_ns, stream.token(at_ns, note, velocity), begins=True)
            expected.append(kept(note))
        elif what == "human":
            stream.happens(at_ns, note, velocity)
            expected = [after]
        elif what in ("sound", "undo"):
            fixed_ns = last.at_ns - number * EVERY_NS
            count = min(number, len(expected) - 1)
            if what == "sound":
                stream.sounded(fixed_ns)
                expected = expected[len(expected) - 1 - count :]
            else:
                stream.undo(fixed_ns)
                expected = expected[: len(expected) - count]
        assert stream.last.keeping == expected[-1]


def test_a_prompt_counts(make_checkpoint: MakeCheckpoint) -> None:
    music = [
        Event(0.0, 60, 70),
        Event(0.1, 60, 0),
        Event(0.1, 20, 70),  # outside the codec
        Event(0.1, 67, 70),
        Event(0.1, 67, 70),  # struck twice
    ]
    few = Codec(lowest_pitch=24, notes=89, edges_s=CODEC.edges_s, values_s=CODEC.values_s)
    engine = Engine(make_checkpoint(0, few))
    assert recall(engine, few, music) == kept(60, 67, 67)
    assert recall(engine, few, music[:1], kept(72)) == kept(72, 60)


def test_the_seed_file_and_what_sounded_before_a_composer_died_count(
    make_checkpoint: MakeCheckpoint, tmp_path: Path
) -> None:
    model, seed_file = tmp_path / "random.safetensors", tmp_path / "seed.mid"
    checkpoint.save(model, make_checkpoint(0, CODEC))
    midi_file.write(seed_file, [(0, note_on(0, 60, 80)), (NS_PER_S, note_on(0, 60, 0))])
    orders: dict[str, Any] = {
        "model": str(model),
        "seed_file": str(seed_file),
        "seed_events": -128,
        "settings": {},
        "rng": 1,
        "channel": 0,
        "program": None,
        "past": [(0, note_on(0, 67, 80).hex()), (NS_PER_S, note_on(0, 67, 0).hex())],
    }
    assert composer.performer(orders, lambda: 0).stream.last.keeping == kept(60, 67)


def test_what_the_human_plays_counts(make_checkpoint: MakeCheckpoint) -> None:
    weights = make_checkpoint(0, CODEC)
    settings, rng = Settings(mode="respond"), np.random.default_rng(0)
    performer = Performer(Engine(weights), CODEC, settings, rng, 0, keeping=kept(50))
    for index, pitch in enumerate((60, 64, 67)):
        list(performer.heard(index * NS_PER_S, note_on(0, pitch, 80), index * NS_PER_S))
    assert performer.stream.last.keeping == kept(50, 60, 64, 67)


def test_what_was_struck_makes_it_likelier_where_it_is_played_from(
    make_checkpoint: MakeCheckpoint,
) -> None:
    three = Codec(lowest_pitch=48, notes=36, edges_s=CODEC.edges_s, values_s=CODEC.values_s)
    weights = make_checkpoint(0, three, spread=0.05)

    def of_c(keeping: Keeping) -> int:
        few, rng = Settings(polyphony=3), np.random.default_rng(0)
        performer = Performer(Engine(weights), three, few, rng, 0, keeping=keeping)
        struck: Counter[int] = Counter()
        while struck.total() < 400:
            for record in performer.plan(performer.wake_ns or 0):
                if record.message[2]:
                    struck[record.message[1] % 12] += 1
        return struck[C]

    assert of_c(NOTHING._replace(classes=(10_000,) + (0,) * 11)) > 1.5 * of_c(NOTHING)
