from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.realtime.composerd import Start

# In a process of its own, to which real-time priority is refused, whoever runs the tests.
ASK = """
import os
from pathlib import Path
from realtime import priority

def refuse(*_):
    raise PermissionError

os.sched_setscheduler = refuse
nice = os.nice(3)
print(priority.ask()["realtime"], os.getpriority(os.PRIO_PROCESS, 0) - nice)
print(Path("/proc/self/sched").read_text())
"""


def turn_ns(sched: str) -> int:
    """Of a process, as Linux tells it; the test is skipped where Linux does not."""
    turns = [line.split()[-1] for line in sched.splitlines() if line.startswith("se.slice")]
    if not turns:
        pytest.skip("this kernel does not tell how long turns are")
    return int(turns[0])


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux")
def test_without_real_time_priority_it_takes_short_turns_and_stays_as_nice_as_it_was() -> None:
    told = subprocess.check_output([sys.executable, "-c", ASK], text=True)
    assert told.startswith("False 0\n")
    assert turn_ns(told) == 100_000


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux")
def test_who_passes_things_on_takes_short_turns_and_who_computes_long_ones(
    composerd: Start,
) -> None:
    if os.sched_getscheduler(0) != os.SCHED_OTHER:
        pytest.skip("these processes were given a scheduling policy from outside")
    daemon = composerd("--port", "none")
    daemon.says("rehearsing")
    [composer, *_] = daemon.children()["composer"]
    assert turn_ns(Path(f"/proc/{daemon.pid}/sched").read_text()) == 100_000
    assert turn_ns(Path(f"/proc/{composer}/sched").read_text()) > 100_000
