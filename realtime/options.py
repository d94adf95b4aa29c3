"""Options on the commands that play: one for every knob, and all of them from a file."""

from __future__ import annotations

import enum
import inspect
import sys
from collections.abc import Callable, Collection
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from core.errors import ComposerError, SettingsError
from realtime import config
from realtime.config import Config, Option
from realtime.settings import CHOICES, KNOBS, Settings

KNOBS_PANEL = "Knobs"
HELP = {"help_option_names": ["-h", "--help"]}
MAX_S = 1e9  # 30 years; clocks count nanoseconds in 64 bits
INSTEAD_PANEL = "Instead of playing"  # options that no file should hold
_OF_TYPER = ("help", "install_completion", "show_completion")

Command = TypeVar("Command", bound=Callable[..., None])


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"live-composer {version('live-composer')}")
        raise typer.Exit


# What both commands ask of the performer.
Model = Annotated[
    Path | None, typer.Option(help="Checkpoint to play. Default: the one that comes along.")
]
SeedFile = Annotated[Path | None, typer.Option(help="MIDI file to go on from.")]
SeedEvents = Annotated[
    int, typer.Option(help="How many events of --seed-file: its first N, or its last with -N.")
]
Rng = Annotated[
    int | None, typer.Option(help="Same number, same choices. Default: by chance.", min=0)
]
Channel = Annotated[int, typer.Option(help="MIDI channel to play on.", min=1, max=16)]
Program = Annotated[
    int | None, typer.Option(help="Sound to ask for first (General MIDI, 1..128).", min=1, max=128)
]
Version = Annotated[
    bool,
    typer.Option(
        "--version",
        callback=_version,
        is_eager=True,
        help="Show and exit.",
        rich_help_panel=INSTEAD_PANEL,
    ),
]


def with_knobs(*, without: Collection[str] = ()) -> Callable[[Command], Command]:
    """The command, whose `**knobs` have become an option each, named as the setting.

    `without` those that would do nothing there.
    """
    knobs = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=default,
            annotation=Annotated[
                type(default),
                typer.Option(_flag(name), help=_help(name), rich_help_panel=KNOBS_PANEL),
            ],
        )
        for name, default in asdict(Settings()).items()
        if name not in without
    ]

    def with_options(command: Command) -> Command:
        signature = inspect.signature(command, eval_str=True)
        own = [each for each in signature.parameters.values() if each.kind is not each.VAR_KEYWORD]
        vars(command)["__signature__"] = signature.replace(parameters=own + knobs)
        return command

    return with_options


def _flag(name: str) -> str:
    """Seconds need not be named: --patience."""
    return "--" + name.removesuffix("_s").replace("_", "-")


def _help(name: str) -> str:
    if name in CHOICES:
        return f"{', '.join(CHOICES[name])}."
    knob = KNOBS[name]
    unit = f" {knob.unit}" if knob.unit else ""
    return f"{knob.help[0].upper()}{knob.help[1:]}; {knob.low:g}..{knob.high:g}{unit}."


def from_file(context: typer.Context, path: Path | None) -> Config:
    """What the file says, and from now on the default of each option that it names.

    Without a path, of the file in the platform's folder for such, if there is one.

    Raises:
        SettingsError: it cannot be read, or says what cannot be.
    """
    if path is None and not config.default_path().is_file():
        return Config()
    found = config.read(path or config.default_path())
    parameters = _kept(context)
    config.check_names(found, parameters)
    context.default_map = {}
    for name, value in found.options.items():
        parameter = parameters[name]
        try:
            if isinstance(value, dict | list) or (
                isinstance(value, bool) and not parameter.is_flag
            ):
                raise typer.BadParameter(f"{value!r} is not what it takes")
            parameter.process_value(context, value)
        except typer.BadParameter as error:
            raise SettingsError(f"{found.path}: {name}: {error.message}") from error
        context.default_map[parameter.name] = value
    return found


def as_file(context: typer.Context, found: Config) -> str:
    """The options as they stand, for `from_file`."""
    options = [
        Option(
            name,
            (parameter.help or "").splitlines()[0],
            _plain(parameter.default),
            _plain(context.params[parameter.name]),
        )
        for name, parameter in _kept(context).items()
    ]
    return config.text(options, found)


def _kept(context: typer.Context) -> dict[str, Any]:
    """The options that a file may hold, by their names there."""
    return {
        parameter.opts[0].removeprefix("--").replace("-", "_"): parameter
        for parameter in context.command.params
        if getattr(parameter, "rich_help_panel", None) != INSTEAD_PANEL
        and parameter.name not in _OF_TYPER
    }


def _plain(value: Any) -> Any:
    """Paths and choices as the musician types them."""
    if isinstance(value, enum.Enum):
        return value.value
    return str(value) if isinstance(value, Path) else value


def run(app: typer.Typer, program: str) -> None:
    """Run the command; what the musician can mend is one line and exit code 1."""
    try:
        app(prog_name=program)
    except ComposerError as error:
        sys.exit(f"{program}: {error}")


def composer_orders(
    *,
    channel: int,
    program: int | None,
    model: Path | None,
    seed_file: Path | None,
    settings: Settings,
    **others: Any,
) -> dict[str, Any]:
    """As `realtime.composer` reads them: musicians count from 1, the wire from 0."""
    return {
        "channel": channel - 1,
        "program": None if program is None else program - 1,
        "model": model and str(model),
        "seed_file": seed_file and str(seed_file),
        "settings": asdict(settings),
        **others,
    }
