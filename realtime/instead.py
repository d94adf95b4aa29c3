"""What `composerd` can be asked for instead of playing: the options, and what is done then."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from core.errors import SettingsError
from realtime import ports
from realtime.options import INSTEAD_PANEL, from_file
from realtime.orders import Orders
from realtime.terminal import log


def _from_file(context: typer.Context, path: Path | None) -> Path | None:
    context.obj = from_file(context, path)
    return path


ConfigFile = Annotated[
    Path | None,
    typer.Option(
        help="File of options (TOML). Default: composerd.toml in the folder for such files.",
        callback=_from_file,
        is_eager=True,
        rich_help_panel=INSTEAD_PANEL,
    ),
]
PrintConfig = Annotated[
    bool,
    typer.Option(
        "--print-config",
        help="Print these options as such a file, and exit.",
        rich_help_panel=INSTEAD_PANEL,
    ),
]
Learn = Annotated[
    str | None,
    typer.Option(
        help="Wait until a controller of --input moves: it turns this knob from now on.",
        metavar="KNOB",
        rich_help_panel=INSTEAD_PANEL,
    ),
]
ListPorts = Annotated[
    bool,
    typer.Option(
        "--list-ports",
        help="Show the MIDI ports there are, and exit.",
        rich_help_panel=INSTEAD_PANEL,
    ),
]
Status = Annotated[
    bool,
    typer.Option(
        "--status",
        help="Ask the composerd that runs how it is, and exit.",
        rich_help_panel=INSTEAD_PANEL,
    ),
]
Check = Annotated[
    bool,
    typer.Option(
        "--check",
        help="Say whether it would play here, how well, and exit.",
        rich_help_panel=INSTEAD_PANEL,
    ),
]
InstallService = Annotated[
    bool,
    typer.Option(
        "--install-service",
        help="Have systemd or launchd play so, from each login on.",
        rich_help_panel=INSTEAD_PANEL,
    ),
]
AsJson = Annotated[
    bool,
    typer.Option(
        "--json",
        help="With --list-ports or --status: as JSON.",
        rich_help_panel=INSTEAD_PANEL,
    ),
]


def show_ports(api: str | None, as_json: bool) -> None:
    """All that a port can be named by."""
    found = {"outputs": ports.list_outputs(api), "inputs": ports.list_inputs(api)}
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    for direction, names in found.items():
        typer.echo(f"{direction}:")
        for name in names or ["(none)"]:
            typer.echo(f"  {name}")


def show_status(port: str | None, as_json: bool) -> None:
    """Of the daemon that plays to this port, or of the only one."""
    from realtime import status

    answer = status.ask(port)
    typer.echo(json.dumps(answer, indent=2) if as_json else status.as_text(answer))


def learn_controller(knob: str, path: Path, keyboard: str | None, api: str | None) -> None:
    """The next controller to move on `keyboard` turns this knob: written into the file at `path`.

    Raises:
        SettingsError: there is no such knob, or no keyboard.
    """
    from realtime import learn

    knob = learn.knob_named(knob)
    if keyboard is None:
        raise SettingsError("name the keyboard whose controller is to be learned with --input")
    log(f"move the controller of {keyboard} that is to turn {knob}")
    row = learn.bind(path, learn.next_moved(keyboard, api), knob)
    log(f"{path} now says: {row}")


def show_check(orders: Orders) -> NoReturn:
    """Ends the command: 0 where it would play, 1 where not."""
    from realtime.check import check

    lines = check(orders)
    for line in lines:
        typer.echo(line)
    raise typer.Exit(0 if all(line.well for line in lines) else 1)
