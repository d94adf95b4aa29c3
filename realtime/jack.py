"""What rtmidi does not tell of JACK: whether its server runs; quickly, whether a port is there;
whether it was connected.

A server that stands still takes what it is sent until its room is full; then rtmidi waits for it,
for ever. When it goes on, it loses some of that, releases among it.
"""

from __future__ import annotations

import ctypes
import itertools

from realtime.clock import NS_PER_MS

STANDS_AFTER_NS = 500 * NS_PER_MS  # its time goes on in periods, of up to 186 ms
TRIES = 3  # JACK now and then turns down a program that knocks, whatever it wants
_NO_START_SERVER = 1  # jack/types.h


class Server:
    """Seen by a client without ports, which it neither calls nor waits for.

    Args:
        library: a file that has JACK's functions.
        client: our name for it.

    Raises:
        OSError: there is no JACK server, or the library knows none.
    """

    def __init__(self, library: str, client: str) -> None:
        jack = ctypes.CDLL(library)
        try:
            opened, self._last_frame_time = jack.jack_client_open, jack.jack_last_frame_time
            self._port_by_name = jack.jack_port_by_name
            self._connections, self._free = jack.jack_port_get_all_connections, jack.jack_free
        except AttributeError as error:
            raise OSError(f"{library} knows no JACK") from error
        opened.restype = ctypes.c_void_p
        opened.argtypes = (ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p)
        self._last_frame_time.restype = ctypes.c_uint32
        self._last_frame_time.argtypes = (ctypes.c_void_p,)
        self._port_by_name.restype = ctypes.c_void_p
        self._port_by_name.argtypes = (ctypes.c_void_p, ctypes.c_char_p)
        self._connections.restype = ctypes.POINTER(ctypes.c_char_p)
        self._connections.argtypes = (ctypes.c_void_p, ctypes.c_void_p)
        self._free.argtypes = (ctypes.c_void_p,)
        for _ in range(TRIES):
            self._client = opened(client.encode(), _NO_START_SERVER, None)
            if self._client:
                return
        raise OSError("there is no JACK server")

    def frames(self) -> int:
        """Its time. Takes some microseconds and never waits."""
        frames: int = self._last_frame_time(self._client)
        return frames

    def has(self, port: str) -> bool:
        """Takes some microseconds and never waits; a server that has died says what it last had."""
        return bool(self._port_by_name(self._client, port.encode()))

    def connected_to(self, port: str) -> list[str]:
        """Names of the ports that are connected to it. May take a period, for what just changes."""
        found = self._port_by_name(self._client, port.encode())
        names = self._connections(self._client, found) if found else None
        if not names:
            return []
        connected = [name.decode() for name in itertools.takewhile(bool, names)]
        self._free(names)
        return connected


class Standstill:
    """Told of a server's time, now and then."""

    def __init__(self) -> None:
        self._moved_ns = 0
        self._frames: int | None = None
        self._moves = False  # what poses as JACK may tell no time

    def lasts(self, now_ns: int, frames: int) -> bool:
        """Whether it has stood still for too long."""
        if frames != self._frames:
            self._moves = self._frames is not None
            self._moved_ns, self._frames = now_ns, frames
        return self._moves and now_ns - self._moved_ns >= STANDS_AFTER_NS
