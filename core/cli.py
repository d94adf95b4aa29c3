"""`composer-train`: options in, progress and one-line errors out."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from core import cache, checkpoint, corpus, curve
from core.codec import Codec
from core.errors import ComposerError, SettingsError, TrainingError

if TYPE_CHECKING:
    from core.presets import Preset
    from core.trainer import Progress as Training
    from core.trainer import Trainer
    from core.workers import Workers

SKIPPED_SHOWN = 10

app = typer.Typer(add_completion=True, context_settings={"help_option_names": ["-h", "--help"]})
console = Console(stderr=True, soft_wrap=True)


def composer_train() -> None:
    """Run the command; what the musician can mend is one line and exit code 1."""
    try:
        app()
    except ComposerError as error:
        sys.exit(f"composer-train: {error}")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"composer-train {version('live-composer')}")
        raise typer.Exit


@app.command()
def train(
    data: Annotated[list[Path], typer.Argument(help="MIDI files, or folders to search for them.")],
    out: Annotated[Path, typer.Option(help="Where to write the checkpoint (.safetensors).")],
    minutes: Annotated[
        float | None, typer.Option(help="Stop after so many minutes of training in all.")
    ] = None,
    epochs: Annotated[
        float | None,
        typer.Option(help="Or: stop after so many passes over the music. Default: 20."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the training that --out was made by.")
    ] = False,
    preset: Annotated[
        str,
        typer.Option(
            help="default, or book: as a textbook does it, for comparison."
            " The options below change what the preset says."
        ),
    ] = "default",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    hidden_size: Annotated[
        int | None, typer.Option(help="Width of the LSTM. Default: 512.", min=8, max=4096)
    ] = None,
    layers: Annotated[
        int | None, typer.Option(help="Depth of the LSTM. Default: 1.", min=1, max=8)
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="At its peak. Default: 0.002.")
    ] = None,
    dropout: Annotated[
        float | None,
        typer.Option(
            help="Share of what a layer says that is left out. Default: 0.1.", min=0, max=0.9
        ),
    ] = None,
    transpose: Annotated[
        int | None,
        typer.Option(
            help="Move a piece by up to so many semitones each time it is read. Default: 0.",
            min=0,
            max=12,
        ),
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(
            help="Stop after so many validations in a row without a better one. Default: 20.", min=1
        ),
    ] = None,
    start_from: Annotated[
        Path | None,
        typer.Option(help="Begin with the weights of this checkpoint, and with its size."),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw the learning curve: a .png, .svg or .pdf.")
    ] = None,
    tensorboard: Annotated[
        Path | None, typer.Option(help="Write the curve for TensorBoard into this folder too.")
    ] = None,
    seed: Annotated[
        int, typer.Option(help="Same seed, same training (on a CPU).", min=0, max=2**32 - 1)
    ] = 0,
    licence: Annotated[
        str, typer.Option(help="Under which terms the model may be passed on; kept inside it.")
    ] = "",
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show and exit.")
    ] = False,
) -> None:
    """Train a model on your MIDI files.

    The best model so far is always at OUT; stop with Ctrl-C whenever you like. For example:

    composer-train ~/midi --out mine.safetensors --minutes 60
    """
    if minutes is not None and epochs is not None:
        raise SettingsError("give --minutes or --epochs, not both")
    if not all(number > 0 for number in (minutes, epochs, learning_rate) if number is not None):
        raise SettingsError("--minutes, --epochs and --learning-rate must be above 0")
    if not out.parent.is_dir():
        raise SettingsError(f"no folder {out.parent} to write {out.name} into; make it first")
    if out.is_dir() or not os.access(out.parent, os.W_OK):
        raise SettingsError(
            f"cannot write {out}: it is a folder, or in one that is write-protected"
        )

    def given(**options: float | None) -> dict[str, Any]:
        return {name: value for name, value in options.items() if value is not None}

    chosen = _preset(preset)
    if chosen.recipe.windows and transpose:
        raise SettingsError(f"--transpose moves whole pieces, --preset {preset} reads windows")
    workers = _workers(device)
    earlier = None if start_from is None else checkpoint.load(start_from)
    music = _read(data, chosen, None if earlier is None else earlier.codec)
    half = None if hidden_size is None else hidden_size // 2
    sizes = given(hidden_size=hidden_size, layers=layers, embedding_size=half, head_size=half)
    config = replace(chosen.model, **sizes) if earlier is None else earlier.config
    config = replace(config, **given(dropout=dropout))
    recipe = replace(
        chosen.recipe,
        **given(epochs=epochs, learning_rate=learning_rate, patience=patience, transpose=transpose),
        minutes=minutes,
        seed=seed,
    )
    record = {"data": [path.name for path in data], "licence": licence, "preset": preset}
    from core.trainer import Trainer

    trainer = Trainer(music, out, config, recipe, workers, record)
    if resume:
        trainer.resume()
        console.print(f"resumed after {trainer.progress.events:,} events")
    elif earlier is not None:
        trainer.start_from(earlier)
    try:
        _run(trainer, out.with_name(out.name + ".jsonl"), tensorboard)
    except KeyboardInterrupt:
        again = [*sys.argv[1:], *([] if resume else ["--resume"])]
        console.print(f"stopped; {out} holds the best model so far; this goes on from here:")
        if not console.quiet:
            typer.echo(f"composer-train {shlex.join(again)}", err=True)  # to be copied as it is
        sys.exit(130)
    finally:
        if plot is not None and trainer.progress.curve:
            curve.draw(trainer.progress.curve, plot)
    console.print(f"done: {out}, {trainer.progress.best_loss:.3f} nats an event on music not seen")


def _preset(name: str) -> Preset:
    try:
        from core import presets
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise TrainingError(
            "training needs torch; install it with: pip install 'live-composer[train]'"
            " (from a clone: pip install '.[train]')"
        ) from error
    if name not in presets.BY_NAME:
        raise SettingsError(f"--preset is {' or '.join(presets.BY_NAME)}, not '{name}'")
    return presets.BY_NAME[name]


def _workers(device: str) -> Workers:
    import torch

    from core.workers import Workers

    if device not in ("auto", "cpu", "cuda"):
        raise SettingsError(f"--device is auto, cpu or cuda, not '{device}'")
    if device == "cuda" and not torch.cuda.is_available():
        raise SettingsError("--device cuda: torch finds no CUDA device here; try --device cpu")
    workers = Workers("cuda" if device != "cpu" and torch.cuda.is_available() else "cpu")
    console.quiet = not workers.first
    return workers


def _read(data: list[Path], preset: Preset, codec: Codec | None) -> corpus.Corpus:
    """Read the music under a progress bar, and name what could not be read."""
    files = corpus.find(data)
    with Progress(TextColumn("reading"), BarColumn(), MofNCompleteColumn(), console=console) as bar:
        task = bar.add_task("", total=len(files))
        if preset.codec is None:  # ours
            music = cache.read(files, codec, lambda _: bar.advance(task))
        else:
            music = corpus.read(
                files,
                codec or preset.codec,
                lambda _: bar.advance(task),
                reader=preset.reader,
                hold_out=not preset.recipe.windows,
            )
    for error in list(music.skipped.values())[:SKIPPED_SHOWN]:
        console.print(f"skipped: {error}", style="yellow", markup=False, highlight=False)
    if len(music.skipped) > SKIPPED_SHOWN:
        console.print(f"and {len(music.skipped) - SKIPPED_SHOWN} more", style="yellow")
    if music.left_out:
        console.print(f"{music.left_out:,} events left out, on keys that the preset does not know")
    training, held_out = (music.pieces(held_out=side) for side in (False, True))
    kept_back = f"{len(held_out)} ({music.events_in(held_out):,}) held out"
    if preset.recipe.windows:
        kept_back = "a tenth of their windows held out"
    console.print(
        f"{len(files) - len(music.skipped)} files read, {len(music.skipped)} skipped;"
        f" {len(training)} pieces ({music.events_in(training):,} events) to learn from, {kept_back}"
    )
    return music


def _run(trainer: Trainer, lines: Path, tensorboard: Path | None) -> None:
    columns = (
        TextColumn("training"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[rate]:,.0f} events/s, best {task.fields[best]:.3f} nats/event"),
    )
    told = len(trainer.progress.curve)
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=1.0, rate=0.0, best=float("inf"))

        def report(progress: Training) -> None:
            nonlocal told
            bar.update(
                task,
                completed=progress.share,
                rate=progress.events / max(progress.elapsed_s, 1e-9),
                best=progress.best_loss,
            )
            for row in progress.curve[told:]:
                console.print(
                    f"epoch {row['epoch']:6.2f}: training loss {row['train']:.3f},"
                    f" validation loss {row['validation']:.3f}, accuracy {row['accuracy']:.3f}",
                    highlight=False,
                )
            if told < len(progress.curve) and not console.quiet:
                curve.write_lines(progress.curve, lines)
                if tensorboard is not None:
                    curve.to_tensorboard(progress.curve[told:], tensorboard)
                told = len(progress.curve)

        trainer.run(report)


if __name__ == "__main__":
    composer_train()
