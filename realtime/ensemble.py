"""Several parts: `[[part]]` tables in, what each is to play out. Owns what such a table may say.

    [[part]]
    name = "bass"          # default: its number
    channel = 2            # 1..16, its own; default: the lowest that is free
    program = 34           # and model, seed_file, seed_events and rng, as on the command line
    register_high = 48     # and any other setting
    hears = ["lead"]       # the parts whose notes it hears as it hears the keyboard; true: all

What a table leaves out is as for all parts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from core.errors import SettingsError
from realtime.control import changed
from realtime.part import PartOrders
from realtime.settings import Settings

Table = Mapping[str, Any]

CHANNELS = range(1, 17)
NOT_NAMES = ("daemon", "player", "link", "human")  # which others are called
TEXTS = ("name", "model", "seed_file")
NUMBERS = {
    "channel": CHANNELS,
    "program": range(1, 129),
    "seed_events": range(-1_000_000, 1_000_001),
    "rng": range(2**63),
}


def ensemble(tables: Sequence[Table], common: Mapping[str, Any]) -> list[PartOrders]:
    """The parts, in their order; a single one where there are no tables.

    Args:
        tables: as written; channels and programs count from 1.
        common: orders of realtime.composer, for all that a table leaves out. Random numbers are
            counted on from part to part: alike, two parts would play the same.

    Raises:
        SettingsError: what is meant cannot be, in one table or between two.
    """
    if not tables:
        return [PartOrders(composer=dict(common))]
    if len(tables) > len(CHANNELS):
        raise SettingsError(f"{len(tables)} parts are too many for {len(CHANNELS)} channels")
    names = [str(table.get("name", number)) for number, table in enumerate(tables, 1)]
    for name, table in zip(names, tables, strict=True):
        if names.count(name) > 1:
            raise SettingsError(f"{names.count(name)} parts are called '{name}'")
        if not name or name in NOT_NAMES or "/" in name:  # which OSC divides names by
            raise SettingsError(f"a part cannot be called '{name}'")
        _check(name, table)
    channels = _channels(dict(zip(names, tables, strict=True)))
    hears = [_heard(*each, names) for each in zip(names, tables, strict=True)]
    return [
        PartOrders(
            name=name,
            hears=hears[index],
            composer=_composer(name, table, common, index)
            | {"channel": channels[name] - 1, "voices": 1 + len(hears[index])},
        )
        for index, (name, table) in enumerate(zip(names, tables, strict=True))
    ]


def _check(name: str, table: Table) -> None:
    for key, value in table.items():
        if key in TEXTS and not isinstance(value, str):
            raise SettingsError(f"part '{name}': {key} is a text, not {value!r}")
        if key in NUMBERS:
            low, high = NUMBERS[key][0], NUMBERS[key][-1]
            whole = isinstance(value, int) and not isinstance(value, bool)
            if not whole or not low <= value <= high:
                raise SettingsError(
                    f"part '{name}': {key} is a whole number, {low}..{high}, not {value!r}"
                )


def _channels(tables: Mapping[str, Table]) -> dict[str, int]:
    """The channel of each part, 1..16."""
    owners: dict[int, str] = {}
    for name, table in tables.items():
        if "channel" in table:
            owner = owners.setdefault(table["channel"], name)
            if owner != name:
                raise SettingsError(
                    f"parts '{owner}' and '{name}' share channel {table['channel']}; "
                    "give each its own"
                )
    free = (channel for channel in CHANNELS if channel not in owners)
    return {name: table.get("channel") or next(free) for name, table in tables.items()}


def _heard(name: str, table: Table, names: Sequence[str]) -> frozenset[str]:
    hears = table.get("hears", False)
    others = [other for other in names if other != name]
    if isinstance(hears, bool):
        return frozenset(others if hears else ())
    if not isinstance(hears, list):
        raise SettingsError(f"part '{name}': hears is true, or a list of parts, not {hears!r}")
    for other in hears:
        if other not in others:
            known = ", ".join(others) or "none"
            raise SettingsError(f"part '{name}' hears {other!r}; the other parts are: {known}")
    return frozenset(hears)


def _composer(name: str, table: Table, common: Mapping[str, Any], index: int) -> dict[str, Any]:
    own = {key: table[key] for key in ("model", "seed_file", "seed_events") if key in table}
    if "program" in table:
        own["program"] = table["program"] - 1
    own["rng"] = table.get("rng", None if common["rng"] is None else common["rng"] + index)
    wish = {key: table[key] for key in table if key not in (*TEXTS, *NUMBERS, "hears")}
    settings, words = changed(Settings(**common["settings"]), wish)
    if words:
        raise SettingsError(f"part '{name}': {words[0]}")
    return {**common, **own, "settings": asdict(settings)}
