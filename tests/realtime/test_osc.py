"""Programs turn knobs by OSC and see what is played; whatever else they send harms nobody."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from core.errors import SettingsError
from realtime import osc
from realtime.osc import LONGEST, Osc, address, wished
from realtime.wire import control_change, note_off, note_on

Wanted = tuple[str | None, dict[str, Any]]


def packet(path: str, *arguments: Any) -> bytes:
    builder = OscMessageBuilder(path)
    for argument in arguments:
        builder.add_arg(argument)
    return builder.build().dgram


class Program:
    """One of the musician's, with a port of its own."""

    def __init__(self, to: int | None = None) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(5)
        self._to = to
        self.port = self._socket.getsockname()[1]

    def send(self, data: bytes) -> None:
        self._socket.sendto(data, ("127.0.0.1", self._to))

    def got(self) -> tuple[Any, ...]:
        message = OscMessage(self._socket.recv(LONGEST))
        return (message.address, *message)

    def close(self) -> None:
        self._socket.close()


class Server:
    """OSC at a free port, and what came of it."""

    def __init__(self, to: Program | None = None) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.wanted: SimpleQueue[Wanted] = SimpleQueue()
        self.osc = Osc(("127.0.0.1", self.port), ("127.0.0.1", to.port) if to else None, self._want)

    def _want(self, part: str | None, wish: Any, answer: Callable[[str], None]) -> None:
        self.wanted.put((part, wish))
        if "chaos" in wish:
            answer("there is no 'chaos' to turn")

    def next(self) -> Wanted:
        return self.wanted.get(timeout=5)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.osc.close()


@pytest.fixture
def program(server: Server) -> Iterator[Program]:
    program = Program(server.port)
    yield program
    program.close()


def test_a_program_turns_a_knob_of_all_parts_or_of_one(server: Server, program: Program) -> None:
    program.send(packet("/temperature", 1.2))
    program.send(packet("/bass/mode", "duet"))
    assert server.next() == (None, {"temperature": 1.2})
    assert server.next() == ("bass", {"mode": "duet"})


def test_messages_of_a_bundle_are_all_read(server: Server, program: Program) -> None:
    bundle = OscBundleBuilder(IMMEDIATELY)
    for path in ("/surprise", "/preset"):
        builder = OscMessageBuilder(path)
        builder.add_arg(3)
        bundle.add_content(builder.build())
    program.send(bundle.build().dgram)
    assert [server.next(), server.next()] == [(None, {"surprise": 3}), (None, {"preset": 3})]


@pytest.mark.parametrize(
    ("sent", "word"),
    [
        (packet("/chaos", 1), "there is no 'chaos' to turn"),
        (packet("/temperature"), "'/temperature' takes one argument, not 0"),
        (packet("/a/b/c", 1), "an address is /KNOB or /PART/KNOB, not '/a/b/c'"),
        (packet("/model", 3), "/model takes the path of a checkpoint"),
        (packet("/model", "\x1b[2J"), "/model takes the path of a checkpoint"),
        (packet("/subscribe", "me"), "/subscribe takes the number of your port"),
    ],
)
def test_what_makes_no_sense_is_answered_with_a_word(
    program: Program, sent: bytes, word: str
) -> None:
    program.send(sent)
    assert program.got() == ("/word", word)


@given(st.binary() | st.binary().map(lambda tail: packet("/temperature", 1.0)[:12] + tail))
def test_whatever_is_sent_the_next_message_is_heard(data: bytes) -> None:
    server = Server()
    program = Program(server.port)
    program.send(data[:LONGEST])
    program.send(packet("/last", 1))
    while server.next() != (None, {"last": 1}):
        pass
    server.osc.close()
    program.close()


def test_bundles_within_bundles_without_end_are_left_unread(
    server: Server, program: Program
) -> None:
    nested = packet("/deep", 1)
    while len(nested) < 60_000:
        nested = b"#bundle\0" + (1).to_bytes(8, "big") + len(nested).to_bytes(4, "big") + nested
    program.send(nested)
    program.send(packet("/last", 1))
    assert server.next() == (None, {"last": 1})


def test_more_than_its_allowance_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(osc, "AT_ONCE", 3)
    monkeypatch.setattr(osc, "PER_SECOND", 0)
    server = Server()
    program = Program(server.port)
    for number in range(5):
        program.send(packet("/density", number))
    assert [server.next()[1] for _ in range(3)] == [{"density": number} for number in range(3)]
    with pytest.raises(Empty):
        server.wanted.get(timeout=0.2)
    server.osc.close()
    program.close()


def test_who_subscribes_hears_each_party_until_they_unsubscribe(
    server: Server, program: Program
) -> None:
    program.send(packet("/subscribe"))
    program.send(packet("/temperature", 1))
    server.next()
    server.osc.played(note_on(2, 60, 80), "bass")
    server.osc.played(control_change(2, 64, 127), "bass")
    server.osc.played(note_on(0, 72, 0), None)
    server.osc.played(note_off(2, 60), "bass")
    assert [program.got() for _ in range(3)] == [
        ("/note", 60, 80, 3, "bass"),
        ("/human", 72, 0, 1),
        ("/note", 60, 0, 3, "bass"),
    ]
    program.send(packet("/unsubscribe"))
    program.send(packet("/chaos", 1))
    server.next()
    server.osc.played(note_on(2, 60, 80), "bass")
    assert program.got()[0] == "/word"


def test_a_program_that_was_named_beforehand_needs_not_subscribe() -> None:
    visuals = Program()
    server = Server(visuals)
    server.osc.played(note_on(0, 60, 80), "composer")
    assert visuals.got() == ("/note", 60, 80, 1, "composer")
    server.osc.close()
    visuals.close()


def test_a_port_that_is_taken_is_one_line(server: Server) -> None:
    with pytest.raises(SettingsError, match=f"cannot listen for OSC at 127.0.0.1:{server.port}: "):
        Osc(("127.0.0.1", server.port), None, lambda *_: None)


@pytest.mark.parametrize("text", ["", "nine", "0", "65536", "studio:", "-1", "²"])
def test_a_place_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="PORT or HOST:PORT"):
        address(text)


def test_numbers_of_32_bits_are_those_that_were_meant() -> None:
    assert wished("/temperature", [0.009999999776482582]) == (None, {"temperature": 0.01})


def test_without_python_osc_a_line_says_how_to_get_it() -> None:
    program = (
        "import sys; sys.modules['pythonosc.osc_message'] = None\n"
        "sys.argv[1:] = ['--osc', '9000']\n"
        "from realtime.cli import composerd; composerd()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == 1
    assert done.stderr == b"composerd: OSC needs python-osc: pip install 'live-composer[osc]'\n"
