"""The file of options: TOML in, checked; and out, with a comment on each.

At its top stand options of the command line, under their names with _ for -. [cc] is the table of
controllers, [preset.N] what program N asks for, and each [[part]] a voice (`realtime.ensemble`).
"""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import platformdirs

from core.errors import SettingsError
from realtime.control import ACTIONS, CONTROLS, DEFAULTS, Control, Wish, changed, setting
from realtime.settings import CHOICES, KNOBS

MAX_BYTES = 1 << 20
RESERVED = {0, 32, 64, *range(120, 128)}  # bank, sustain pedal, channel mode


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What a file says."""

    path: Path | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    controls: Mapping[int, Control] = field(default_factory=lambda: CONTROLS)
    presets: Mapping[int, Wish] = field(default_factory=dict)  # by program, 0..127
    parts: Sequence[Mapping[str, Any]] = field(default_factory=list)  # tables as written


class Option(NamedTuple):
    """One of the command line, for the file."""

    name: str
    help: str
    default: Any
    value: Any


def default_path() -> Path:
    """Read when it is there."""
    return platformdirs.user_config_path("live-composer", appauthor=False) / "composerd.toml"


def read(path: Path) -> Config:
    """What the file says; whether its options are ones, the command line knows.

    Raises:
        SettingsError: it cannot be read, or says what cannot be.
    """
    return parse(content(path), path)


def content(path: Path) -> str:
    """The text of the file. Raises SettingsError: it cannot be read."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise ValueError("it is larger than 1 MiB")
        return data.decode()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SettingsError(f"cannot read {path}: {reason}") from error


def parse(text: str, path: Path) -> Config:
    """The same of a text.

    Raises:
        SettingsError: it says what cannot be; `path` is where.
    """
    try:
        fields = tomllib.loads(text)
        controls = _controls(fields.pop("cc")) if "cc" in fields else CONTROLS
        presets = _presets(fields.pop("preset", {}))
        parts = _parts(fields.pop("part", []))
    except (SettingsError, ValueError, RecursionError) as error:
        raise SettingsError(f"{path}: {error}") from error
    return Config(path=path, options=fields, controls=controls, presets=presets, parts=parts)


def check_names(config: Config, known: Iterable[str]) -> None:
    """Raises SettingsError: an option is none."""
    known = list(known)
    for name in config.options:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"; do you mean {near[0]}?" if near else ""
            raise SettingsError(f"{config.path}: there is no option {name!r}{hint}")


def _controls(rows: object) -> Mapping[int, Control]:
    if not isinstance(rows, dict):
        raise SettingsError('cc is a table, such as [cc] with a line 20 = "temperature"')
    return {
        _number(key, f"cc.{key}", 0, RESERVED): _control(f"cc.{key}", row)
        for key, row in rows.items()
    }


def _control(where: str, row: object) -> Control:
    fields = {"knob": row} if isinstance(row, str) else row
    if not isinstance(fields, dict) or fields.keys() - {"knob", "low", "high", "part"}:
        raise SettingsError(f"{where} is a knob, or {{ knob, low, high, part }}; not {row!r}")
    knob, part = setting(str(fields.get("knob"))), fields.get("part")
    if not (part is None or isinstance(part, str)):
        raise SettingsError(f"{where}: a part has a name, not {part!r}")
    if knob == "surprise" or knob in CHOICES:
        return Control(knob, part=part)
    for end in ("low", "high"):
        wish = {knob: fields.get(end, KNOBS[knob].low if knob in KNOBS else 0)}
        for word in changed(DEFAULTS, wish).words:
            raise SettingsError(f"{where}: {word}")
    low, high = whole_range(knob)
    return Control(knob, fields.get("low", low), fields.get("high", high), part)


def whole_range(knob: str) -> tuple[float, float]:
    """From where to where a controller turns it when nobody says.

    >>> whole_range("temperature"), whole_range("share")
    ((0.5, 1.5), (0.0, 1.0))
    """
    usual = (control for control in CONTROLS.values() if control.knob == knob)
    control = next(usual, None)
    return (control.low, control.high) if control else (KNOBS[knob].low, KNOBS[knob].high)


def _presets(rows: object) -> Mapping[int, Wish]:
    if not isinstance(rows, dict):
        raise SettingsError("presets are tables: [preset.1], [preset.2]")
    presets = {}
    for key, wish in rows.items():
        where = f"preset.{key}"
        if not isinstance(wish, dict):
            raise SettingsError(f"{where} is a table of knobs; not {wish!r}")
        if not isinstance(wish.get("model", ""), str):
            raise SettingsError(f"{where}: a model is the path of a checkpoint")
        knobs = {name: value for name, value in wish.items() if name not in ACTIONS}
        for word in changed(DEFAULTS, knobs).words:
            raise SettingsError(f"{where}: {word}")
        presets[_number(key, where, 1, set()) - 1] = wish
    return presets


def _parts(tables: object) -> Sequence[Mapping[str, Any]]:
    if not (isinstance(tables, list) and all(isinstance(table, dict) for table in tables)):
        raise SettingsError("each part is a table: [[part]]")
    return tables


def _number(key: str, where: str, first: int, reserved: set[int]) -> int:
    number = int(key) if re.fullmatch(r"\d{1,3}", key, re.ASCII) else -1
    if not first <= number < first + 128 or number in reserved:
        but = f", but {', '.join(map(str, sorted(reserved)))}" if reserved else ""
        raise SettingsError(f"{where}: numbers go from {first} to {first + 127}{but}")
    return number


def text(options: Iterable[Option], config: Config) -> str:
    """A file with these options, and the tables of this one; defaults are commented out."""
    lines = [
        "# What composerd does unless its command line says otherwise. A line that begins with #",
        "# says what is done without it.",
        "",
    ]
    for option in options:
        lines += [f"# {option.help}"]
        if option.value == option.default:
            shown = "" if option.default is None else _toml(option.default)
            lines += [f"#{option.name} = {shown}".rstrip(), ""]
        else:
            lines += [f"{option.name} = {_toml(option.value)}", ""]
    lines += [
        "# Controllers of the --input keyboard: the knob that each turns, and how far.",
        "[cc]",
    ]
    lines += [f"{number} = {row(control)}" for number, control in config.controls.items()]
    lines += [
        "",
        "# What a program change on the --input keyboard asks for; programs count from 1.",
        "#[preset.1]",
        "#temperature = 0.8",
        '#model = "mine.safetensors"',
    ]
    for program, wish in config.presets.items():
        lines += ["", f"[preset.{program + 1}]"]
        lines += [f"{name} = {_toml(value)}" for name, value in wish.items()]
    lines += ["", "# One such table a part, with what is its own.", "#[[part]]", '#name = "bass"']
    for table in config.parts:
        lines += ["", "[[part]]"]
        lines += [f"{name} = {_toml(value)}" for name, value in table.items()]
    return "\n".join(lines) + "\n"


def row(control: Control) -> str:
    """One line of [cc]."""
    fields: dict[str, Any] = {"knob": control.knob}
    if control.knob in KNOBS:
        fields |= {"low": control.low, "high": control.high}
    if control.part is not None:
        fields |= {"part": control.part}
    return "{ " + ", ".join(f"{name} = {_toml(value)}" for name, value in fields.items()) + " }"


def _toml(value: Any) -> str:
    """As TOML writes it.

    >>> _toml('the "IAC" bus'), _toml(0.5), _toml(True)
    ('"the \\\\"IAC\\\\" bus"', '0.5', 'true')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    # JSON's strings are TOML's, but for one character that TOML wants written otherwise.
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
