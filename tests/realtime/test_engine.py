"""The numpy step is the torch model, and a state is all that it remembers."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.checkpoint import Checkpoint
from core.codec import Codec, Token
from realtime.engine import Engine
from realtime.plain import engine_for

tokens = st.builds(Token, st.integers(0, 127), st.integers(0, 127), st.integers(0, 63))
streams = st.lists(tokens, max_size=20)


def random_stream(length: int) -> list[Token]:
    rng = np.random.default_rng(1)
    columns = (rng.integers(0, size, length).tolist() for size in (128, 128, 64))
    return [Token(*row) for row in zip(*columns, strict=True)]


def expectations(engine: Engine) -> list[np.ndarray]:
    return [engine.time_logits(), engine.note_logits(3), engine.velocity_logits(3, 60)]


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_a_thousand_steps_equal_the_torch_model(
    make_checkpoint: Callable[..., Checkpoint], layers: int, plain: bool
) -> None:
    torch = pytest.importorskip("torch")
    from core.model import build

    # As fitted to music: no age then lies on the edge of a bin, where the last bit decides.
    codec = Codec.log_spaced().fitted(np.geomspace(0.001, 20, 1000))
    checkpoint = make_checkpoint(0, codec, layers=layers, hidden_size=64, spread=0.3, plain=plain)
    model = build(checkpoint.config, checkpoint.codec).eval()
    model.load_state_dict({k: torch.from_numpy(v) for k, v in checkpoint.weights.items()})
    stream = random_stream(1000)
    with torch.no_grad():
        inputs = torch.cat([model.start[None], torch.tensor(stream[:-1])])
        logits, _ = model(inputs[None], torch.tensor(stream)[None])

    engine = engine_for(checkpoint)
    for step, (note, velocity, time_bin) in enumerate(stream):
        ours = (
            engine.time_logits(),
            engine.note_logits(time_bin),
            engine.velocity_logits(time_bin, note),
        )
        theirs = (logits.time, logits.note, logits.velocity)
        for got, expected in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(got, expected[0, step].numpy(), atol=1e-4, rtol=0)
        engine.step(Token(note, velocity, time_bin))


@given(first=streams, astray=streams, rest=streams)
def test_fed_in_pieces_equals_fed_whole(
    make_checkpoint: Callable[..., Checkpoint],
    first: list[Token],
    astray: list[Token],
    rest: list[Token],
) -> None:
    checkpoint = make_checkpoint(layers=2)
    whole, pieces = Engine(checkpoint), Engine(checkpoint)
    for token in first + rest:
        whole.step(token)
    for token in first:
        pieces.step(token)
    here = pieces.snapshot()
    for token in astray:
        pieces.step(token)
        pieces.time_logits()
    pieces.restore(here)
    for token in rest:
        pieces.step(token)
    for got, expected in zip(expectations(pieces), expectations(whole), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_a_restored_engine_expects_what_it_expected(
    make_checkpoint: Callable[..., Checkpoint],
) -> None:
    engine = Engine(make_checkpoint())
    before, here = expectations(engine), engine.snapshot()
    engine.step(Token(60, 64, 10))
    assert not np.array_equal(engine.time_logits(), before[0])
    engine.restore(here)
    for got, expected in zip(expectations(engine), before, strict=True):
        np.testing.assert_array_equal(got, expected)


def test_reset_is_silence(make_checkpoint: Callable[..., Checkpoint]) -> None:
    checkpoint = make_checkpoint(layers=2)
    engine = Engine(checkpoint)
    for token in random_stream(5):
        engine.step(token)
    engine.reset()
    for got, expected in zip(expectations(engine), expectations(Engine(checkpoint)), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_a_nudge_changes_what_is_expected_and_can_be_undone(
    make_checkpoint: Callable[..., Checkpoint],
) -> None:
    engine, undisturbed = (Engine(make_checkpoint()) for _ in range(2))
    before = engine.snapshot()
    engine.nudge(np.random.default_rng(0))
    for each in (engine, undisturbed):
        each.step(Token(5, 80, 3))
    assert not np.allclose(engine.time_logits(), undisturbed.time_logits())
    engine.restore(before)
    engine.step(Token(5, 80, 3))
    assert np.array_equal(engine.time_logits(), undisturbed.time_logits())
