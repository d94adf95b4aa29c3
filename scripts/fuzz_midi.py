"""Mutate MIDI files and read them: each must be legal music or a clear refusal."""

from __future__ import annotations

import random
import re
import sys
import tempfile
from pathlib import Path

import fuzzing

from core import midi_file
from core.errors import MidiFileError
from core.events import Events

SOUND = ("read", "refused")

# Bytes that mean something in a MIDI file, in places where they should not be.
TELLING = [
    b"MTrk",
    b"MThd",
    b"\xff\x2f\x00",
    b"\xff\x51\x03",
    b"\xff\xff\xff\x7f",
    b"\xf0",
    b"\xf7",
]
TELLING += [b"\x00", b"\x7f", b"\x80", b"\xff", b"\x90\x3c\x40", b"\x80\x3c\x00", b"\xb0\x40\x7f"]


def seed_file() -> bytes:
    """Some music of our own, for a run without files."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scale.mid"
        messages = []
        for step, pitch in enumerate((60, 62, 64, 65, 67, 69, 71, 72) * 4):
            at_ns = step * 250_000_000
            messages.append((at_ns, bytes([0xB0 | step % 3, 64, 127 * (step % 2)])))
            messages.append((at_ns, bytes([0x90 | step % 3, pitch, 40 + step])))
            messages.append((at_ns + 200_000_000, bytes([0x80 | step % 3, pitch, 0])))
        midi_file.write(path, messages)
        return path.read_bytes()


def mutated(data: bytes, choice: random.Random) -> bytes:
    piece = bytearray(data)
    for _ in range(choice.choice((1, 1, 2, 3, 4, 16))):
        # A third of the blows fall on the headers and first messages, few on the very first.
        reach = min(len(piece), 64) if choice.random() < 0.3 else len(piece)
        at = choice.randint(0 if choice.random() < 0.05 else min(reach, 8), reach)
        end = min(len(piece), at + choice.choice((1, 1, 2, 4, 32)))
        what = choice.randrange(6)
        if what == 0:
            piece[at:end] = choice.randbytes(end - at)
        elif what == 1:
            piece[at:at] = choice.choice(TELLING)
        elif what == 2:
            del piece[at:end]
        elif what == 3:
            piece[at:at] = piece[at:end] * choice.choice((1, 1, 100))
        elif what == 4:
            telling = choice.choice(TELLING)
            piece[at : at + len(telling)] = telling
        elif choice.random() < 0.1:
            del piece[at:]
    return bytes(piece)


def fault(events: Events) -> str | None:
    """What makes a stream unplayable, if anything."""
    struck_at: dict[int, int] = {}
    instant = 0
    for event in events:
        instant += event.delta_s > 0
        if event.is_onset:
            if event.pitch in struck_at:
                return "a strike of what sounds"
            struck_at[event.pitch] = instant
        elif struck_at.pop(event.pitch, instant) == instant:
            return "a release of nothing, or at its own onset"
    return "a note that never ends" if struck_at else None


def outcome(path: Path, case: int) -> str:
    choice = random.Random(case)
    options = {"pedal": choice.random() < 0.8, "percussion": choice.random() < 0.5}
    try:
        found = fault(midi_file.read(path, **options))
    except MidiFileError as error:
        line = str(error).removeprefix(f"cannot read {path}: ")
        return "refused: " + re.sub(r"[\d.]+", "N", line)
    except Exception as error:
        return f"BUG: {type(error).__name__}: {error}"
    return f"ILLEGAL: {found}" if found else "read"


def main() -> int:
    options = fuzzing.parser(__doc__)
    options.add_argument("files", nargs="*", type=Path, help="files to mutate; else a scale")
    given = options.parse_args()
    if not given.child:
        return fuzzing.count_cases(given, [str(file) for file in given.files], SOUND)
    seeds = [file.read_bytes() for file in given.files] or [seed_file()]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "case.mid"

        def read_case(case: int) -> str:
            choice = random.Random(f"mutation {case}")
            path.write_bytes(mutated(choice.choice(seeds), choice))
            return outcome(path, case)

        fuzzing.run_cases(given, read_case)
    return 0


if __name__ == "__main__":
    sys.exit(main())
