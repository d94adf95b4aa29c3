"""Small networks with random weights: enough for every law that does not depend on taste."""

from collections.abc import Callable

import numpy as np
import pytest

from core.checkpoint import Checkpoint, ModelConfig
from core.codec import Codec

MakeCheckpoint = Callable[..., Checkpoint]


def random_checkpoint(
    seed: int = 0,
    codec: Codec | None = None,
    *,
    layers: int = 1,
    hidden_size: int = 16,
    spread: float = 0.5,
    plain: bool = False,
) -> Checkpoint:
    codec = codec or Codec.log_spaced()
    config = ModelConfig(
        hidden_size=hidden_size, layers=layers, embedding_size=8, head_size=8, plain=plain
    )
    rng = np.random.default_rng(seed)
    weights = {
        name: rng.normal(0, spread, shape).astype(np.float32)
        for name, shape in config.weight_shapes(codec).items()
    }
    return Checkpoint(config=config, codec=codec, weights=weights)


@pytest.fixture(scope="session")
def make_checkpoint() -> MakeCheckpoint:
    """`make_checkpoint(seed, codec, layers=, ...)`: same seed, same weights."""
    return random_checkpoint
