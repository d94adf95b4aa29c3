"""The next controller moved is bound to a knob, in the file of options."""

from __future__ import annotations

import re
from pathlib import Path
from queue import SimpleQueue

from core.errors import SettingsError
from realtime.config import RESERVED, content, parse, row, whole_range
from realtime.control import Control, setting
from realtime.ports import open_input
from realtime.settings import CHOICES, KNOBS

_ROW = re.compile(r"\s*(\d+)\s*=")
_TABLE = re.compile(r"\s*\[\s*([^\[\]]*?)\s*\]\s*(#.*)?")


def next_moved(port: str, api: str | None) -> int:
    """Wait until a controller of this keyboard moves; which.

    Raises:
        PortError: no such keyboard.
    """
    moved: SimpleQueue[int] = SimpleQueue()

    def heard(data: bytes) -> None:
        if len(data) == 3 and data[0] & 0xF0 == 0xB0 and data[1] not in RESERVED:
            moved.put(data[1])

    keyboard = open_input(port, api)
    try:
        keyboard.listen(heard)
        return moved.get()
    finally:
        keyboard.close()


def bind(path: Path, number: int, knob: str) -> str:
    """Write the controller into the file, which need not be there; what was written.

    Raises:
        SettingsError: there is no such knob, or the file cannot be read or written.
    """
    control = Control(knob, *whole_range(knob)) if knob in KNOBS else Control(knob)
    after = learned(content(path) if path.exists() else "", number, control, path)
    beside = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(after.encode())
        beside.replace(path)
    except OSError as error:
        raise SettingsError(f"cannot write {path}: {error.strerror}") from error
    return f"{number} = {row(control)}"


def knob_named(name: str) -> str:
    """The knob as the settings call it. Raises SettingsError: there is none."""
    knob = setting(name)
    if knob not in (*KNOBS, *CHOICES, "surprise"):
        knobs = ", ".join((*KNOBS, *CHOICES, "surprise"))
        raise SettingsError(f"there is no knob {name!r}; there are {knobs}")
    return knob


def learned(before: str, number: int, control: Control, path: Path) -> str:
    """The text of a file with this controller in its table; all else in it stays as it is.

    Raises:
        SettingsError: the table is written in a way that a line cannot be put into.
    """
    config = parse(before, path)
    written = f"{number} = {row(control)}"
    lines = before.removesuffix("\n").split("\n")
    tables = [(at, match[1]) for at, line in enumerate(lines) if (match := _TABLE.fullmatch(line))]
    begins = next((at for at, name in tables if name == "cc"), None)
    if begins is None:
        rows = [
            f"{each} = {row(usual)}" for each, usual in config.controls.items() if each != number
        ]
        lines += ["", "[cc]", *rows, written]
    else:
        ends = next((at for at, _ in tables if at > begins), len(lines))
        kept = [
            line
            for line in lines[begins + 1 : ends]
            if not (match := _ROW.match(line)) or int(match[1]) != number
        ]
        lines[begins + 1 : ends] = [written, *kept]
    after = "\n".join(lines) + "\n"
    wanted = {**config.controls, number: control}
    try:
        if parse(after, path).controls == wanted:
            return after
    except SettingsError:
        pass
    raise SettingsError(f"{path}: put into its [cc] table: {written}")
