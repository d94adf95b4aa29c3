"""Pieces to measure on. Shared by the scripts that ask how the model takes music it never heard."""

from __future__ import annotations

import random
from pathlib import Path

from core import corpus, midi_file
from core.errors import MidiFileError
from core.events import Events


def pieces(folder: Path, count: int, events: int = 0) -> list[Events]:
    """The same ones of a folder each time: at most `count`, each of at least so many events.

    Raises:
        ComposerError: there is no MIDI file.
    """
    files = corpus.find([folder])
    random.Random(0).shuffle(files)
    found: list[Events] = []
    for file in files:
        try:
            music = midi_file.read(file)
        except MidiFileError:
            continue
        if len(music) >= events:
            found.append(music)
        if len(found) == count:
            break
    return found
