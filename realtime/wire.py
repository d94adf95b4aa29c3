"""What crosses between the processes: one line of JSON as a greeting, then fixed-size records.

Down, towards the player: PLAY, HUSH, STOP. Up, towards the composer: HEARD, SENT, DROPPED, LOST.
A record is far below PIPE_BUF, so that writers may share a pipe and never mix their records.
"""

from __future__ import annotations

import enum
import json
import struct
from collections.abc import Iterator
from typing import IO, Any, NamedTuple


class Kind(enum.IntEnum):
    PLAY = 1  # send `message` at `due_ns`, unless it is an onset of a past epoch
    HUSH = 2  # `epoch` begins: forget queued onsets of older ones, release all that sounds
    STOP = 3  # as HUSH, then pedal up, all notes off, close and go
    HEARD = 4  # `message` came in from the keyboard at `at_ns`
    SENT = 5  # `message`, due at `due_ns`, had left at `at_ns`
    DROPPED = 6  # `message`, due at `due_ns`, was not sent
    LOST = 7  # the port is gone


class Record(NamedTuple):
    kind: Kind
    message: bytes = b""  # one MIDI channel message, 0..3 bytes
    due_ns: int = 0  # monotonic clock
    at_ns: int = 0  # monotonic clock
    epoch: int = 0


_FORMAT = struct.Struct("<BB3s3xIqq")
RECORD_SIZE = _FORMAT.size


def pack(record: Record) -> bytes:
    kind, message, due_ns, at_ns, epoch = record
    return _FORMAT.pack(kind, len(message), message, epoch, due_ns, at_ns)


def unpack(data: bytes) -> Record:
    kind, size, message, epoch, due_ns, at_ns = _FORMAT.unpack(data)
    return Record(Kind(kind), message[:size], due_ns, at_ns, epoch)


def greet(stream: IO[bytes], fields: dict[str, Any]) -> None:
    """Send the first line; the other side may be gone already, which raises OSError."""
    stream.write(json.dumps(fields).encode() + b"\n")
    stream.flush()


def greeting(stream: IO[bytes]) -> dict[str, Any]:
    """Wait for the other side's first line.

    Raises:
        EOFError: it went without one.
    """
    line = stream.readline()
    if not line.endswith(b"\n"):
        raise EOFError("the other process went without a greeting")
    fields: dict[str, Any] = json.loads(line)
    return fields


def records(stream: IO[bytes]) -> Iterator[Record]:
    """Every record until the other side closes; half a record at the end is dropped."""
    while len(data := stream.read(RECORD_SIZE)) == RECORD_SIZE:
        yield unpack(data)
