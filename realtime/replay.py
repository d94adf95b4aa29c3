"""A take, played again: the same model, the same calls, the same file."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from core.errors import ComposerError, MidiFileError
from realtime.composer import model_path, performer
from realtime.course import Course
from realtime.fingerprint import fingerprint
from realtime.recording import Recording
from realtime.score import HUMAN, Score
from realtime.wire import Record, hush

Line = dict[str, Any]


def replay(take: Path, out: Path) -> None:
    """Write what was played, as its recording has it.

    Of a take that did not end, as its process was killed, all that was written down is played.

    Args:
        take: a file as `realtime.take` writes it.
        out: replaced when it exists.

    Raises:
        ComposerError: it is no take or a damaged one, a file that it came of is not as it was, or
            `out` cannot be written.
    """
    lines = _read(take)
    try:
        _replay(take, lines, out)
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        # A stranger's lines may say anything.
        raise MidiFileError(
            f"cannot read {take}: it is damaged; take another copy of it"
        ) from error


def _replay(take: Path, lines: list[Line], out: Path) -> None:
    for line in lines:
        for path, then in line.get("files", {}).items():
            _as_it_was(take, Path(path), then)
    by_part: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        if "part" in line:
            by_part[line["part"]].append(line)
    parts = [name for name in lines[0]["tracks"] if name != HUMAN]
    end = lines[-1] if "end_ns" in lines[-1] else {}
    for name, count in end.get("records", {}).items():
        by_part[name].append({"ended": count})
    written = {name: list(_records(by_part[name])) for name in parts}
    moments = (line.get("at_ns") or line.get("plan") or line.get("now") or 0 for line in lines)
    end_ns = end["end_ns"] if end else max(moments)
    with Recording(out, lines[0]["tracks"]) as recording:
        score = Score(recording, parts, lines[0]["max_note_ns"])
        for name, records in written.items():
            for record in records:
                score.wrote(name, record)
        for line in lines:
            if "human" in line:
                score.human(line["at_ns"], bytes.fromhex(line["human"]))
            elif "tempo_us" in line:
                score.tempo(line["at_ns"], line["tempo_us"])
        score.end(end_ns)


def _as_it_was(take: Path, path: Path, then: str) -> None:
    """Raises ComposerError: what the take came of is not there, or another one."""
    now = fingerprint(path)
    if now == then:
        return
    if not then:
        raise ComposerError(f"{take} came without {path}, which was not there then; take it away")
    other = "is another one than then" if now else "is not there any longer"
    raise ComposerError(f"{take} came of {path}, which {other}; put it back to replay it")


def _read(take: Path) -> list[Line]:
    """A last line that was cut off is left out."""
    try:
        text = take.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no take of composerd --record"
        raise MidiFileError(f"cannot read {take}: {reason}") from error
    try:
        lines = [json.loads(line) for line in text.split("\n")[:-1]]
        if lines[0]["take"] == 1:
            return lines
    except (ValueError, LookupError, TypeError):
        pass
    raise MidiFileError(f"cannot read {take}: it is no take of composerd --record")


def _records(lines: list[Line]) -> Iterator[Record]:
    """All that a part's composers wrote, one after the other."""
    begun: Line | None = None
    calls: list[Line] = []
    for line in [*lines, {"ended": None}]:
        if "orders" in line:
            begun, calls = line, []
        elif "ended" in line or "died" in line:
            if begun:
                count = line["died"] if "died" in line else line["ended"]
                yield from islice(_course(begun).again(calls), count)
            begun = None
            if "died" in line:
                yield hush(line["channel"], line["epoch"], line["at_ns"])
        else:
            calls.append(line)


def _course(begun: Line) -> Course:
    orders = begun["orders"]
    plays = performer(orders, lambda: begun["start_ns"])
    return Course(plays, model_path(orders), sync=orders.get("sync", False), send=lambda _: None)
