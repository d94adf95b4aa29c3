"""What composerd says on a terminal, or into a log where nobody looks."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from typing import Any

import typer

from realtime.rehearsal import MemoryPort


def begun(greeting: dict[str, Any]) -> str:
    """What plays where, and what the system granted."""
    if greeting["port"] == MemoryPort.name:
        where = "rehearsing without a MIDI port"
    else:
        kind = "virtual port" if greeting["virtual"] else "port"
        where = f"playing to {kind} {greeting['port']}"
    if greeting["input"]:
        where += f", listening to {greeting['input']}"
    if greeting["clock_input"]:
        where += f", to the clock of {greeting['clock_input']}"
    return f"{where}; real-time priority {'granted' if greeting['realtime'] else 'not granted'}"


def live_line(line: str) -> None:
    """One line that is written over and over; nothing where nobody looks."""
    if sys.stderr.isatty():
        width = shutil.get_terminal_size().columns - 1
        _say(f"\r\x1b[K{line[:width]}", nl=False)


def log(line: str) -> None:
    live_line("")
    _say(line)


def _say(text: str, *, nl: bool = True) -> None:
    """The music goes on, whether it can be said or not."""
    try:
        typer.echo(text, err=True, nl=nl)
    except OSError as error:
        if error.errno in (errno.EPIPE, errno.EIO):  # whoever read it has gone; a disk may be full
            nobody = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nobody, 2)
            os.close(nobody)
