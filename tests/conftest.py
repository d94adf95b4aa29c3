"""Real MIDI ports over a JACK server of the test's own, a foreign listener, and music."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from core import midi_file

# How fast a machine is, is no property of the code.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")

REPOSITORY = Path(__file__).parent.parent


class Jack:
    """A JACK server without sound or real-time priority, and what one asks of it."""

    def __init__(self) -> None:
        """Raises OSError when no server can be started."""
        import fcntl  # not on Windows, where there is no JACK server to test with either

        # A machine has room for eight servers, and one that was killed keeps its place until
        # another of its name starts: so a few names, each for one test run at a time.
        for slot in range(4):
            self.name = f"composer-test-{slot}"
            self._environment = {
                **os.environ,
                "JACK_DEFAULT_SERVER": self.name,
                "JACK_NO_START_SERVER": "1",
            }
            self._lock = (Path(tempfile.gettempdir()) / f"{self.name}.lock").open("w")
            with suppress(BlockingIOError, subprocess.TimeoutExpired):
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if not self.ports():  # else a test run that was killed has left it behind
                    self.start()
                    return
            self._lock.close()
        raise OSError("other tests use all the JACK servers that tests may use")

    def start(self) -> None:
        self._server = subprocess.Popen(
            [
                *("jackd", "--no-realtime", "-n", self.name),
                # A client that a busy machine delays for more than a period loses what it sent:
                # so periods of 21 ms.
                *("-d", "dummy", "-r", "48000", "-p", "1024"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.wait_for("system:playback_1")

    @property
    def alive(self) -> bool:
        return self._server.poll() is None

    def ports(self) -> list[str]:
        command = ["timeout", "2", "jack_lsp"]  # a server that is frozen never answers
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env=self._environment
        )
        return done.stdout.split("\n")[:-1] if done.returncode == 0 else []

    def wait_for(self, port: str) -> None:
        """Until a port is there; the test fails when it does not come."""
        self._wait_until(lambda: port in self.ports())

    def wait_until_gone(self, port: str) -> None:
        self._wait_until(lambda: port not in self.ports())

    def _wait_until(self, is_so: Callable[[], bool]) -> None:
        for _ in range(250):
            if is_so():
                return
            time.sleep(0.02)
        pytest.fail(f"waited too long; the JACK ports are {self.ports()}")

    def connect(self, source: str, destination: str) -> None:
        self.wait_for(source)
        self.wait_for(destination)
        subprocess.run(["jack_connect", source, destination], check=True, env=self._environment)

    def freeze(self) -> None:
        self._server.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self._server.pid, os.WSTOPPED)

    def thaw(self) -> None:
        self._server.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self._server.kill()
        self._server.wait()

    def stop(self) -> None:
        self._server.terminate()
        self._server.wait()
        self._lock.close()


class Listener:
    """A foreign program that hears MIDI: its port is 'listener:input'."""

    def __init__(self, jack: Jack, name: str = "listener") -> None:
        self._process = subprocess.Popen(
            ["jack_midi_dump", name], stdout=subprocess.PIPE, text=True
        )
        jack.wait_for(f"{name}:input")

    def leave(self) -> None:
        self._process.terminate()
        self._process.wait()

    def forget(self) -> None:
        assert self._process.stdout
        self._process.stdout.close()

    def heard(self) -> list[bytes]:
        """All messages that it heard, in order. It leaves and tells."""
        self.leave()
        assert self._process.stdout
        # '   0: 90 3c 50 note on  (channel  0): pitch  60, velocity  80'
        return [bytes.fromhex(line.split(":", 1)[1][:10]) for line in self._process.stdout]


@pytest.fixture(scope="session")
def jack_server() -> Iterator[Jack]:
    for program in ("jackd", "jack_lsp", "jack_connect", "jack_midi_dump"):
        if shutil.which(program) is None:
            pytest.fail(f"no {program} here: install jackd2 (and its tools)", pytrace=False)
    server = Jack()
    yield server
    server.stop()


@pytest.fixture
def jack(jack_server: Jack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Jack]:
    """The server, for ports of this process and of those that it starts."""
    monkeypatch.setenv("JACK_DEFAULT_SERVER", jack_server.name)
    monkeypatch.setenv("JACK_NO_START_SERVER", "1")
    yield jack_server
    if not jack_server.alive:
        jack_server.start()


@pytest.fixture
def listener(jack: Jack) -> Iterator[Listener]:
    listener = Listener(jack)
    yield listener
    listener.leave()
    listener.forget()


@pytest.fixture
def shared_data() -> Path:
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the music that tests may use is not here")
    return folder


# Public-domain tunes: (pitch, length in quarters) of each note.
TUNES: dict[str, list[tuple[int, float]]] = {
    "ode_to_joy": [
        *((64, 1), (64, 1), (65, 1), (67, 1), (67, 1), (65, 1), (64, 1), (62, 1)),
        *((60, 1), (60, 1), (62, 1), (64, 1), (64, 1.5), (62, 0.5), (62, 2)),
    ],
    "frere_jacques": [
        *((60, 1), (62, 1), (64, 1), (60, 1)) * 2,
        *((64, 1), (65, 1), (67, 2)) * 2,
        *((67, 0.5), (69, 0.5), (67, 0.5), (65, 0.5), (64, 1), (60, 1)) * 2,
        *((60, 1), (55, 1), (60, 2)) * 2,
    ],
    "twinkle": [
        *((60, 1), (60, 1), (67, 1), (67, 1), (69, 1), (69, 1), (67, 2)),
        *((65, 1), (65, 1), (64, 1), (64, 1), (62, 1), (62, 1), (60, 2)),
    ],
    "au_clair_de_la_lune": [
        *((60, 1), (60, 1), (60, 1), (62, 1), (64, 2), (62, 2)),
        *((60, 1), (64, 1), (62, 1), (62, 1), (60, 4)),
    ],
}


def performance(
    tune: list[tuple[int, float]], *, quarter_ns: int = 400_000_000, transpose: int = 0
) -> list[tuple[int, bytes]]:
    """A tune over its bass, an octave and a half below: (ns since the start, message)."""
    played = []
    at_ns = 0
    for index, (pitch, quarters) in enumerate(tune):
        end_ns = at_ns + round(quarters * quarter_ns)
        for key in (pitch + transpose, pitch + transpose - 19):
            played.append((at_ns, 1, bytes([0x90, key, 60 + index % 4 * 12])))
            played.append((end_ns, 0, bytes([0x80, key, 0])))
        at_ns = end_ns
    played.sort()
    return [(at, message) for at, _, message in played]


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests neither see nor fill the user's cache, nor read the options that the user keeps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def songbook(tmp_path: Path) -> Path:
    """A folder of 20 MIDI files, some in a folder below."""
    folder = tmp_path / "songbook"
    (folder / "more").mkdir(parents=True)
    for index in range(20):
        name = list(TUNES)[index % len(TUNES)]
        place = folder / "more" if index % 2 else folder
        midi_file.write(
            place / f"{index:02}_{name}.mid",
            performance(TUNES[name] * 3, quarter_ns=360_000_000, transpose=index // 4 * 2 - 4),
        )
    return folder
