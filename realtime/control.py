"""A knob is turned: settings in, new settings out. Nothing here keeps anything.

A controller, a program change, a message from afar or a line of a file is a wish: what is to be
turned, by name, and how far. All wishes end in `changed`.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, NamedTuple

from core.errors import SettingsError
from realtime.settings import CHOICES, KNOBS, Settings

Wish = Mapping[str, object]  # of a setting, or an action, by name
# A nudge (True), the path of another checkpoint, the number of a preset from 1.
ACTIONS = ("surprise", "model", "preset")
DEFAULTS = Settings()


class Control(NamedTuple):
    """What a controller turns, and its value at both ends."""

    knob: str
    low: float = 0.0
    high: float = 1.0
    part: str | None = None  # of this one alone


# By MIDI controller. 20 to 31 mean nothing else to anybody (MIDI 1.0, controller numbers).
CONTROLS: Mapping[int, Control] = MappingProxyType(
    {
        20: Control("temperature", 0.5, 1.5),
        21: Control("top_p", 0.5, 1.0),
        22: Control("density", 0, 20),
        23: Control("articulation", 0.25, 2.0),
        24: Control("velocity_scale", 0.25, 2.0),
        25: Control("tempo_scale", 0.5, 2.0),
        26: Control("share", 0.0, 1.0),
        27: Control("mode"),
        28: Control("surprise"),
    }
)


class Changed(NamedTuple):
    """The settings after a wish, and a word on each thing in it that could not be."""

    settings: Settings
    words: tuple[str, ...] = ()


def changed(settings: Settings, wish: Wish) -> Changed:
    """The settings that come nearest to the wish: what is out of range stops at its end.

    >>> after, words = changed(Settings(), {"temperature": 9, "colour": "red"})
    >>> after.temperature, words
    (5, ('temperature ends at 5', "there is no 'colour' to turn"))
    """
    fields: dict[str, Any] = {}
    words = []
    for name, value in wish.items():
        try:
            fields[setting(name)], word = _nearest(setting(name), value)
        except SettingsError as error:
            word = str(error)
        words += [word] if word else []
    try:
        return Changed(replace(settings, **fields), tuple(words))
    except SettingsError as error:  # each is in its range, but not together
        return Changed(settings, (*words, str(error)))


def setting(name: str) -> str:
    """The setting that a musician calls so.

    >>> setting("top-p"), setting("patience")
    ('top_p', 'patience_s')
    """
    name = name.replace("-", "_")
    return f"{name}_s" if f"{name}_s" in KNOBS else name


def _nearest(name: str, value: object) -> tuple[object, str | None]:
    """The value that the setting can have, and a word if that is another one.

    Raises:
        SettingsError: there is no such setting, or the value is of another kind.
    """
    if name in CHOICES:
        if value not in CHOICES[name]:
            raise SettingsError(f"{name} is one of {', '.join(CHOICES[name])}; not {_said(value)}")
        return value, None
    if name not in KNOBS:
        near = difflib.get_close_matches(name, [*KNOBS, *CHOICES, *ACTIONS], 1)
        hint = f"; do you mean {near[0]}?" if near else ""
        raise SettingsError(f"there is no {_said(name)} to turn{hint}")
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise SettingsError(f"{name} is a number, not {_said(value)}")
    near_by = KNOBS[name].clamped(value)
    word = None if near_by == value else f"{name} ends at {near_by:g}"
    return (round(near_by) if isinstance(getattr(DEFAULTS, name), int) else near_by), word


def _said(value: object) -> str:
    """What a stranger said, in short and without what a terminal would obey."""
    return ascii(value) if len(ascii(value)) <= 40 else f"{ascii(value)[:40]}..."


def of_controller(controls: Mapping[int, Control], message: bytes) -> tuple[str | None, Wish]:
    """The part, or None for all, and what a controller wishes: nothing unless it is in the table.

    >>> of_controller(CONTROLS, bytes([0xB0, 20, 127]))
    (None, {'temperature': 1.5})
    """
    control = controls.get(message[1])
    if control is None:
        return None, {}
    knob, low, high, part = control
    value = message[2]
    if knob in CHOICES:
        return part, {knob: CHOICES[knob][value * len(CHOICES[knob]) // 128]}
    if knob == "surprise":
        return part, {knob: True} if value >= 64 else {}
    return part, {knob: low + (high - low) * value / 127}


def of_preset(presets: Mapping[int, Wish], number: object) -> Wish:
    """What preset `number`, from 1, asks for.

    Raises:
        SettingsError: there is none of this number.
    """
    if isinstance(number, int) and number - 1 in presets:
        return presets[number - 1]
    there = ", ".join(str(program + 1) for program in sorted(presets)) or "none"
    raise SettingsError(f"there is no preset {_said(number)}; there is {there}")
