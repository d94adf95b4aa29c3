"""composerd; and small networks with random weights, enough for every law that needs no taste."""

import socket
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from core.checkpoint import Checkpoint, ModelConfig
from core.codec import Codec
from tests.realtime.composerd import Composerd, Start

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


@pytest.fixture
def composerd() -> Iterator[Start]:
    """Start composerd with these arguments; it ends with the test."""
    started: list[Composerd] = []

    def start(*arguments: object) -> Composerd:
        started.append(Composerd(*arguments))
        return started[-1]

    yield start
    for daemon in started:
        daemon.kill()
    for daemon in started:
        daemon.said()


@pytest.fixture
def free_port() -> int:
    """A number for OSC that nobody listens to."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
