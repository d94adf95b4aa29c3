"""Mutate a checkpoint and load it: each case must be refused in one line, or be the original.

A third of the blows fall on the header, where lengths, shapes and the description stand. Some
cases keep the file's form and change its meaning instead: the sum is made to fit again, so that
what stands behind the sum is tried too.
"""

from __future__ import annotations

import json
import random
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import fuzzing
import numpy as np
from safetensors.numpy import load_file

from core import checkpoint
from core.checkpoint import Checkpoint, ModelConfig
from core.codec import Codec
from core.errors import CheckpointError

SOUND = ("loaded", "refused")

# What a description may hold that it should not.
ODD: list[Any] = [None, -1, 0, 1 << 40, 1e308, float("nan"), "", "x" * 100_000, [], {}, [[]], True]
PICKLE = b"\x80\x04\x95\x1e\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x8c\x06system\x93"


def seed_checkpoint() -> Checkpoint:
    config = ModelConfig(hidden_size=16, layers=2, embedding_size=8, head_size=8)
    codec = Codec.log_spaced(bins=16)
    rng = np.random.default_rng(0)
    weights = {
        name: rng.normal(size=shape).astype(np.float16).astype(np.float32)
        for name, shape in config.weight_shapes(codec).items()
    }
    return Checkpoint(config=config, codec=codec, weights=weights, record={"licence": "CC0"})


def beaten(data: bytes, choice: random.Random) -> bytes:
    """A few bytes changed, inserted, removed or doubled, or the end cut off."""
    file = bytearray(data)
    head_bytes = 8 + int.from_bytes(data[:8], "little")
    for _ in range(choice.choice((1, 1, 2, 4, 16))):
        reach = choice.choice((8, min(head_bytes, len(file)), len(file)))
        at = choice.randrange(min(reach, len(file)) + 1)
        end = min(len(file), at + choice.choice((1, 1, 2, 8, 64)))
        what = choice.randrange(7)
        if what == 0:
            file[at:end] = choice.randbytes(end - at)
        elif what == 1 and at < len(file):
            file[at] ^= 1 << choice.randrange(8)
        elif what == 2:
            del file[at:end]
        elif what == 3:
            file[at:at] = file[at:end] * choice.choice((1, 100))
        elif what == 4:
            file[at:end] = choice.choice((b"\x00", b"\xff", b"9", b"{", b'"')) * (end - at)
        elif what == 5:
            file[at:at] = PICKLE
        elif choice.random() < 0.3:
            del file[at:]
    return bytes(file)


def twisted(path: Path, description: dict[str, Any], choice: random.Random) -> None:
    """A whole file with a sum that fits, and something in it that does not."""
    tensors = load_file(path)
    name = choice.choice(sorted(tensors))
    what = choice.randrange(6)
    if what == 0:
        del tensors[name]
    elif what == 1:
        tensors[name] = tensors[name].astype(choice.choice((np.float64, np.int16, np.bool_)))
    elif what == 2:
        tensors[name] = np.concatenate([tensors[name], tensors[name]])
    elif what == 3:
        tensors[name].flat[choice.randrange(tensors[name].size)] = choice.choice((np.nan, np.inf))
    else:
        part = choice.choice((description, description["model"], description["codec"]))
        part[choice.choice([*sorted(part), "another"])] = choice.choice(ODD)
    text = json.dumps(description)
    if what == 5 and choice.random() < 0.5:
        text = choice.choice(("[" * 100_000, text[:-1], "", "null", text * 2))
    checkpoint.write_beside(path, tensors, {"composer": text})


def is_same(one: Checkpoint, other: Checkpoint) -> bool:
    return one.codec == other.codec and all(
        np.array_equal(weight, other.weights[name]) for name, weight in one.weights.items()
    )


def outcome(path: Path, seed: Checkpoint, case: int) -> str:
    choice = random.Random(f"checkpoint {case}")
    checkpoint.save(path, seed)
    is_twisted = choice.random() < 0.3
    if is_twisted:
        data = path.read_bytes()
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        twisted(path, json.loads(header["__metadata__"]["composer"]), choice)
    else:
        path.write_bytes(beaten(path.read_bytes(), choice))
    try:
        loaded = checkpoint.load(path)
    except CheckpointError as error:
        line = str(error)
        if "\n" in line or str(path) not in line:
            return f"BUG: not one line with the file's name: {line}"
        # Figures and names out of the file are left out, so that equal refusals are counted.
        reason = line.replace(str(path), "").split(";")[0][:200]
        reason = re.sub(r"[\w.]+\.(weight|bias)\w*", "TENSOR", reason)
        return "refused: " + re.sub(r"[\d.]+", "N", reason)[:40]
    except BaseException as error:
        return f"BUG: {type(error).__name__}: {error}"
    # A twisted description may be another one that is as good: one more line in the record.
    return "loaded" if is_twisted or is_same(seed, loaded) else "BUG: loaded as something else"


def main() -> int:
    given = fuzzing.parser(__doc__).parse_args()
    if not given.child:
        return fuzzing.count_cases(given, [], SOUND)
    seed = seed_checkpoint()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "case.safetensors"
        fuzzing.run_cases(given, lambda case: outcome(path, seed, case))
    return 0


if __name__ == "__main__":
    sys.exit(main())
