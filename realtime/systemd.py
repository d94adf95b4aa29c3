"""What systemd is told (sd_notify), which is nothing where it did not ask.

The whole protocol is one datagram of `NAME=value` lines to a socket that it names:
https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress


def notify(*lines: str) -> None:
    """Tell the service manager, in its words: 'READY=1', 'WATCHDOG=1', 'STATUS=...'.

    A message that it does not take is lost: music does not wait for it.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address[:1] not in ("/", "@"):
        return
    if address[0] == "@":  # an abstract name, which is no file
        address = "\0" + address[1:]
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagrams:
        datagrams.setblocking(False)
        datagrams.sendto("\n".join(lines).encode(), address)
