"""The learning curve: as JSON lines, as a picture, and in TensorBoard."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from core.errors import TrainingError

Rows = Sequence[Mapping[str, float]]  # of `Progress.curve`


def write_lines(rows: Rows, path: Path) -> None:
    """A JSON object a line, whole at every moment.

    Raises:
        TrainingError: the file cannot be written.
    """
    beside = path.with_name(path.name + ".part")
    try:
        beside.write_text("".join(json.dumps(row) + "\n" for row in rows))
        beside.replace(path)
    except OSError as error:
        raise TrainingError(f"cannot write {path}: {error}") from error


def to_tensorboard(rows: Rows, folder: Path) -> None:
    """One run of TensorBoard, its steps counted in events.

    Raises:
        TrainingError: tensorboard is not installed, or the folder cannot be written.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ModuleNotFoundError as error:
        raise TrainingError(
            "TensorBoard is not installed; install it with: pip install tensorboard"
        ) from error
    try:
        with SummaryWriter(str(folder)) as writer:
            for row in rows:
                for name in row.keys() - {"events"}:
                    writer.add_scalar(name, row[name], int(row["events"]))
    except OSError as error:
        raise TrainingError(f"cannot write into {folder}: {error}") from error


def draw(rows: Rows, path: Path) -> None:
    """Draw training loss, validation loss and ten times the accuracy over the epochs.

    Args:
        rows: of `Progress.curve`: each with epoch, train, validation and accuracy.
        path: replaced when it exists; its suffix (.png, .svg, .pdf) says what it becomes.

    Raises:
        TrainingError: matplotlib is not installed, or the file cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise TrainingError(
            "a plot needs matplotlib; install it with: pip install matplotlib"
        ) from error
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    epochs = [row["epoch"] for row in rows]
    marker = "o" if len(rows) == 1 else ""  # one point makes no line
    axes.plot(epochs, [row["train"] for row in rows], marker, label="training loss")
    axes.plot(epochs, [row["validation"] for row in rows], marker, label="validation loss")
    tens = [10 * row["accuracy"] for row in rows]
    axes.plot(epochs, tens, f"{marker}--", label="accuracy x 10")
    axes.set_xlabel("epoch")
    axes.set_ylabel("nats an event; accuracy x 10")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend()
    try:
        figure.savefig(path, dpi=150)
    except (OSError, ValueError) as error:
        raise TrainingError(f"cannot draw {path}: {error}") from error
