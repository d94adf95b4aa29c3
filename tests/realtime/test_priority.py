from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

# In a process of its own, to which real-time priority is refused, whoever runs the tests.
ASK = """
import os
from pathlib import Path
from realtime import priority

def refuse(*_):
    raise PermissionError

os.sched_setscheduler = refuse
os.nice(3)
print(priority.ask()["realtime"], os.getpriority(os.PRIO_PROCESS, 0))
print(Path("/proc/self/sched").read_text())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux")
def test_without_real_time_priority_it_takes_short_turns_and_stays_as_nice_as_it_was() -> None:
    sched = Path("/proc/self/sched")
    if not sched.exists() or "se.slice" not in sched.read_text():
        pytest.skip("this kernel does not tell how long turns are")
    told = subprocess.check_output([sys.executable, "-c", ASK], text=True)
    assert told.startswith("False 3\n")
    turn_ns = next(line.split()[-1] for line in told.splitlines() if line.startswith("se.slice"))
    assert int(turn_ns) == 100_000
