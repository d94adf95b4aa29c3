"""A knob is turned: settings in, new settings out. Nothing here keeps anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, NamedTuple

from realtime.settings import Settings


class Knob(NamedTuple):
    """Which setting, and its value at both ends of the knob."""

    setting: str
    low: float
    high: float


# By MIDI controller. 20 to 31 mean nothing else to anybody (MIDI 1.0, controller numbers).
KNOBS: Mapping[int, Knob] = MappingProxyType(
    {20: Knob("temperature", 0.5, 1.5), 21: Knob("top_p", 0.5, 1.0)}
)


def turned(settings: Settings, message: bytes) -> Settings:
    """The settings after this message, which are the same ones unless it is of a knob.

    >>> turned(Settings(), bytes([0xB0, 20, 127])).temperature
    1.5
    """
    if message[0] & 0xF0 != 0xB0 or message[1] not in KNOBS:
        return settings
    setting, low, high = KNOBS[message[1]]
    changed: dict[str, Any] = {setting: low + (high - low) * message[2] / 127}
    return replace(settings, **changed)
