"""What each mode makes of the human's playing. The performer does as this table says."""

from __future__ import annotations

from collections.abc import Mapping, Set
from types import MappingProxyType
from typing import NamedTuple


class Mode(NamedTuple):
    """How machine and human share the time."""

    # While the human plays the machine is silent and listens; when they have been silent for the
    # patience it answers, for about as long as they played. Otherwise it plays by itself, and what
    # the human plays bends it.
    yields: bool
    # It plays the less the more room it is to leave, and the less the human does.
    shares: bool


MODES: Mapping[str, Mode] = MappingProxyType(
    {
        "free": Mode(yields=False, shares=False),
        "respond": Mode(yields=True, shares=False),
        "duet": Mode(yields=False, shares=True),
    }
)


def in_vain(modes: Mapping[str, str], hears: Mapping[str, Set[str]]) -> list[str]:
    """The parts that never play, as nobody does whom they could answer; where there is no keyboard.

    Args:
        modes: by part.
        hears: by part, the others that it hears.

    >>> in_vain({"bass": "respond", "lead": "respond"}, {"bass": {"lead"}, "lead": {"bass"}})
    ['bass', 'lead']
    """
    plays = {part for part, mode in modes.items() if not MODES[mode].yields}
    while more := {part for part in modes.keys() - plays if hears[part] & plays}:
        plays |= more
    return [part for part in modes if part not in plays]


def nobody_to_answer(part: str) -> str:
    """What the musician is to know of a part that waits in vain."""
    return (
        f"in mode respond {part} has nobody to answer: name a keyboard with --input, or a part that"
        " plays by itself in its hears"
    )
