"""A take: a recording, and beside it all that it came of, to be played again.

The second file is JSON, a line for each thing that happened:

    {"take": 1, "tracks": [names], "max_note_ns": ...}
    {"part": name, "orders": ..., "start_ns": ..., "files": ...}    a composer began: see there
    {"part": name, ...}                                             did something: realtime.course
    {"part": name, "died": so many records had come, "channel": ..., "epoch": ..., "at_ns": ...}
    {"human": message, "at_ns": ...}
    {"tempo_us": of a quarter note, "at_ns": from then on}
    {"end_ns": ..., "records": {name: so many had come of its composer}}

The first of these is the first line, the last one the last, if it ended well. "files", of a
composer that began, or of another model on its way, tells the SHA-256 of each by its path.
Moments are nanoseconds of the machine's clock, messages in hex.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from io import StringIO
from pathlib import Path
from typing import Any

from core.errors import MidiFileError
from realtime.clock import NS_PER_MS
from realtime.fingerprint import fingerprint
from realtime.recording import Recording
from realtime.score import HUMAN, Score
from realtime.wire import Kind, Record, hush

# What is told later than so much after it was is not what happened, but the next possible thing.
LAG_NS = 250 * NS_PER_MS


class Take:
    """Written while it is played.

    Args:
        path: of the recording, replaced when it exists; the other file is called the same, with
            .take at its end.
        parts: their names.
        human: whether anybody else may play.
        max_note_ns: no note sounds longer.

    Raises:
        MidiFileError: a file cannot be written.
    """

    def __init__(self, path: Path, parts: Sequence[str], *, human: bool, max_note_ns: int) -> None:
        self._path = path.with_name(f"{path.name}.take")
        tracks = [HUMAN, *parts] if human else [*parts]
        self._recording = Recording(path, tracks)
        self._score = Score(self._recording, parts, max_note_ns)
        self._records: Counter[str] = Counter()  # of each part's composer
        self._committed_ns = 0
        self._unsaved = StringIO()
        try:
            self._file = self._path.open("wb", buffering=0)
        except OSError as error:
            self._recording.close()
            raise self._cannot_write(error) from error
        self._note(take=1, tracks=tracks, max_note_ns=max_note_ns)

    def began(self, part: str, orders: dict[str, Any], greeting: dict[str, Any]) -> None:
        """A composer plays, from this model on."""
        model = str(Path(greeting["model"]).resolve())
        seed_file = orders["seed_file"] and str(Path(orders["seed_file"]).resolve())
        orders = orders | {"model": model, "seed_file": seed_file}
        files = {path: fingerprint(Path(path)) for path in (model, seed_file) if path}
        self._records[part] = 0
        self._note(part=part, orders=orders, start_ns=greeting["start_ns"], files=files)

    def did(self, part: str, call: dict[str, Any]) -> None:
        """Its composer tells so, see realtime.course."""
        self._note(part=part, **call)

    def wrote(self, part: str, record: Record) -> None:
        """Any record of its composer."""
        if record.kind in (Kind.PLAY, Kind.HUSH, Kind.REVISE):
            self._records[part] += 1
            self._score.wrote(part, record)

    def died(self, part: str, channel: int, epoch: int, at_ns: int) -> None:
        """Its composer is no more: what it struck is released, and `epoch` begins."""
        self._note(part=part, died=self._records[part], channel=channel, epoch=epoch, at_ns=at_ns)
        self._score.wrote(part, hush(channel, epoch, at_ns))

    def human(self, at_ns: int, message: bytes) -> None:
        at_ns = max(at_ns, self._committed_ns)
        self._note(human=message.hex(), at_ns=at_ns)
        self._score.human(at_ns, message)

    def tempo(self, at_ns: int, tempo_us: int) -> None:
        """A quarter note lasts so many microseconds from then on."""
        at_ns = max(at_ns, self._committed_ns)
        self._note(tempo_us=tempo_us, at_ns=at_ns)
        self._score.tempo(at_ns, tempo_us)

    def save(self, now_ns: int) -> None:
        """Bring both files up to date, but for the last quarter of a second.

        Raises:
            MidiFileError: the disk is full, or gone. What was saved before is kept.
        """
        self._committed_ns = now_ns - LAG_NS
        self._score.commit(self._committed_ns)
        with ExitStack() as closing:
            closing.enter_context(self._file)
            self._recording.save()
            closing.callback(self._recording.close)
            self._write_down()
            closing.pop_all()

    def close(self, end_ns: int) -> None:
        """Nobody plays any longer. Raises MidiFileError when that cannot be saved."""
        self._note(end_ns=end_ns, records=self._records)
        self._score.end(end_ns)
        with self._file:
            self._recording.close()
            self._write_down()

    def _note(self, **fields: Any) -> None:
        json.dump(fields, self._unsaved)
        self._unsaved.write("\n")

    def _write_down(self) -> None:
        data = self._unsaved.getvalue().encode()
        try:
            while data:
                data = data[self._file.write(data) :]
        except OSError as error:
            raise self._cannot_write(error) from error
        self._unsaved = StringIO()

    def _cannot_write(self, error: OSError) -> MidiFileError:
        return MidiFileError(f"cannot write {self._path}: {error.strerror}")
