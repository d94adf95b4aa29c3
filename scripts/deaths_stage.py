"""What a trial of scripts/deaths.py needs: a JACK server, a program that hears, and a composerd."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

REPOSITORY = Path(__file__).resolve().parent.parent
SERVERS = 7  # a machine has room for eight


class TooLateError(Exception):
    """What a trial waited for did not come."""


class NotSetUpError(Exception):
    """No trial took place: nothing played before any death, or JACK was not well."""


def wait_until(is_so: Callable[[], bool], within_s: float, what: str) -> None:
    end_s = time.monotonic() + within_s
    while not is_so():
        if time.monotonic() > end_s:
            raise TooLateError(what)
        time.sleep(0.01)


class Jack:
    """A JACK server of its own for each job; some of the names the tests use, too."""

    def __init__(self) -> None:
        """Raises OSError when all are in use."""
        for slot in reversed(range(SERVERS)):  # tests use the first ones
            self.name = f"composer-test-{slot}"
            self.environment = {
                **os.environ,
                "JACK_DEFAULT_SERVER": self.name,
                "JACK_NO_START_SERVER": "1",
                "OMP_NUM_THREADS": "1",
                "PYTHONPATH": str(REPOSITORY),
            }
            self._lock = (Path(tempfile.gettempdir()) / f"{self.name}.lock").open("w")
            with suppress(BlockingIOError):
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if not self.ports():  # else a run that was killed has left it behind
                    self.start()
                    return
            self._lock.close()
        raise OSError("no JACK server is to be had: is jackd installed, are there too many?")

    def start(self) -> None:
        # As on a stage; where that is refused, it and all its clients lose what they are late for.
        command = ["jackd", "--realtime", "-n", self.name]
        self._server = subprocess.Popen(
            [*command, *("-d", "dummy", "-r", "48000", "-p", "1024")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(lambda: "system:playback_1" in self.ports(), 20, "a JACK server")

    def ports(self) -> list[str]:
        command = ["timeout", "5", "jack_lsp"]  # a server that is frozen never answers
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env=self.environment
        )
        return done.stdout.split("\n")[:-1] if done.returncode == 0 else []

    def signal(self, number: int) -> None:
        self._server.send_signal(number)

    def kill(self) -> None:
        self._server.kill()
        self._server.wait()

    def stop(self) -> None:
        self._server.terminate()
        self._server.wait()
        self._lock.close()


class Listener:
    """A foreign program that hears MIDI; each message is stamped when it arrives here.

    Raises:
        NotSetUpError: JACK gives it no port.
    """

    def __init__(self, jack: Jack) -> None:
        self.heard: list[tuple[float, bytes]] = []  # s of the monotonic clock, message
        self._jack = jack
        self._process = subprocess.Popen(
            ["jack_midi_dump", "listener"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=jack.environment,
        )
        self._wait_until(listed=True)
        threading.Thread(target=self._hear, daemon=True).start()

    def _hear(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            # '   0: 90 3c 50 note on  (channel  0): pitch  60, velocity  80'
            message = bytes.fromhex(line.split(":", 1)[1][:10])
            self.heard.append((time.monotonic(), message))

    def sounding(self) -> set[int]:
        pitches: set[int] = set()
        for _, message in list(self.heard):
            if is_onset(message):
                pitches.add(message[1])
            elif message[0] >> 4 in (8, 9):
                pitches.discard(message[1])
        return pitches

    def released_s(self, since_s: float) -> dict[int, float]:
        """By pitch, when it was first released after that moment."""
        found: dict[int, float] = {}
        for at_s, message in list(self.heard):
            if at_s >= since_s and message[0] >> 4 in (8, 9) and not is_onset(message):
                found.setdefault(message[1], at_s)
        return found

    def struck_s(self, since_s: float) -> float | None:
        """When the first note after that moment was struck."""
        times = (at_s for at_s, message in list(self.heard) if is_onset(message))
        return next((at_s for at_s in times if at_s >= since_s), None)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def leave(self) -> None:
        """Killed, and another one may come. Raises NotSetUpError when JACK goes on listing it."""
        self.kill()
        self._wait_until(listed=False)

    def _wait_until(self, *, listed: bool) -> None:
        try:
            wait_until(lambda: ("listener:input" in self._jack.ports()) is listed, 10, "JACK")
        except TooLateError as error:
            raise NotSetUpError from error


def is_onset(message: bytes) -> bool:
    return message[0] >> 4 == 9 and message[2] > 0


class Composerd:
    """The daemon, and what it says."""

    def __init__(self, jack: Jack, arguments: list[str], environment: dict[str, str]) -> None:
        command = [sys.executable, "-m", "realtime.cli", "--port", "listener", "--api", "jack"]
        self.process = subprocess.Popen(
            [*command, *arguments],
            stderr=subprocess.PIPE,
            text=True,
            env=jack.environment | environment,
        )
        self.lines: list[tuple[float, str]] = []  # s of the monotonic clock, what it said
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            self.lines.append((time.monotonic(), line.rstrip()))

    def says(self, words: str, within_s: float = 30) -> None:
        """Wait until it has said so."""
        wait_until(lambda: any(words in line for _, line in self.lines), within_s, words)

    def child(self, module: str) -> psutil.Process:
        """The one at work: it is older than the one that waits beside it."""
        children = psutil.Process(self.process.pid).children()
        for child in sorted(children, key=psutil.Process.create_time):
            with suppress(psutil.Error):
                if child.cmdline()[-1:] == [f"realtime.{module}"]:
                    return child
        raise TooLateError(f"no {module} process")

    @property
    def alive(self) -> bool:
        return self.process.poll() is None


@contextmanager
def composerd(jack: Jack, arguments: list[str], environment: dict[str, str]) -> Iterator[Composerd]:
    """It plays; whatever is left of it at the end is killed."""
    daemon = Composerd(jack, arguments, environment)
    family: list[psutil.Process] = []
    try:
        daemon.says("playing to")
        family = psutil.Process(daemon.process.pid).children()
        yield daemon
    finally:
        with suppress(psutil.Error):
            family += psutil.Process(daemon.process.pid).children()
        daemon.process.kill()
        daemon.process.wait()
        for process in family:
            with suppress(psutil.Error):
                process.send_signal(signal.SIGCONT)
                process.wait(1)
            with suppress(psutil.Error):
                process.kill()
