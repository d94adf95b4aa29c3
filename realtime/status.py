"""A running daemon answers its own user: what it plays, how late, how often it was mended.

Over a Unix socket in a folder that nobody else may enter, on Windows over a named pipe; nothing
listens on the network. A question is any message, the answer is one line of JSON.
"""

from __future__ import annotations

import json
import os
import re
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import Any

import platformdirs
import psutil

from core.errors import ComposerError, SettingsError
from realtime.names import match

PROGRAM = "composerd"
PATIENCE_S = 2.0  # for the other side
_MB = 1_000_000


@contextmanager
def answering(status: Callable[[], dict[str, Any]], log: Callable[[str], None]) -> Iterator[None]:
    """Answer with `status()`, in a thread of its own, as long as this lasts.

    Where that cannot be, it is logged, and the music goes on without.
    """
    try:
        listener = _listener()
    except (OSError, SettingsError) as error:  # such as a path too long for a socket
        log(f"--status will not reach this composerd: {error}")
        yield
        return
    over = threading.Event()
    thread = threading.Thread(target=_answer, args=(listener, status, over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        with suppress(OSError):
            Client(listener.address).close()  # wakes the thread
        thread.join(PATIENCE_S)
        listener.close()


def _listener() -> Listener:
    address = _folder() / f"{PROGRAM}-{os.getpid()}"
    if sys.platform == "win32":
        return Listener(str(address))
    address.unlink(missing_ok=True)  # of a dead process that had our number
    listener = Listener(str(address), backlog=8)
    address.chmod(0o600)
    return listener


def ask(port: str | None = None) -> dict[str, Any]:
    """What the daemon says that plays to this port, or the only one that runs.

    Raises:
        ComposerError: none runs, or several may be meant, or it does not answer.
    """
    sockets = ((_pid(path), path) for path in _folder().iterdir())
    answers = [_asked(pid, str(path)) for pid, path in sockets if pid is not None]
    found = [answer for answer in answers if answer]
    if not found:
        raise ComposerError("no composerd of yours is running")
    names = [answer["port"] for answer in found]
    if port is not None:
        name = match(port, names, "composerd")
        if name is None:
            raise ComposerError(f"no composerd plays to '{port}', but to: {', '.join(names)}")
        found = [answer for answer in found if answer["port"] == name]
    if len(found) > 1:
        raise ComposerError(
            f"{len(found)} of composerd are running, playing to: {', '.join(names)}; "
            "name one with --port"
        )
    [answer] = found
    return answer | {"memory_mb": {name: _memory_mb(pid) for name, pid in answer["pids"].items()}}


def as_text(answer: dict[str, Any]) -> str:
    """One `name  value` a line."""
    flat = {}
    for name, value in answer.items():
        if isinstance(value, dict):
            value = ", ".join(f"{key} {_plain(inner)}" for key, inner in value.items())
        flat[name.replace("_", " ")] = _plain(value)
    width = max(map(len, flat))
    return "\n".join(f"{name:{width}}  {value}" for name, value in flat.items())


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.1f}"
    return "-" if value is None else str(value)


def _folder() -> Path:
    """Where the sockets are: ours alone.

    Raises:
        SettingsError: there is none, or others may enter it.
    """
    if sys.platform == "win32":
        return Path(r"\\.\pipe")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that XDG_RUNTIME_DIR is not set is no news
            folder = platformdirs.user_runtime_path(PROGRAM, appauthor=False, ensure_exists=True)
        folder.chmod(0o700)
        owner = folder.stat().st_uid
    except OSError as error:
        raise SettingsError(f"no folder for a socket: {error}") from error
    if owner != os.getuid():
        raise SettingsError(f"{folder} belongs to somebody else")
    return folder


def _pid(address: Path) -> int | None:
    """Of the daemon that this socket belongs to.

    >>> _pid(Path("/run/user/1000/composerd/composerd-77"))
    77
    """
    numbered = re.fullmatch(rf"{re.escape(PROGRAM)}-(\d+)", address.name)
    return int(numbered[1]) if numbered else None


def _answer(
    listener: Listener, status: Callable[[], dict[str, Any]], over: threading.Event
) -> None:
    while not over.is_set():
        # Whoever says nothing, or goes in the middle, is left.
        with suppress(OSError, EOFError), listener.accept() as client:
            if client.poll(PATIENCE_S):
                client.recv_bytes(maxlength=64)
                client.send_bytes(json.dumps(status()).encode())


def _asked(pid: int, address: str) -> dict[str, Any] | None:
    """None when nobody is there any more."""
    try:
        with Client(address) as daemon:
            return _answered(pid, daemon)
    except (ConnectionRefusedError, FileNotFoundError):
        if sys.platform != "win32":
            Path(address).unlink(missing_ok=True)  # it was killed
        return None
    except (OSError, EOFError):  # it has just gone
        return None


def _answered(pid: int, daemon: Connection[Any, Any]) -> dict[str, Any]:
    daemon.send_bytes(b"status")
    if not daemon.poll(PATIENCE_S):
        raise ComposerError(f"composerd, process {pid}, does not answer")
    answer: dict[str, Any] = json.loads(daemon.recv_bytes())
    return answer


def _memory_mb(pid: int) -> float | None:
    try:
        resident: int = psutil.Process(pid).memory_info().rss
    except psutil.Error:
        return None
    return round(resident / _MB, 1)
