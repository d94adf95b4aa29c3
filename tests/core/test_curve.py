"""A training leaves a picture that one can look at."""

from pathlib import Path

import pytest

from core import curve
from core.errors import TrainingError

ROWS = [
    {"epoch": epoch, "train": 9.0 / epoch, "validation": 10.0 / epoch, "accuracy": 0.1 * epoch}
    for epoch in range(1, 9)
]


@pytest.mark.parametrize("rows", [ROWS, ROWS[:1]])
def test_a_curve_becomes_a_picture(rows: list[dict[str, float]], tmp_path: Path) -> None:
    curve.draw(rows, tmp_path / "curve.png")
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["curve.music", "nowhere/curve.png"])
def test_a_picture_that_cannot_be_written_is_one_line(name: str, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="cannot draw"):
        curve.draw(ROWS, tmp_path / name)
