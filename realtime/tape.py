"""What --record gives: a take of the performance, for as long as the disk has room."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from core.errors import MidiFileError
from realtime.clock import NS_PER_S
from realtime.part import Part
from realtime.song import Song
from realtime.take import Take
from realtime.wire import Kind, Record


class Tape:
    """Is written while they play. A disk that is full ends the recording, not the music.

    Args:
        path: of the recording; None: nobody wants one, and nothing is written.
        parts: whose composers are ready.
        human: whether anybody else may play.
        max_note_s: no note sounds longer.
        log: is given a line when the disk is full.

    Raises:
        MidiFileError: a file cannot be written.
    """

    def __init__(
        self,
        path: Path | None,
        parts: Sequence[Part],
        *,
        human: bool,
        max_note_s: float,
        log: Callable[[str], None],
    ) -> None:
        self._log = log
        self._take: Take | None = None  # until the disk is full
        if path:
            names = [part.name for part in parts]
            max_note_ns = round(max_note_s * NS_PER_S)
            self._take = Take(path, names, human=human, max_note_ns=max_note_ns)
        for part in parts:
            self.began(part, part.greeting)

    def began(self, part: Part, greeting: dict[str, Any]) -> None:
        """A composer of this part is ready, and greets."""
        if self._take:
            self._take.began(part.name, part.ordered, greeting)

    def composed(self, part: Part, record: Record) -> None:
        """Its composer says so."""
        if self._take:
            self._take.wrote(part.name, record)
            if record.kind is Kind.TOOK and (call := part.did(record)):
                self._take.did(part.name, call)

    def died(self, part: Part, at_ns: int) -> None:
        """Its composer has, and another one is yet to follow."""
        if self._take:
            self._take.died(part.name, part.channel, part.epoch + 1, at_ns)

    def heard(self, record: Record) -> None:
        """The human plays this."""
        if self._take:
            self._take.human(record.at_ns, record.message)

    def followed(self, song: Song) -> None:
        """The song has gone on: its tempo may be another one."""
        if self._take and (tempo := song.to_write_down()):
            self._take.tempo(*tempo)

    def save(self, now_ns: int) -> None:
        """Bring the files up to date."""
        try:
            if self._take:
                self._take.save(now_ns)
        except MidiFileError as error:
            self._break_off(error)

    def close(self, end_ns: int) -> None:
        """Nobody plays any longer."""
        try:
            if self._take:
                self._take.close(end_ns)
        except MidiFileError as error:
            self._break_off(error)

    def _break_off(self, error: MidiFileError) -> None:
        self._log(f"{error}; what was recorded before is kept")
        self._take = None
