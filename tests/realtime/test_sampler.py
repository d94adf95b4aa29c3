"""Chance, within what may be played."""

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.checkpoint import Checkpoint
from core.codec import Codec, Token
from core.errors import SettingsError
from realtime.engine import Engine
from realtime.sampler import sample
from realtime.settings import Settings

FEW = Codec(lowest_pitch=60, notes=4, edges_s=(0.0, 0.1), values_s=(0.0, 0.2))
AT_ONCE, LATER = 0, 1

seeds = st.integers(0, 2**32 - 1)
notes = st.frozensets(st.integers(0, 3))
settings = st.builds(Settings, temperature=st.floats(0.01, 5), top_p=st.floats(0.01, 1))


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
