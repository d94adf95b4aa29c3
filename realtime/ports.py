"""MIDI ports: the only file that knows rtmidi. Lists them, opens one or makes it.

There are no closed ports here, only names: what is not open cannot send.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import rtmidi

from core.errors import PortError
from realtime.jack import TRIES, Server, Standstill
from realtime.names import client_and_port, match
from realtime.rehearsal import MemoryPort

CLIENT = "composer"  # how JACK and ALSA name the owner of our ports

_ours: set[str] = set()  # ports that this process has made: they are listed like anybody's


class NoMidiSystemError(PortError):
    """There is nothing to open a port on."""


class _Port:
    """What an open output and an open input share."""

    _server: Server | None = None

    def __init__(
        self, midi: Any, name: str, own_name: str, threads: set[str], *, virtual: bool
    ) -> None:
        self.name = name  # the port at the other end; our own when it is virtual
        self.virtual = virtual
        self._midi = midi
        self._own_name = own_name
        self._threads = threads  # of the MIDI system, at work for this port
        _ours.add(own_name)

    def present(self) -> bool:
        """Whether the port is still there. Takes some ten microseconds for each port there is."""
        # A dead JACK server goes on listing its ports, and what tells of its death does not come
        # through rtmidi; but the thread that listened to it ends.
        if not self._threads <= _threads():
            return False
        return self.virtual or self.name in _names(self._midi)

    def away(self) -> bool:
        """Whether the port is seen at once to be gone, which only JACK can tell."""
        return not (self._server is None or self.virtual or self._server.has(self.name))

    @property
    def on_jack(self) -> bool:
        on_jack: bool = self._midi.get_current_api() == rtmidi.API_UNIX_JACK
        return on_jack

    def watch(self, server: Server | None) -> None:
        """From now on `away` and `connected` can tell, if this port is JACK's."""
        if self.on_jack:
            self._server = server

    def connected(self) -> bool:
        """Whether the port at the other end is connected to this one, as far as can be told.

        JACK does not connect a port whose program is still starting, and rtmidi does not say so.
        May take a period of the sound server.
        """
        if self._server is None or self.virtual:
            return True
        return any(map(_is_ours, self._server.connected_to(self.name)))

    def connect(self) -> bool:
        """Connect once more; False when it cannot be done yet."""
        try:
            self._midi.close_port()
            self._midi.open_port(self._midi.get_ports().index(self.name), self._own_name)
        except (rtmidi.RtMidiError, ValueError):
            return False
        return True

    def close(self) -> None:
        """Messages sent less than two periods ago may be lost."""
        self._midi.close_port()
        self._midi.delete()
        _ours.discard(self._own_name)


P = TypeVar("P", bound=_Port)


class Output(_Port):
    _standstill: Standstill

    def watch(self, server: Server | None) -> None:
        """From now on `gone` can tell, too."""
        super().watch(server)
        self._standstill = Standstill()

    def gone(self, now_ns: int) -> bool:
        """Whether what it is sent goes nowhere, as far as can be told at once: over JACK only.

        The port at the other end is gone, or the sound server stands still. Ask a few times a
        second.
        """
        if self._server is None:
            return False
        return self.away() or self._standstill.lasts(now_ns, self._server.frames())

    def send(self, message: bytes) -> None:
        """Raises PortError when the port does not take it."""
        try:
            self._midi.send_message(message)
        except rtmidi.RtMidiError as error:
            raise PortError(f"output port '{self.name}' is gone: {error}") from error


class Input(_Port):
    _listening: tuple[Callable[[bytes], None], bool] | None = None

    def listen(self, heard: Callable[[bytes], None], *, clock: bool = False) -> None:
        """Call `heard`, in a thread of the MIDI system, with the bytes that come.

        Args:
            heard: must be quick.
            clock: with the ticks of a MIDI clock among them.
        """
        self._listening = heard, clock
        self._midi.ignore_types(sysex=True, timing=not clock, active_sense=True)
        self._midi.set_callback(lambda message_and_delta, _: heard(bytes(message_and_delta[0])))

    def connect(self) -> bool:
        """The same, and listen as before."""
        if not super().connect():
            return False
        if self._listening:
            heard, clock = self._listening
            self.listen(heard, clock=clock)
        return True


def list_outputs(api: str | None = None) -> list[str]:
    """Names of the ports that one can play to. Raises NoMidiSystemError."""
    return _list(rtmidi.MidiOut, api)


def list_inputs(api: str | None = None) -> list[str]:
    """Names of the ports that one can listen to. Raises NoMidiSystemError."""
    return _list(rtmidi.MidiIn, api)


def open_output(name: str, api: str | None = None, *, existing: bool = False) -> Output:
    """Connect to the output port of this name, or make a virtual one when there is none.

    Args:
        name: the name in full, or its client or port part, or any part of it in any case.
        api: 'alsa', 'jack', 'core' or 'winmm'; None looks in all that are there.
        existing: make no virtual port.

    Raises:
        NoMidiSystemError: there is none that runs.
        PortError: several ports match, or none does and no virtual port can or may be made.
    """
    return _open(Output, rtmidi.MidiOut, "output", name, api, existing=existing)


def open_input(name: str, api: str | None = None, *, existing: bool = False) -> Input:
    """The same for an input, which hears nothing until told to `listen`.

    Args:
        name: as above.
        api: as above.
        existing: the port has been there, so make no virtual one: one that is not there now can
            be connected when it is back.
    """
    return _open(Input, rtmidi.MidiIn, "input", name, api, existing=existing)


def jack_server(*ports: Output | Input | MemoryPort) -> Server | None:
    """JACK, to be watched for these ports; None when none of them is JACK's."""
    if any(port.on_jack for port in ports):
        with contextlib.suppress(OSError):
            # Through rtmidi's own library: it may bring a JACK of its own along.
            return Server(rtmidi._rtmidi.__file__, f"{CLIENT}-clock")
    return None


def _open(
    port_type: type[P],
    client: Any,
    direction: str,
    name: str,
    api: str | None,
    *,
    existing: bool = False,
) -> P:
    threads_before = _threads()
    systems = _systems(client, api)
    midi, found = systems[0], None
    for system in systems:
        found = match(name, _names(system), direction)
        if found:
            midi = system
            break
    for system in systems:
        if system is not midi:
            system.delete()
    if existing and not found and port_type is Output:
        midi.delete()
        raise PortError(f"no {direction} port matches '{name}'")
    virtual = not (found or existing)
    own_name = name if virtual else direction
    try:
        if found:
            midi.open_port(midi.get_ports().index(found), own_name)
        elif virtual:
            midi.open_virtual_port(own_name)
    except NotImplementedError as error:  # Windows
        listed = ", ".join(_names(midi)) or "there are none"
        raise PortError(
            f"no {direction} port matches '{name}', and this system has no virtual ports; "
            f"name one of: {listed}"
        ) from error
    except (rtmidi.RtMidiError, ValueError) as error:
        raise PortError(f"cannot open {direction} port '{found or name}': {error}") from error
    threads = _threads() - threads_before
    return port_type(midi, found or name, own_name, threads, virtual=virtual)


def _list(client: Any, api: str | None) -> list[str]:
    names = []
    for midi in _systems(client, api):
        names += _names(midi)
        midi.delete()
    return names


def _systems(client: Any, api: str | None) -> list[Any]:
    """A client of each MIDI system that is running, or of the one that is asked for."""
    compiled = {rtmidi.get_api_name(number): number for number in rtmidi.get_compiled_api()}
    compiled.pop("dummy", None)
    if api is not None and api not in compiled:
        raise PortError(f"no MIDI system '{api}' here; there may be: {', '.join(compiled)}")
    name = CLIENT if client is rtmidi.MidiOut else f"{CLIENT}-in"
    running = []
    for number in [compiled[api]] if api else compiled.values():
        for _ in range(TRIES):
            with contextlib.suppress(rtmidi.RtMidiError), _quiet():
                running.append(client(number, name=name))
                break
    if not running:
        hint = "start JACK, or load ALSA's snd-seq" if sys.platform == "linux" else "start one"
        raise NoMidiSystemError(f"no MIDI system is running ({api or ', '.join(compiled)}); {hint}")
    return running


def _names(midi: Any) -> list[str]:
    for _ in range(3):
        # A port that goes while they are being listed is an error to rtmidi.
        with contextlib.suppress(rtmidi.RtMidiError):
            return [name for name in midi.get_ports() if name and not _is_ours(name)]
    return []


def _is_ours(name: str) -> bool:
    client, port = client_and_port(name)
    return port in _ours and (client is None or client.startswith(CLIENT))


def _threads() -> set[str]:
    """The system's numbers of this process' threads, where it tells them."""
    tasks = Path("/proc/self/task")
    return {task.name for task in tasks.iterdir()} if tasks.exists() else set()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hold back the many lines in which libasound and libjack say what we say in one."""
    sys.stderr.flush()
    stderr = os.dup(2)
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nothing)
