"""What each mode makes of the human's playing. The performer does as this table says."""

from __future__ import annotations

from collections.abc import Mapping
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
