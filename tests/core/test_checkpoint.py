"""A checkpoint is read whole or refused with one line; it is written whole or not at all."""

import dataclasses
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from core import checkpoint
from core.checkpoint import Checkpoint, ModelConfig
from core.codec import Codec
from core.errors import CheckpointError

CONFIG = ModelConfig(hidden_size=16, layers=2, embedding_size=8, head_size=8)
CODEC = Codec.log_spaced(bins=16)


def some_checkpoint() -> Checkpoint:
    rng = np.random.default_rng(0)
    weights = {
        name: rng.normal(size=shape).astype(np.float32)
        for name, shape in CONFIG.weight_shapes(CODEC).items()
    }
    return Checkpoint(config=CONFIG, codec=CODEC, weights=weights, record={"licence": "CC0"})


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    checkpoint.save(path, some_checkpoint())
    return path


def test_what_is_saved_is_loaded(saved: Path) -> None:
    before, after = some_checkpoint(), checkpoint.load(saved)
    assert (after.config, after.codec) == (before.config, before.codec)
    assert after.record == before.record
    for name, weight in before.weights.items():
        assert after.weights[name].dtype == np.float32
        np.testing.assert_allclose(after.weights[name], weight, rtol=1e-3)


def test_a_missing_checkpoint_is_named_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no checkpoint at .*nothing.*composer-train"):
        checkpoint.load(tmp_path / "nothing.safetensors")


@pytest.mark.parametrize("length", [0, 4, 8, 100, 1000, -1])
def test_a_truncated_checkpoint_is_refused(saved: Path, length: int) -> None:
    saved.write_bytes(saved.read_bytes()[:length])
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        checkpoint.load(saved)


def test_a_text_file_and_a_pickle_are_refused(tmp_path: Path) -> None:
    for content in (b"hello, this is no model", b"\x80\x04\x95K\x00\x00\x00\x00cos\nsystem\n"):
        path = tmp_path / "model.safetensors"
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match="not a checkpoint"):
            checkpoint.load(path)


def test_a_foreign_safetensors_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"weight": np.zeros(3, np.float32)}, path)
    with pytest.raises(CheckpointError, match="not of composer-train"):
        checkpoint.load(path)


def test_another_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.safetensors"
    monkeypatch.setattr(checkpoint, "VERSION", 9)
    checkpoint.save(path, some_checkpoint())
    monkeypatch.undo()
    with pytest.raises(
        CheckpointError, match=r"model\.safetensors.*version 9, this program reads 2"
    ):
        checkpoint.load(path)


def test_a_checkpoint_from_before_there_was_a_sum_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"weight": np.zeros(3, np.float32)}, path, {"composer": '{"version": 1}'})
    with pytest.raises(CheckpointError, match="of an older version; train it again"):
        checkpoint.load(path)


def test_shapes_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    wider = dataclasses.replace(CONFIG, hidden_size=17)
    checkpoint.save(path, dataclasses.replace(some_checkpoint(), config=wider))
    with pytest.raises(CheckpointError, match="damaged"):
        checkpoint.load(path)


def test_a_header_that_claims_a_gigabyte_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    with path.open("wb") as file:
        file.write((1 << 30).to_bytes(8, "little") + b'{"__metadata__":{"composer":"')
        file.truncate((1 << 30) - 1)  # a hole, which takes no room on the disk
    with pytest.raises(CheckpointError, match="its header claims 1,073,741,824 bytes"):
        checkpoint.load(path)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_a_flip_of_any_bit_is_found(data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        checkpoint.save(path, some_checkpoint())
        content = bytearray(path.read_bytes())
        bit = data.draw(st.integers(0, 8 * len(content) - 1))
        content[bit // 8] ^= 1 << bit % 8
        path.write_bytes(content)
        with pytest.raises(CheckpointError) as refusal:
            checkpoint.load(path)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(tmp_path: Path, value: float) -> None:
    broken = some_checkpoint()
    broken.weights["time.bias"][3] = value
    path = tmp_path / "model.safetensors"
    checkpoint.save(path, broken)
    with pytest.raises(CheckpointError, match=r"time\.bias holds values that are not finite"):
        checkpoint.load(path)


def test_a_failed_save_keeps_the_old_file_and_leaves_nothing(saved: Path, tmp_path: Path) -> None:
    before = saved.read_bytes()
    saved.with_name(saved.name + ".part").mkdir()  # where it would write first
    with pytest.raises(CheckpointError, match="cannot write"):
        checkpoint.save(saved, some_checkpoint())
    assert saved.read_bytes() == before
    with pytest.raises(CheckpointError, match="cannot write"):
        checkpoint.save(tmp_path / "no" / "folder" / "m.safetensors", some_checkpoint())
