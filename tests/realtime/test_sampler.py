"""Chance, within what may be played."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.checkpoint import Checkpoint
from core.codec import Codec, Token
from core.errors import SettingsError
from realtime.engine import Engine, Floats
from realtime.sampler import sample
from realtime.settings import Settings

FEW = Codec(lowest_pitch=60, notes=4, edges_s=(0.0, 0.1), values_s=(0.0, 0.2))
AT_ONCE, LATER = 0, 1

seeds = st.integers(0, 2**32 - 1)
notes = st.frozensets(st.integers(0, 3))
settings = st.builds(
    Settings,
    temperature=st.floats(0.01, 5),
    top_p=st.floats(0.01, 1),
    floor=st.floats(0, 0.5),
    register_low=st.integers(0, 62),
    register_high=st.integers(62, 127),
    register_center=st.sampled_from([0, 20, 61]),
    polyphony=st.integers(1, 5),
    key=st.sampled_from(["off", "C", "F#"]),
    key_strength=st.sampled_from([0.5, 1]),
    velocity_low=st.integers(1, 100),
    velocity_high=st.integers(100, 127),
)


def biased(checkpoint: Checkpoint, head: str, logits: list[float]) -> Engine:
    """An engine whose `head` has these logits, whatever it heard."""
    weights = dict(checkpoint.weights)
    weights[f"{head}.weight"] = np.zeros_like(weights[f"{head}.weight"])
    weights[f"{head}.bias"] = np.array(logits, np.float32)
    return Engine(Checkpoint(config=checkpoint.config, codec=checkpoint.codec, weights=weights))


def draws(engine: Engine, settings: Settings, count: int = 2000) -> list[Token]:
    rng = np.random.default_rng(0)
    return [sample(engine, FEW, settings, rng) for _ in range(count)]


@given(seeds, settings, notes, notes, notes.filter(lambda held: len(held) < 4))
def test_whatever_the_network_wants_the_token_is_legal(
    make_checkpoint: Callable[..., Checkpoint],
    seed: int,
    settings: Settings,
    sounding: frozenset[int],
    struck: frozenset[int],
    held: frozenset[int],
) -> None:
    engine = Engine(make_checkpoint(seed, FEW, spread=5.0))
    token = sample(
        engine,
        FEW,
        settings,
        np.random.default_rng(seed),
        sounding=sounding | struck,
        struck_now=struck,
        held=held,
    )
    assert (token.velocity == 0) == (token.note in sounding | struck)
    assert token.note not in held
    assert not (token.time_bin == AT_ONCE and token.note in struck)


def plainly(logits: Floats, rng: np.random.Generator, top_p: float = 0.95) -> int:
    """A draw from the likeliest that make up `top_p` of all chances."""
    likeliest_first = np.argsort(-logits.astype(np.float64))
    chances = np.exp(logits.astype(np.float64) - logits.max())[likeliest_first].cumsum()
    top = chances[chances.searchsorted(top_p * chances[-1])]
    return int(likeliest_first[chances.searchsorted(rng.random() * top, "right")])


@given(seeds)
def test_settings_that_ask_for_nothing_change_no_choice(
    make_checkpoint: Callable[..., Checkpoint], seed: int
) -> None:
    engine, rng = Engine(make_checkpoint(seed, FEW)), np.random.default_rng(seed)
    time_bin = plainly(engine.time_logits(), rng)
    note = plainly(engine.note_logits(time_bin), rng)
    velocity = plainly(engine.velocity_logits(time_bin, note), rng)
    token = sample(engine, FEW, Settings(), np.random.default_rng(seed))
    assert token == Token(note, velocity, time_bin)


def test_when_every_note_was_struck_now_time_must_pass(
    make_checkpoint: Callable[..., Checkpoint],
) -> None:
    engine = biased(make_checkpoint(0, FEW), "time", [50.0, -50.0])
    everything = frozenset(range(4))
    token = sample(
        engine,
        FEW,
        Settings(),
        np.random.default_rng(0),
        sounding=everything,
        struck_now=everything,
    )
    assert token.time_bin == LATER
    assert token.velocity == 0


def test_nobody_plays_when_the_human_holds_every_note(
    make_checkpoint: Callable[..., Checkpoint],
) -> None:
    engine = Engine(make_checkpoint(0, FEW))
    with pytest.raises(ValueError, match="holds them all"):
        sample(engine, FEW, Settings(), np.random.default_rng(0), held=frozenset(range(4)))


def test_choices_come_as_often_as_the_network_says(
    make_checkpoint: Callable[..., Checkpoint],
) -> None:
    engine = biased(make_checkpoint(0, FEW), "note", np.log([0.5, 0.3, 0.15, 0.05]).tolist())
    counts = Counter(token.note for token in draws(engine, Settings(top_p=1.0)))
    shares = [counts[note] / 2000 for note in range(4)]
    np.testing.assert_allclose(shares, [0.5, 0.3, 0.15, 0.05], atol=0.03)


def test_a_low_temperature_takes_the_likeliest(make_checkpoint: Callable[..., Checkpoint]) -> None:
    engine = biased(make_checkpoint(0, FEW), "note", [0.0, 0.3, 0.2, 0.1])
    assert {token.note for token in draws(engine, Settings(temperature=0.01))} == {1}


def test_top_p_drops_the_least_likely(make_checkpoint: Callable[..., Checkpoint]) -> None:
    engine = biased(make_checkpoint(0, FEW), "note", np.log([0.5, 0.3, 0.15, 0.05]).tolist())
    assert {token.note for token in draws(engine, Settings(top_p=0.9))} == {0, 1, 2}
    assert {token.note for token in draws(engine, Settings(top_p=0.4))} == {0}


def test_a_choice_below_the_floor_never_comes(make_checkpoint: Callable[..., Checkpoint]) -> None:
    engine = biased(make_checkpoint(0, FEW), "note", np.log([0.5, 0.3, 0.15, 0.05]).tolist())
    played = {token.note for token in draws(engine, Settings(top_p=1, floor=0.2))}
    assert played == {0, 1}
    assert {token.note for token in draws(engine, Settings(top_p=1, floor=0.5))} == {0}


def test_temperatures_are_apart(make_checkpoint: Callable[..., Checkpoint]) -> None:
    engine = Engine(make_checkpoint(0, FEW))
    surely = {"temperature": 0.1, "top_p": 1.0}
    times = {t.time_bin for t in draws(engine, Settings(**surely, temperature_time=10))}
    notes = {t.note for t in draws(engine, Settings(**surely, temperature_note=10))}
    hard = {t.velocity for t in draws(engine, Settings(**surely, temperature_velocity=10))}
    assert (len(times), len(notes)) == (2, 4)
    assert len(hard) > 60


def test_the_register_is_kept_and_the_scale_in_it(
    make_checkpoint: Callable[..., Checkpoint],
) -> None:
    engine = biased(make_checkpoint(0, FEW), "note", [9.0, 0.0, 0.0, 0.0])

    def played(**settings: Any) -> set[int]:
        return {token.note + FEW.lowest_pitch for token in draws(engine, Settings(**settings))}

    assert played(register_low=61) == {61, 62, 63}
    assert played(register_low=61, register_high=62) == {61, 62}
    assert played(register_low=61, key="C") == {62}
    assert played(register_low=61, register_high=61, key="C") == {61}  # the register counts
    assert played(register_low=70) == {63}  # the nearest that the model has
    assert played(key="E", scale="pentatonic") == {61}


def test_half_a_scale_makes_other_notes_half_as_likely(
    make_checkpoint: Callable[..., Checkpoint],
) -> None:
    engine = biased(make_checkpoint(0, FEW), "note", [0.0] * 4)
    played = draws(engine, Settings(key="C", key_strength=0.5, top_p=1))
    counts = Counter(token.note for token in played)
    assert counts[0] / counts[1] == pytest.approx(2, abs=0.3)
    assert counts[2] / counts[3] == pytest.approx(2, abs=0.3)


def test_notes_are_drawn_to_the_centre_of_the_register(
    make_checkpoint: Callable[..., Checkpoint],
) -> None:
    engine = biased(make_checkpoint(0, FEW), "note", [0.0] * 4)
    counts = Counter(token.note for token in draws(engine, Settings(register_center=80, top_p=1)))
    assert [note for note, _ in counts.most_common()] == [3, 2, 1, 0]


def test_a_narrow_register_makes_for_other_notes_not_for_fewer(
    make_checkpoint: Callable[..., Checkpoint],
) -> None:
    weights = make_checkpoint(0, FEW)
    engine = biased(weights, "note", [2.0, 2.0, 2.0, -2.0])
    engine.step(Token(0, 80, LATER))  # it may be released now

    def strikes(settings: Settings) -> int:
        rng = np.random.default_rng(0)
        drawn = [sample(engine, FEW, settings, rng, sounding={0}) for _ in range(2000)]
        return sum(token.velocity > 0 for token in drawn)

    narrow = strikes(Settings(register_low=63, top_p=1))
    assert narrow == pytest.approx(strikes(Settings(top_p=1)), rel=0.05)


def test_velocities_are_kept_within_their_range(
    make_checkpoint: Callable[..., Checkpoint],
) -> None:
    engine = Engine(make_checkpoint(0, FEW))
    played = {t.velocity for t in draws(engine, Settings(velocity_low=60, velocity_high=64))}
    assert played == {60, 61, 62, 63, 64}
    # What is played counts, and where scaling does not reach the range what comes nearest.
    scaled = Settings(velocity_low=60, velocity_high=64, velocity_scale=2)
    assert {t.velocity for t in draws(engine, scaled)} == {30, 31, 32}
    beyond = Settings(velocity_low=60, velocity_scale=0.1)
    assert {t.velocity for t in draws(engine, beyond)} == {126, 127}


@given(seeds)
def test_no_more_notes_sound_at_once_than_asked_for(
    make_checkpoint: Callable[..., Checkpoint], seed: int
) -> None:
    engine, rng = Engine(make_checkpoint(seed, FEW, spread=5.0)), np.random.default_rng(seed)
    sounding: set[int] = set()
    struck_now: set[int] = set()
    for _ in range(50):
        token = sample(
            engine, FEW, Settings(polyphony=2), rng, sounding=sounding, struck_now=struck_now
        )
        engine.step(token)
        if token.time_bin != AT_ONCE:
            struck_now.clear()
        if token.velocity:
            sounding.add(token.note)
            struck_now.add(token.note)
        else:
            sounding.remove(token.note)
        assert len(sounding) <= 2


def test_the_humans_notes_do_not_count(make_checkpoint: Callable[..., Checkpoint]) -> None:
    engine = Engine(make_checkpoint(0, FEW))
    rng, held = np.random.default_rng(0), {0, 1, 2}
    alone = Settings(polyphony=1, register_high=61)  # all of it is under the human's hands
    assert sample(engine, FEW, alone, rng, sounding=held, held=held).note == 3


def test_after_too_many_notes_the_next_event_comes_later(
    make_checkpoint: Callable[..., Checkpoint],
) -> None:
    engine = biased(make_checkpoint(0, FEW), "time", [0.0, 0.0])

    def later(ahead: float, density: float = 1) -> int:
        rng, settings = np.random.default_rng(0), Settings(density=density, top_p=1)
        drawn = [sample(engine, FEW, settings, rng, ahead=ahead) for _ in range(1000)]
        return sum(token.time_bin == LATER for token in drawn)

    assert later(-20) < 200 < later(0) < 800 < later(20)
    assert later(20, density=0) == later(0)


def test_a_density_leaves_no_silence(make_checkpoint: Callable[..., Checkpoint]) -> None:
    codec = Codec.log_spaced()
    engine, rng = Engine(make_checkpoint(0, codec)), np.random.default_rng(0)

    def longest_s(density: float) -> float:
        settings = Settings(density=density, top_p=1)
        drawn = [sample(engine, codec, settings, rng, ahead=80) for _ in range(300)]
        return max(codec.values_s[token.time_bin] for token in drawn)

    assert longest_s(density=0) > 5
    assert 1 < longest_s(density=5) <= 10 / 5


def test_notes_are_released_sooner_or_later_as_articulation_asks(
    make_checkpoint: Callable[..., Checkpoint],
) -> None:
    engine = Engine(make_checkpoint(0, FEW))
    engine.step(Token(0, 80, LATER))

    def releases(articulation: float) -> int:
        rng, settings = np.random.default_rng(0), Settings(articulation=articulation, top_p=1)
        drawn = [sample(engine, FEW, settings, rng, sounding={0}) for _ in range(1000)]
        return sum(not token.velocity for token in drawn)

    assert 1.5 * releases(4) < releases(1) < releases(0.25) / 1.5


def test_the_same_seed_draws_the_same(make_checkpoint: Callable[..., Checkpoint]) -> None:
    engine = Engine(make_checkpoint(0, FEW))
    assert draws(engine, Settings()) == draws(engine, Settings())


@pytest.mark.parametrize("nonsense", [np.nan, np.inf, -np.inf])
def test_a_network_that_overflows_still_plays_legally(
    make_checkpoint: Callable[..., Checkpoint], nonsense: float
) -> None:
    engine = biased(make_checkpoint(0, FEW), "note", [nonsense] * 4)
    rng = np.random.default_rng(0)
    played = {sample(engine, FEW, Settings(), rng, held={0}).note for _ in range(50)}
    assert played == {1, 2, 3}


@pytest.mark.parametrize(
    ("field", "value"),
    [("temperature", 0.0), ("temperature", 5.1), ("temperature", np.nan), ("top_p", 1.01)],
)
def test_settings_out_of_range_say_so(field: str, value: float) -> None:
    with pytest.raises(SettingsError, match=rf"{field} must be within .*, not {value:g}"):
        Settings(**{field: value})
