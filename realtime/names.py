"""Which port is meant by a name: in full, or any part of it in any case."""

from __future__ import annotations

import re
from collections.abc import Callable

from core.errors import PortError


def match(name: str, names: list[str], direction: str = "output") -> str | None:
    """The one of `names` that is meant by `name`; None when there is none.

    >>> match("midi", ["fluidsynth:midi_00", "system:midi"])
    'system:midi'
    >>> match("FLUID", ["fluidsynth:midi_00", "system:midi"])
    'fluidsynth:midi_00'

    Raises:
        PortError: several are equally good.
    """
    ways: tuple[Callable[[str], bool], ...] = (
        lambda listed: listed == name,
        lambda listed: name in _parts(listed),
        lambda listed: name.casefold() in listed.casefold(),
    )
    for way in ways:
        found = [listed for listed in names if way(listed)]
        if len(found) > 1:
            raise PortError(
                f"{len(found)} {direction} ports match '{name}': {', '.join(found)}; "
                "name one in full"
            )
        if found:
            return found[0]
    return None


def client_and_port(name: str) -> tuple[str | None, str]:
    """JACK lists 'client:port', ALSA 'client:port 128:0', WinMM 'port 0', CoreMIDI 'port'."""
    client, colon, port = re.sub(r" \d+(:\d+)?$", "", name).partition(":")
    return (client, port) if colon else (None, client)


def _parts(name: str) -> tuple[str, ...]:
    client, port = client_and_port(name)
    return (port,) if client is None else (client, port, f"{client}:{port}")
