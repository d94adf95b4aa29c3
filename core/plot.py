"""The learning curve as a picture: losses and accuracy, as the textbook draws them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from core.errors import TrainingError


def learning_curve(rows: Sequence[Mapping[str, float]], path: Path) -> None:
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
