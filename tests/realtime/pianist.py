"""A foreign program that plays a keyboard: composerd's input, 'Keys'."""

from __future__ import annotations

import subprocess
import sys

CONNECTED = """
import rtmidi, time
out = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name="pianist")
[index] = [i for i, name in enumerate(out.get_ports()) if name.endswith(":Keys")]
out.open_port(index)
time.sleep(0.2)
"""


def pianist(plays: str) -> None:
    """Have it connect, do this with `out`, and leave."""
    subprocess.run([sys.executable, "-c", CONNECTED + plays], check=True)
