"""An option for every knob, on the commands that play."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, TypeVar

import typer

from realtime.settings import CHOICES, KNOBS, Settings

PANEL = "Knobs"

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
                type(default), typer.Option(_flag(name), help=_help(name), rich_help_panel=PANEL)
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
