"""What crosses between the processes: one line of JSON as a greeting, then fixed-size records.

Down, towards the player: PLAY, HUSH, REVISE, STOP. Up, towards the composer: HEARD, SENT, DROPPED,
LOST, DEAF, HEARING, UNHEARD, CLOCK, PAUSE, RESUME. The daemon asks either: PING, and is answered:
PONG; the composer's PONG is passed on to the player. Between the daemon and a composer, what is not
said in notes is JSON, cut into pieces: ORDER down, WORD and TOOK up. A record is far below
PIPE_BUF, so that writers may share a pipe and never mix their records.
"""

from __future__ import annotations

import enum
import json
import os
import socket
import struct
import sys
import threading
from collections.abc import Iterator
from typing import IO, Any, NamedTuple


class Kind(enum.IntEnum):
    PLAY = 1  # send `message` at `due_ns`, unless it is a note of a past epoch
    # `epoch` begins: forget the notes of older ones that are due after `due_ns`, and release then
    # all that sounds; on the channel of `message`, or on all when there is none.
    HUSH = 2
    STOP = 3  # release all that sounds, then pedal up, all notes off, close and go
    HEARD = 4  # `message` came in from the keyboard at `at_ns`
    SENT = 5  # `message`, due at `due_ns`, had left at `at_ns`
    DROPPED = 6  # the onset `message`, due at `due_ns`, was too late at `at_ns`
    LOST = 7  # the output port is gone, and the player goes too
    DEAF = 8  # the input port is gone; the player plays on
    HEARING = 9  # the input port is back
    PAUSE = 10  # nobody can hear the composer: at `at_ns` its notes ended
    RESUME = 11  # they can again; music that has not begun begins at `at_ns`
    PING = 12  # is anybody there?
    PONG = 13  # yes
    UNHEARD = 14  # so many onsets from the keyboard as `epoch` says were too many
    ORDER = 15  # `message` is a piece of JSON, the `due_ns`th; `epoch` more pieces of it follow
    WORD = 16  # the same, from a composer
    CLOCK = 17  # `message` of a clock, at `at_ns`; a tick is the song's `epoch`th, counted from 0
    REVISE = 18  # as HUSH, but what sounds goes on
    TOOK = 19  # as WORD: what a composer did, see realtime.course


class Record(NamedTuple):
    kind: Kind
    message: bytes = b""  # one MIDI message, 0..3 bytes; or a piece of JSON
    due_ns: int = 0  # monotonic clock
    at_ns: int = 0  # monotonic clock
    epoch: int = 0


SUSTAIN_PEDAL, ALL_SOUND_OFF, ALL_NOTES_OFF = 64, 120, 123  # controllers
TICK, START, CONTINUE, STOP = b"\xf8", b"\xfa", b"\xfb", b"\xfc"  # of a clock, MIDI 1.0

PIECE_SIZE = 24  # bytes of JSON in a record; more in each, and fewer records fit into a pipe

_FORMAT = struct.Struct(f"<BB{PIECE_SIZE}s2xIqq")
RECORD_SIZE = _FORMAT.size


def pack(record: Record) -> bytes:
    kind, message, due_ns, at_ns, epoch = record
    return _FORMAT.pack(kind, len(message), message, epoch, due_ns, at_ns)


def unpack(data: bytes) -> Record:
    kind, size, message, epoch, due_ns, at_ns = _FORMAT.unpack(data)
    return Record(Kind(kind), message[:size], due_ns, at_ns, epoch)


def is_note(message: bytes) -> bool:
    return message[0] & 0xE0 == 0x80


def is_onset(message: bytes) -> bool:
    return message[0] & 0xF0 == 0x90 and message[2] > 0


def is_release(message: bytes) -> bool:
    """A note-off; or a note-on with velocity 0, which many keyboards send instead."""
    status = message[0] & 0xF0
    return status == 0x80 or (status == 0x90 and not message[2])


def note_of(message: bytes) -> tuple[int, int]:
    """Channel 0..15 and pitch of a note message."""
    return message[0] & 0x0F, message[1]


def note_on(channel: int, pitch: int, velocity: int) -> bytes:
    return bytes((0x90 | channel, pitch, velocity))


def note_off(channel: int, pitch: int) -> bytes:
    return bytes((0x80 | channel, pitch, 0))


def control_change(channel: int, control: int, value: int) -> bytes:
    return bytes((0xB0 | channel, control, value))


def hush(channel: int, epoch: int, due_ns: int = 0) -> Record:
    """What one part says that falls silent: the others are not meant."""
    return Record(Kind.HUSH, control_change(channel, ALL_NOTES_OFF, 0), due_ns, epoch=epoch)


def revise(channel: int, epoch: int, due_ns: int) -> Record:
    """What one part says that has thought again of what comes after `due_ns`."""
    return Record(Kind.REVISE, control_change(channel, ALL_NOTES_OFF, 0), due_ns, epoch=epoch)


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


def pieces(kind: Kind, fields: dict[str, Any]) -> list[Record]:
    """Records that say this; `Pieces` joins them."""
    data = json.dumps(fields).encode()
    cut = [data[start : start + PIECE_SIZE] for start in range(0, len(data), PIECE_SIZE)]
    return [
        Record(kind, piece, due_ns=index, epoch=len(cut) - 1 - index)
        for index, piece in enumerate(cut)
    ]


class Pieces:
    """Joins what `pieces` cut. Of a whole that has lost a piece on its way, nothing comes out."""

    def __init__(self) -> None:
        self._joined: list[bytes] = []

    def join(self, record: Record) -> dict[str, Any] | None:
        """What was said, with its last piece."""
        if record.due_ns == 0:
            self._joined = []
        elif record.due_ns != len(self._joined):
            return None
        self._joined.append(record.message)
        if record.epoch:
            return None
        try:
            fields = json.loads(b"".join(self._joined))
        except ValueError:
            return None
        return fields if isinstance(fields, dict) else None


def records(stream: IO[bytes]) -> Iterator[Record]:
    """Every record until the other side closes; half a record at the end is dropped."""
    while len(data := stream.read(RECORD_SIZE)) == RECORD_SIZE:
        yield unpack(data)


class Inbox:
    """Records from a pipe, for one who also waits for the time: a clock can wait on it.

    Args:
        fd: read from here on by nobody else.
    """

    _socket: socket.socket  # Windows only

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._half = b""  # a record of which the rest has not come yet
        if sys.platform == "win32":
            # select knows only sockets there: a thread pours the pipe into one.
            self._socket, source = socket.socketpair()
            threading.Thread(target=_pour, args=(fd, source), daemon=True).start()

    def fileno(self) -> int:
        return self._socket.fileno() if sys.platform == "win32" else self._fd

    def read(self) -> list[Record]:
        """What has come; waits only when nothing has.

        Raises:
            EOFError: the other side has closed, or `hang_up` was called.
        """
        size = 2048 * RECORD_SIZE
        data = self._socket.recv(size) if sys.platform == "win32" else os.read(self._fd, size)
        if not data:
            raise EOFError("the other process has gone")
        data = self._half + data
        whole = len(data) - len(data) % RECORD_SIZE
        self._half = data[whole:]
        return [unpack(data[i : i + RECORD_SIZE]) for i in range(0, whole, RECORD_SIZE)]

    def hang_up(self) -> None:
        """From now on it is as if the other side had closed. A signal handler may call this."""
        if sys.platform == "win32":
            self._socket.shutdown(socket.SHUT_RD)
        else:
            # An empty file under the same number: an interrupted wait goes on with this one.
            empty = os.open(os.devnull, os.O_RDONLY)
            os.dup2(empty, self._fd)
            os.close(empty)


def _pour(fd: int, into: socket.socket) -> None:
    while data := os.read(fd, 2048 * RECORD_SIZE):
        into.sendall(data)
    into.close()


class Outbox:
    """Records into a pipe, for one who must never wait: what does not fit is lost and counted.

    Any thread may write. Windows before Python 3.12 has no pipes that refuse to wait; there the
    other side had better read.
    """

    def __init__(self, fd: int) -> None:
        self.lost = 0  # records
        self._fd = fd
        if sys.platform != "win32" or sys.version_info >= (3, 12):
            os.set_blocking(fd, False)

    def write(self, record: Record) -> None:
        try:
            os.write(self._fd, pack(record))
        except OSError:  # full; or closed, which is the other pipe's business to tell
            self.lost += 1
