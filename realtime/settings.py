"""Everything that a musician may turn while it plays: values, ranges, and what does nothing.

One frozen record. Whoever turns a knob, on the command line, in a file, on a controller or from
afar, makes another record out of it (`realtime.control`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from core.errors import SettingsError

MODES = ("free", "respond", "duet")  # see realtime.modes
KEYS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
# Semitones above the key.
SCALES: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        "major": (0, 2, 4, 5, 7, 9, 11),
        "minor": (0, 2, 3, 5, 7, 8, 10),
        "harmonic-minor": (0, 2, 3, 5, 7, 8, 11),
        "dorian": (0, 2, 3, 5, 7, 9, 10),
        "mixolydian": (0, 2, 4, 5, 7, 9, 10),
        "pentatonic": (0, 2, 4, 7, 9),
        "minor-pentatonic": (0, 3, 5, 7, 10),
        "blues": (0, 3, 5, 6, 7, 10),
        "whole-tone": (0, 2, 4, 6, 8, 10),
    }
)
GRIDS = ("off", "1/4", "1/8", "1/8t", "1/16", "1/16t", "1/32")  # of a whole note; t: triplets


class Knob(NamedTuple):
    """A setting that is a number."""

    low: float
    high: float
    unit: str
    help: str

    def clamped(self, value: float) -> float:
        """The nearest value that is allowed; what is not a number is the lowest."""
        return min(max(value, self.low), self.high) if value == value else self.low


KNOBS: Mapping[str, Knob] = MappingProxyType(
    {
        "temperature": Knob(0.01, 5, "", "how daring: below 1 the likely gets likelier"),
        "temperature_note": Knob(0.1, 10, "x", "times the temperature, for notes"),
        "temperature_velocity": Knob(0.1, 10, "x", "times the temperature, for velocities"),
        "temperature_time": Knob(0.1, 10, "x", "times the temperature, for times"),
        "top_p": Knob(0.01, 1, "", "less likely choices, 1 - top-p of all chances, never come"),
        "floor": Knob(0, 0.5, "", "a choice less likely than this never comes"),
        "density": Knob(0, 32, "notes a second", "how many notes; 0: as the model likes"),
        "register_low": Knob(0, 127, "pitch", "no note is struck below"),
        "register_high": Knob(0, 127, "pitch", "no note is struck above"),
        "register_center": Knob(0, 127, "pitch", "where notes are drawn to; 0: nowhere"),
        "velocity_low": Knob(1, 127, "velocity", "no note is struck more softly"),
        "velocity_high": Knob(1, 127, "velocity", "no note is struck harder"),
        "polyphony": Knob(1, 128, "notes", "no more of them sound at once"),
        "key_strength": Knob(0, 1, "", "how firmly the scale is kept to; at 1 always"),
        "articulation": Knob(0.25, 4, "x", "how long notes are held; below 1 shorter"),
        "tempo_scale": Knob(0.1, 10, "x", "how fast; 2 is twice as fast"),
        "velocity_scale": Knob(0.1, 4, "x", "how hard notes are struck, the human's apart"),
        "patience_s": Knob(0.05, 60, "s", "how long the human is silent before an answer"),
        "share": Knob(0, 1, "", "how much of a duet is the machine's; 1: as the model likes"),
        "grid_strength": Knob(0, 1, "", "how far notes are pulled to the grid; 1: onto it"),
        "swing": Knob(0.5, 0.75, "", "where the off-beat of the grid lies; 0.5: in the middle"),
    }
)

# What the choice of events depends on.
CHOOSING = (
    *("temperature", "temperature_note", "temperature_velocity", "temperature_time"),
    *("top_p", "floor", "density", "register_low", "register_high", "register_center"),
    *("velocity_low", "velocity_high", "polyphony", "key", "scale", "key_strength"),
    "articulation",
)
# What matters where there is a human, or a song with beats.
WITH_OTHERS = ("mode", "patience_s", "share", "grid", "grid_strength", "swing")


def within(name: str, value: float, low: float, high: float) -> None:
    """Raises SettingsError unless `low <= value <= high`."""
    if not (math.isfinite(value) and low <= value <= high):
        raise SettingsError(f"{name} must be within {low:g}..{high:g}, not {value:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How it plays; see KNOBS for the ranges and units of the numbers.

    Raises:
        SettingsError: a value is out of its range, or the ends of a range are crossed.
    """

    temperature: float = 1.0
    temperature_note: float = 1.0
    temperature_velocity: float = 1.0
    temperature_time: float = 1.0
    top_p: float = 0.95
    floor: float = 0.0
    density: float = 0.0
    register_low: int = 0
    register_high: int = 127
    register_center: int = 0
    velocity_low: int = 1
    velocity_high: int = 127
    polyphony: int = 128
    key: str = "off"
    scale: str = "major"
    key_strength: float = 1.0
    articulation: float = 1.0
    tempo_scale: float = 1.0
    velocity_scale: float = 1.0
    mode: str = "free"
    patience_s: float = 1.0
    share: float = 0.5
    grid: str = "off"
    grid_strength: float = 1.0
    swing: float = 0.5

    def __post_init__(self) -> None:
        for name, knob in KNOBS.items():
            within(name, getattr(self, name), knob.low, knob.high)
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise SettingsError(
                    f"{name} is one of {', '.join(choices)}; not '{getattr(self, name)}'"
                )
        for low, high in (("register_low", "register_high"), ("velocity_low", "velocity_high")):
            if getattr(self, low) > getattr(self, high):
                raise SettingsError(f"{low} must not be above {high}")


CHOICES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"key": ("off", *KEYS), "scale": tuple(SCALES), "mode": MODES, "grid": GRIDS}
)
