"""composerd as whoever starts it sees it: a process, and what it says."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, cast

import pytest

CLI = [sys.executable, "-m", "realtime.cli"]
PATIENCE_S = 60  # for the next line that it says, or for its end


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    """For what ends by itself: its exit status, what it printed and what it said."""
    return subprocess.run(
        [*CLI, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )


class Composerd(subprocess.Popen[str]):
    """One that runs. A test that waits for its words in vain fails with those that came."""

    def __init__(self, *arguments: object) -> None:
        super().__init__([*CLI, *map(str, arguments)], stderr=subprocess.PIPE, text=True)
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()  # "" when it has ended
        self._said: list[str] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with cast(IO[str], self.stderr) as stderr:
            for line in stderr:
                self._lines.put(line)
        self._lines.put("")

    def _goes_on(self) -> Iterator[str]:
        while self._said[-1:] != [""]:
            try:
                self._said.append(self._lines.get(timeout=PATIENCE_S))
            except queue.Empty:
                pytest.fail(f"it neither speaks nor ends; it said:\n{''.join(self._said)}")
            yield self._said[-1]

    def says(self, words: str) -> None:
        """Wait until it says so, after what was waited for before, whatever comes in between."""
        if not any(words in line for line in self._goes_on()):
            pytest.fail(f"it never said {words!r}; it said:\n{''.join(self._said)}")

    def said(self) -> str:
        """All that it said, once it and its processes have ended."""
        for _ in self._goes_on():
            pass
        self.wait(PATIENCE_S)
        return "".join(self._said)

    def children(self) -> dict[str, list[int]]:
        """Process numbers by module: first the one at work, then the one that waits beside it."""
        task = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        found: dict[str, list[int]] = {}
        for pid in map(int, task.read_text().split()):
            command = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
            if len(command) > 1:  # else it is only just there
                found.setdefault(command[-2].rpartition(".")[2], []).append(pid)
        return found


Start = Callable[..., Composerd]
