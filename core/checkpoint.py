"""The one thing that passes between the halves: weights and what they mean, in one file.

The file is safetensors: float16 tensors named as in `core.model`, and under `composer` in its
metadata a JSON text with the version, the model's shape, the codec and the training record; under
`crc32` a sum over all of it. Readable without torch; nothing in it is ever executed.
"""

from __future__ import annotations

import json
import zlib
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

VERSION = 2
SHIPPED = Path(__file__).with_name("shipped.safetensors")

MAX_BYTES = 1 << 30  # a streaming model is a hundred times smaller
MAX_HEADER_BYTES = 16 << 20  # names, shapes and metadata; the curve of a long training is a tenth
_KEY, _SUM = "composer", "crc32"


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
    plain: bool = False  # the textbook's network: without embeddings, heads and what they need

    def __post_init__(self) -> None:
        sizes = (self.hidden_size, self.layers, self.embedding_size, self.head_size)
        if not all(isinstance(size, int) and 1 <= size <= 16384 for size in sizes):
            raise ValueError(f"a model's sizes must be whole numbers within 1..16384, not {sizes}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be within 0..1, not {self.dropout}")
        if not isinstance(self.plain, bool):
            raise ValueError(f"a model is plain or not, but never {self.plain!r}")

    def weight_shapes(self, codec: Codec) -> dict[str, tuple[int, ...]]:
        """Every tensor of the model by name: what a checkpoint must hold, no more, no less."""
        hidden = self.hidden_size
        if self.plain:
            inputs = codec.notes + codec.velocities + codec.time_bins
            shapes: dict[str, tuple[int, ...]]
            shapes = {"heads.weight": (inputs, hidden), "heads.bias": (inputs,)}
        else:
            inputs = self.embedding_size
            shapes = self._around_the_lstm(codec)
        for layer in range(self.layers):
            shapes[f"lstm.weight_ih_l{layer}"] = (4 * hidden, hidden if layer else inputs)
            shapes[f"lstm.weight_hh_l{layer}"] = (4 * hidden, hidden)
            shapes[f"lstm.bias_ih_l{layer}"] = (4 * hidden,)
            shapes[f"lstm.bias_hh_l{layer}"] = (4 * hidden,)
        return shapes

    def _around_the_lstm(self, codec: Codec) -> dict[str, tuple[int, ...]]:
        hidden, embedding, head = self.hidden_size, self.embedding_size, self.head_size
        tables = {"note": codec.notes, "velocity": codec.velocities, "time": codec.time_bins}
        shapes: dict[str, tuple[int, ...]] = {
            "sounding.weight": (embedding, 2 * codec.notes),
            "norm.weight": (hidden,),
            "norm.bias": (hidden,),
            "hidden.weight": (4 * head, hidden),
            "hidden.bias": (4 * head,),
            "past.weight": (4 * head, embedding),
            "release_by_age.weight": (codec.time_bins, head),
            "note_from_time.weight": (codec.time_bins, head),
            "release_from_time.weight": (codec.time_bins, head),
            "velocity_from_time.weight": (codec.time_bins, head),
            "velocity_from_note.weight": (codec.notes, head),
        }
        for name, size in tables.items():
            shapes[f"{name}_embedding.weight"] = (size + 1, embedding)
        for name, size in {**tables, "release": codec.notes}.items():
            shapes[f"{name}.weight"] = (size, head)
            shapes[f"{name}.bias"] = (size,)
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
    halves = {name: weight.astype(np.float16) for name, weight in checkpoint.weights.items()}
    write_beside(path, halves, {_KEY: text})


def write_beside(path: Path, tensors: dict[str, NDArray[Any]], metadata: dict[str, str]) -> None:
    """Save tensors, with a sum over them and the metadata, beside `path`, and rename the file.

    Raises:
        CheckpointError: the folder cannot be written or the disk is full.
    """
    beside = path.with_name(path.name + ".part")
    try:
        # What is not contiguous would be written as it lies in memory, which is something else.
        whole = {name: np.asarray(tensor, order="C") for name, tensor in tensors.items()}
        save_file(whole, beside, metadata | {_SUM: _sum(whole, metadata)})
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
    if path.stat().st_size > MAX_BYTES:
        raise CheckpointError(f"{path} is larger than a checkpoint can be (1 GiB)")
    tensors, text = read(path, _KEY)
    try:
        config, codec, record = _parse(text)
        shapes = config.weight_shapes(codec)
        if tensors.keys() != shapes.keys():
            odd = ", ".join(sorted(tensors.keys() ^ shapes.keys())[:3])
            raise ValueError(f"its tensors do not fit its model: {odd}")
        weights = {name: _weight(name, tensors[name], shape) for name, shape in shapes.items()}
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError) as error:
        raise CheckpointError(f"{path} is damaged: {error}; train or download it again") from error
    return Checkpoint(config=config, codec=codec, weights=weights, record=record)


def read(path: Path, key: str) -> tuple[dict[str, NDArray[Any]], str]:
    """The tensors of a file that `write_beside` wrote, and the text under `key` in its metadata.

    Raises:
        CheckpointError: it is no such file, of a version without a sum, or not as it was written.
    """
    try:
        with path.open("rb") as head:
            header_bytes = int.from_bytes(head.read(8), "little")
        # The file's own claim, which safetensors would believe up to 100 MB.
        if header_bytes > MAX_HEADER_BYTES:
            raise OSError(f"its header claims {header_bytes:,} bytes")
        with safe_open(path, "numpy") as file:
            metadata = file.metadata() or {}
            if key not in metadata:
                raise CheckpointError(f"{path} is a safetensors file, but not of composer-train")
            if _SUM not in metadata:
                raise CheckpointError(f"{path} is of an older version; train it again")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, TypeError, AttributeError) as error:
        # The last two are what a type that numpy does not know becomes.
        reason = " ".join(str(error).split())
        raise CheckpointError(
            f"{path} is not a checkpoint or is damaged ({reason}); train or download it again"
        ) from error
    if metadata.pop(_SUM) != _sum(tensors, metadata):
        raise CheckpointError(
            f"{path} is damaged: it is not as it was written; train or download it again"
        )
    return tensors, metadata[key]


def _sum(tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]) -> str:
    """CRC-32 finds every change of up to 32 bits in a row, and misses one in 2**32 of others."""
    crc = 0
    for name in sorted(tensors):
        tensor = tensors[name]
        crc = zlib.crc32(f"{name} {tensor.dtype.str} {tensor.shape} ".encode(), crc)
        crc = zlib.crc32(tensor.tobytes(), crc)
    crc = zlib.crc32(json.dumps(dict(sorted(metadata.items()))).encode(), crc)
    return f"{crc:08x}"


def _parse(text: str) -> tuple[ModelConfig, Codec, dict[str, Any]]:
    fields = json.loads(text)
    if not isinstance(fields, dict) or "version" not in fields:
        raise ValueError("its description is not one")
    if fields["version"] != VERSION:
        raise ValueError(
            f"it is of version {fields['version']}, this program reads {VERSION};"
            " update live-composer"
        )
    return ModelConfig(**fields["model"]), Codec.from_json(fields["codec"]), dict(fields["record"])


def _weight(name: str, tensor: NDArray[Any], shape: tuple[int, ...]) -> NDArray[np.float32]:
    if tensor.dtype not in (np.float16, np.float32) or tensor.shape != shape:
        raise ValueError(f"{name} is {tensor.dtype} {tensor.shape}, not float {shape}")
    if not np.isfinite(tensor).all():
        raise ValueError(f"{name} holds values that are not finite")
    return tensor.astype(np.float32)
