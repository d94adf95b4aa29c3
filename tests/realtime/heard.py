"""What a foreign program heard of composerd, in a musician's words."""

from __future__ import annotations

from collections.abc import Iterable


def is_onset(message: bytes) -> bool:
    return message[0] >> 4 == 9 and message[2] > 0


def onsets(messages: Iterable[bytes]) -> list[bytes]:
    return [message for message in messages if is_onset(message)]


def sounding(messages: Iterable[bytes]) -> set[tuple[int, int]]:
    """(channel, pitch) of each note that is left sounding.

    A release of what is silent is nothing, to an instrument too: composerd says its last twice.
    """
    notes = set[tuple[int, int]]()
    for message in messages:
        if message[0] >> 4 in (8, 9):
            (notes.add if is_onset(message) else notes.discard)((message[0] & 0x0F, message[1]))
    return notes
