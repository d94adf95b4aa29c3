"""Open Sound Control over UDP: wishes in, what is played out.

    /KNOB value             turn a knob of all parts, such as /temperature 1.2 or /mode duet
    /PART/KNOB value        of this part alone
    /surprise               a nudge
    /model path             play another checkpoint
    /preset number          what a program change of this number asks for, from 1
    /subscribe [port]       from now on send what is played to the sender, at this port of theirs
    /unsubscribe

    /note pitch velocity channel part      a part struck or, velocity 0, released this
    /human pitch velocity channel          so did the human
    /word text                             what was wrong with what you sent, or came of a /model

Whoever can reach the port can turn the knobs: it is bound to this machine alone unless told
otherwise. A packet is checked before it is read, answered when it makes no sense, and never fatal.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from core.errors import SettingsError
from realtime.allowance import Allowance
from realtime.clock import RealClock
from realtime.control import Wish, setting
from realtime.wire import is_note, is_onset

try:
    from pythonosc.osc_message import OscMessage
    from pythonosc.osc_message_builder import OscMessageBuilder
    from pythonosc.osc_packet import OscPacket, ParseError
except ImportError as error:
    raise SettingsError("OSC needs python-osc: pip install 'live-composer[osc]'") from error

Address = tuple[str, int]

LOOPBACK = "127.0.0.1"
LONGEST = 1500  # bytes of a packet; so few bundles fit into each other that reading them is safe
PER_SECOND, AT_ONCE = 1000, 200  # messages that are read
WORDS_PER_SECOND, WORDS_AT_ONCE = 5, 10  # answers; one could be made to answer somebody else
SUBSCRIBERS = 16

# python-osc logs each kind of argument that it does not know: a stranger could fill the terminal.
logging.getLogger().addHandler(logging.NullHandler())


def address(text: str) -> Address:
    """PORT or HOST:PORT; without a host, this machine.

    >>> address("9000"), address("studio:9001"), address("[::1]:9001")
    (('127.0.0.1', 9000), ('studio', 9001), ('::1', 9001))

    Raises:
        SettingsError: it is neither.
    """
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise SettingsError(f"OSC goes by PORT or HOST:PORT, such as 9000, not '{text}'")
    return host.strip("[]") or LOOPBACK, int(port)


class Osc:
    """Listens in a thread of its own until it is closed.

    Args:
        at: where to listen; None: nowhere.
        to: whom to send what is played from the start.
        wish: is called in that thread with a part or None, a wish, and what to tell a word on it.

    Raises:
        SettingsError: somebody else listens there, or there is no such place.
    """

    def __init__(
        self,
        at: Address | None,
        to: Address | None,
        wish: Callable[[str | None, Wish, Callable[[str], None]], None],
    ) -> None:
        self._wish = wish
        self._clock = RealClock()
        self._allowance = Allowance(AT_ONCE, PER_SECOND)
        self._words = Allowance(WORDS_AT_ONCE, WORDS_PER_SECOND)
        self._subscribers: tuple[Any, ...] = ()
        # What listens to this machine alone could not send to others.
        self._out, where = _socket(to or at or (LOOPBACK, 0))
        if to:
            self._subscribers = (where,)
        self._in: socket.socket | None = None
        if at:
            self._in, where = _socket(at)
            try:
                self._in.bind(where)
            except OSError as error:
                self.close()
                raise SettingsError(
                    f"cannot listen for OSC at {at[0]}:{at[1]}: {error.strerror}"
                ) from error
            threading.Thread(target=self._listen, args=(self._in,), daemon=True).start()

    def played(self, message: bytes, part: str | None) -> None:
        """Tell the subscribers of a note, of a part or, with None, of the human."""
        if not self._subscribers or not is_note(message):
            return
        channel, pitch = (message[0] & 0x0F) + 1, message[1]
        velocity = message[2] if is_onset(message) else 0
        if part is None:
            packet = _packet("/human", pitch, velocity, channel)
        else:
            packet = _packet("/note", pitch, velocity, channel, part)
        for subscriber in self._subscribers:
            _send(self._out, packet, subscriber)

    def close(self) -> None:
        """Whoever still listens, waits in vain."""
        self._out.close()
        if self._in:
            with suppress(OSError):  # of a system that shuts down only what is connected
                self._in.shutdown(socket.SHUT_RDWR)
            self._in.close()

    def _listen(self, source: socket.socket) -> None:
        while True:
            try:
                data, sender = source.recvfrom(LONGEST + 1)
            except ConnectionError:  # of what was sent to one who has gone
                continue
            except OSError:  # closed
                return
            for message in _messages(data):
                if self._allowance.pays(1, self._clock.now_ns()):
                    self._heard(message.address, list(message), sender)

    def _heard(self, path: str, arguments: Sequence[Any], sender: Any) -> None:
        if path == "/subscribe":
            self._subscribe(arguments, sender)
        elif path == "/unsubscribe":
            self._subscribers = tuple(x for x in self._subscribers if x[0] != sender[0])
        else:
            try:
                part, wish = wished(path, arguments)
            except SettingsError as error:
                self._answer(str(error), sender)
            else:
                self._wish(part, wish, lambda word: self._answer(word, sender))

    def _subscribe(self, arguments: Sequence[Any], sender: Any) -> None:
        port = arguments[0] if arguments else sender[1]
        if not isinstance(port, int) or not 0 < port < 65536:
            self._answer("/subscribe takes the number of your port", sender)
            return
        subscriber = (sender[0], port, *sender[2:])
        others = [other for other in self._subscribers if other != subscriber]
        self._subscribers = (*others, subscriber)[-SUBSCRIBERS:]

    def _answer(self, word: str, sender: Any) -> None:
        if self._in and self._words.pays(1, self._clock.now_ns()):
            _send(self._in, _packet("/word", word), sender)


def _socket(where: Address) -> tuple[socket.socket, Any]:
    """One that reaches there, and the place as it calls it."""
    host, port = where
    try:
        [(family, kind, _, _, place), *_] = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        return socket.socket(family, kind), place
    except (OSError, UnicodeError) as error:
        raise SettingsError(f"no OSC at {host}: {error}") from error


def _send(through: socket.socket, packet: bytes, to: Any) -> None:
    with suppress(OSError):  # nobody is there, or the way is full: a note is not worth waiting for
        through.sendto(packet, getattr(socket, "MSG_DONTWAIT", 0), to)


def wished(path: str, arguments: Sequence[Any]) -> tuple[str | None, Wish]:
    """What an address and its arguments ask for, and of which part: None of all.

    >>> wished("/bass/top-p", [0.9])
    ('bass', {'top_p': 0.9})

    Raises:
        SettingsError: it makes no sense.
    """
    *part, name = path.strip("/").split("/")
    if len(part) > 1:
        raise SettingsError(f"an address is /KNOB or /PART/KNOB, not {path!a}")
    name = setting(name)
    if name == "surprise" and not arguments:
        arguments = [True]
    if len(arguments) != 1:
        raise SettingsError(f"{path!a} takes one argument, not {len(arguments)}")
    [value] = arguments
    if isinstance(value, float):
        value = float(f"{value:.6g}")  # of 32 bits: 0.01 arrives as 0.0099999998
    # What a stranger names is shown in a terminal, which obeys some characters.
    if name == "model" and not (isinstance(value, str) and value.isprintable()):
        raise SettingsError("/model takes the path of a checkpoint")
    return part[0] if part else None, {name: value}


def _messages(data: bytes) -> list[OscMessage]:
    if len(data) > LONGEST:
        return []
    try:
        return [timed.message for timed in OscPacket(data).messages]
    except (ParseError, ValueError, IndexError, OverflowError):
        return []


def _packet(path: str, *arguments: int | str) -> bytes:
    builder = OscMessageBuilder(path)
    for argument in arguments:
        builder.add_arg(argument)
    return bytes(builder.build().dgram)
