"""Options on the commands that play: one for every knob, and all of them from a file."""

from __future__ import annotations

import enum
import inspect
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from core.errors import SettingsError
from realtime import config
from realtime.config import Config, Option
from realtime.settings import CHOICES, KNOBS, Settings

KNOBS_PANEL = "Knobs"
INSTEAD_PANEL = "Instead of playing"  # options that no file should hold
_OF_TYPER = ("help", "install_completion", "show_completion")

Command = TypeVar("Command", bound=Callable[..., None])


def with_knobs(command: Command) -> Command:
    """The command, whose `**knobs` have become an option each, named as the setting."""
    signature = inspect.signature(command, eval_str=True)
    own = [each for each in signature.parameters.values() if each.kind is not each.VAR_KEYWORD]
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
    ]
    vars(command)["__signature__"] = signature.replace(parameters=own + knobs)
    return command


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
