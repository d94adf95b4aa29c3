"""The one thing that passes between the halves: weights and what they mean, in one file.

The file is safetensors: float16 tensors named as in `core.model`, and under `composer` in its
metadata a JSON text with the version, the model's shape, the codec and the training record.
Readable without torch; nothing in it is ever executed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from core.codec import Codec
from core.errors import CheckpointError

VERSION = 1
SHIPPED = Path(__file__).with_name("shipped.safetensors")

MAX_BYTES = 1 << 30  # a streaming model is a hundred times smaller
_KEY = "composer"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """Shape of the network. Saved inside every checkpoint.

    Raises:
        ValueError: a size is not positive.
    """

    hidden_size: int = 512
    layers: int = 1
    embedding_size: int = 256
    head_size: int = 256
    dropout: float = 0.1  # between layers and before the heads, training only

    def __post_init__(self) -> None:
        sizes = (self.hidden_size, self.layers, self.embedding_size, self.head_size)
        if not all(isinstance(size, int) and 1 <= size <= 16384 for size in sizes):
            raise ValueError(f"a model's sizes must be whole numbers within 1..16384, not {sizes}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be within 0..1, not {self.dropout}")

    def weight_shapes(self, codec: Codec) -> dict[str, tuple[int, ...]]:
        """Every tensor of the model by name: what a checkpoint must hold, no more, no less."""
        hidden, embedding, head = self.hidden_size, self.embedding_size, self.head_size
        sizes = {"note": codec.notes, "velocity": codec.velocities, "time": codec.time_bins}
        shapes: dict[str, tuple[int, ...]] = {
            "hidden.weight": (3 * head, hidden),
            "hidden.bias": (3 * head,),
            "note_from_time.weight": (codec.time_bins, head),
            "velocity_from_time.weight": (codec.time_bins, head),
            "velocity_from_note.weight": (codec.notes, head),
        }
        for name, size in sizes.items():
            shapes[f"{name}_embedding.weight"] = (size + 1, embedding)
            shapes[f"{name}.weight"] = (size, head)
            shapes[f"{name}.bias"] = (size,)
        for layer in range(self.layers):
            shapes[f"lstm.weight_ih_l{layer}"] = (4 * hidden, hidden if layer else embedding)
            shapes[f"lstm.weight_hh_l{layer}"] = (4 * hidden, hidden)
            shapes[f"lstm.bias_ih_l{layer}"] = (4 * hidden,)
            shapes[f"lstm.bias_hh_l{layer}"] = (4 * hidden,)
        return shapes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Checkpoint:
    """A trained model, whole."""

    config: ModelConfig
    codec: Codec
    weights: Mapping[str, NDArray[np.float32]]
    # How it was trained: data, licence, events seen, validation loss. For people to read.
    record: Mapping[str, Any] = field(default_factory=dict)


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write beside, then rename: at every moment `path` is whole, old or new.

    Raises:
        CheckpointError: the folder cannot be written.
    """
    text = json.dumps(
        {
            "version": VERSION,
            "model": asdict(checkpoint.config),
            "codec": checkpoint.codec.to_json(),
            "record": dict(checkpoint.record),
        }
    )
    halves = {
        name: np.ascontiguousarray(weight, np.float16)
        for name, weight in checkpoint.weights.items()
    }
    write_beside(path, halves, {_KEY: text})


def write_beside(path: Path, tensors: dict[str, NDArray[Any]], metadata: dict[str, str]) -> None:
    """Save tensors to a temporary neighbour of `path` and rename it.

    Raises:
        CheckpointError: the folder cannot be written or the disk is full.
    """
    beside = path.with_name(path.name + ".part")
    try:
        save_file(tensors, beside, metadata)
        beside.replace(path)
    except (OSError, SafetensorError) as error:
        with suppress(OSError):
            beside.unlink()
        raise CheckpointError(f"cannot write {path}: {error}") from error


def load(path: Path) -> Checkpoint:
    """Read a checkpoint, checked: the tensors are those its configuration asks for, and finite.

    Raises:
        CheckpointError: the file is missing, not a checkpoint, broken or of another version.
    """
    if not path.is_file():
        raise CheckpointError(
            f"no checkpoint at {path}; train one with composer-train, or leave --model out"
        )
    try:
        if path.stat().st_size > MAX_BYTES:
            raise CheckpointError(f"{path} is larger than a checkpoint can be (1 GiB)")
        with safe_open(path, "numpy") as file:
            text = (file.metadata() or {}).get(_KEY)
            if text is None:
                raise CheckpointError(f"{path} is a safetensors file, but not of composer-train")
            config, codec, record = _parse(text)
            shapes = config.weight_shapes(codec)
            names = set(file.keys())
            if names != set(shapes):
                odd = ", ".join(sorted(names ^ set(shapes))[:3])
                raise ValueError(f"its tensors do not fit its model: {odd}")
            weights = {name: _tensor(file, name, shape) for name, shape in shapes.items()}
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"{path} is not a checkpoint or is damaged ({error}); train or download it again"
        ) from error
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError) as error:
        raise CheckpointError(f"{path} is damaged: {error}; train or download it again") from error
    return Checkpoint(config=config, codec=codec, weights=weights, record=record)


def _parse(text: str) -> tuple[ModelConfig, Codec, dict[str, Any]]:
    fields = json.loads(text)
    if not isinstance(fields, dict) or "version" not in fields:
        raise ValueError("its description is not one")
    if fields["version"] != VERSION:
        raise CheckpointError(
            f"it is of version {fields['version']}, this program reads {VERSION};"
            " update live-composer, or train it again"
        )
    return ModelConfig(**fields["model"]), Codec.from_json(fields["codec"]), dict(fields["record"])


def _tensor(file: Any, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    part = file.get_slice(name)
    if part.get_dtype() not in ("F16", "F32") or tuple(part.get_shape()) != shape:
        raise ValueError(f"{name} is {part.get_dtype()} {part.get_shape()}, not float {shape}")
    weight: NDArray[np.float32] = file.get_tensor(name).astype(np.float32)
    if not np.isfinite(weight).all():
        raise ValueError(f"{name} holds values that are not finite")
    return weight
