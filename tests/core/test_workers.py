"""Two processes learn what one learns."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


def train(songbook: Path, out: Path, processes: int) -> list[dict[str, float]]:
    """The curve of a short training, in so many processes that torchrun starts."""
    options = ["--out", str(out), "--epochs", "3", "--hidden-size", "24", "--dropout", "0"]
    runner = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    command = [sys.executable, *runner, "-m", "core.cli", str(songbook), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = (out.parent / f"{out.name}.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_two_processes_have_the_curve_of_one(songbook: Path, tmp_path: Path) -> None:
    alone = train(songbook, tmp_path / "alone", 1)
    together = train(songbook, tmp_path / "together", 2)
    assert len(alone) >= 3
    for one, two in zip(alone, together, strict=True):
        for loss in ("train", "validation"):
            assert two[loss] == pytest.approx(one[loss], rel=1e-3)
