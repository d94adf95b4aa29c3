"""Variants of the recipe, moments of training each: all run, and the table compares them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent

pytest.importorskip("torch")


def test_every_variant_is_tried_and_stands_in_the_table(songbook: Path, tmp_path: Path) -> None:
    def run(*arguments: object) -> str:
        command = [sys.executable, ROOT / "scripts" / "try_recipes.py", *map(str, arguments)]
        return subprocess.check_output(command, text=True, cwd=tmp_path, timeout=300)

    run(songbook, "--held-out", songbook / "more", "--seconds", "0.05")
    lines = (tmp_path / "runs" / "recipes.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert len(rows) > 15
    assert all(row["bits_per_note"]["more"] > 0 and row["events"] > 0 for row in rows)
    table = run("--table").splitlines()
    assert len(table) == 2 + len(rows)
    assert sum("| ours |" in line for line in table) == 1
