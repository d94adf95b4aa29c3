"""The player process: plays what comes down the pipe when it is due, and says what it heard.

It does nothing else, so that nothing delays it: no numpy, no garbage collection, no waiting for
anyone who reads. However it ends, what sounds is released first.

    python -m realtime.player

The first line down is {"port", "input", "api", ...}: names or null, `port` null for a
rehearsal without one; "sounding", what a former player may have left so, [[channel, pitch], ...];
"rehearse", whether to go without ports where there is no MIDI system; "wait", whether to wait for
ports that are not there, and "existing", whether to make no virtual one in their place;
"existing_inputs", those of "input" and "clock_input" that are connected when they are there;
"max_note_s", after which a note is released; "controllers" and "programs", see realtime.hearing;
"sync", whether to follow a clock, and
"clock_input", the port that it comes on, if that is not "input"; "send_clock", beats a minute of
the clock to send, or null, which is followed then; "song", where the song stood when a former
player went, see realtime.transport.
The first line up is what was opened and granted, or {"error": one line for the musician}.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from core.errors import PortError
from realtime import priority, wire
from realtime.clock import NS_PER_MS, NS_PER_S, RealClock
from realtime.hearing import Hearing
from realtime.ledger import Ledger
from realtime.metronome import Metronome
from realtime.ports import Input, NoMidiSystemError, Output, jack_server, open_input, open_output
from realtime.rehearsal import MemoryPort
from realtime.scheduler import AGAIN_NS, MAX_NOTE_NS, Scheduler
from realtime.transport import Transport
from realtime.watch import GLANCE_EVERY_NS, Watch
from realtime.wire import CONTINUE, START, STOP, TICK, Inbox, Kind, Outbox, Record

LOOK_EVERY_NS = NS_PER_S  # whether the ports are still there
KNOCK_EVERY_NS = 250 * NS_PER_MS  # whether they are back
STARTS_WITHIN_NS = 5 * NS_PER_S  # a program that has its ports already; else play on as it is
QUIET_NS = 5 * NS_PER_MS  # to look takes less
# With real-time priority, how long before a message is due to be awake: longer than the way out of
# sleep nearly always takes.
SPIN_NS = 100_000
# What is sent right after opening a port, or right before closing it, is lost: wait two periods
# of the sound server. Two of 1,024 frames at 48 kHz are 43 ms.
SETTLE_NS = 50 * NS_PER_MS
# The composer, when it has nothing to play, is asked about once a second, and its answer comes
# down to here. Silent for longer than this, it hangs or is stopped, or the daemon is: then who
# would release what it struck?
SILENT_NS = 4 * NS_PER_S
_OF_A_CLOCK = {TICK, START, CONTINUE, STOP}
HUNG_AFTER_S = 3  # a wait takes 1, closing a port whose server is dead another


def main() -> None:
    for name in ("SIGINT", "SIGUSR1"):  # the terminal's Ctrl-C, the service manager's: the daemon's
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    up_fd = os.dup(1)
    os.dup2(2, 1)  # what a driver may print must not come between the records
    granted = priority.ask()
    with os.fdopen(0, "rb", buffering=0, closefd=False) as down, os.fdopen(up_fd, "wb", 0) as up:
        try:
            orders = wire.greeting(down)
        except EOFError:
            return
        _still_alive()
        inbox = Inbox(down.fileno())
        try:
            output, keyboard, clock_input = _open_ports(orders, inbox)
        except EOFError:
            return
        except PortError as error:
            wire.greet(up, {"error": str(error)})
            sys.exit(1)
        inputs = keyboard, clock_input
        _take_up(output, inputs, orders.get("sounding", ()))
        granted["memory_locked"] = priority.lock_memory()
        wire.greet(
            up,
            {
                "port": output.name,
                "virtual": output.virtual,
                "input": keyboard and keyboard.name,
                "input_virtual": keyboard and keyboard.virtual,
                "clock_input": clock_input and clock_input.name,
                "clock_input_virtual": clock_input and clock_input.virtual,
                **granted,
            },
        )
        outbox = Outbox(up.fileno())
        _perform(orders, output, inputs, inbox, outbox, realtime=granted["realtime"])


def _open_ports(
    orders: dict[str, Any], inbox: Inbox
) -> tuple[Output | MemoryPort, Input | None, Input | None]:
    """Output, keyboard, and the clock's input.

    Raises:
        EOFError: the daemon went, or said STOP, while we waited for the ports.
    """
    port, keyboard, api = orders.get("port"), orders.get("input"), orders.get("api")
    clock_input = orders.get("clock_input")
    existing = bool(orders.get("existing"))
    awaited = orders.get("existing_inputs", ())
    clock = RealClock(inbox)
    while True:
        _still_alive()
        try:
            return (
                open_output(port, api, existing=existing) if port else MemoryPort(keep=0),
                open_input(keyboard, api, existing="input" in awaited) if keyboard else None,
                open_input(clock_input, api, existing="clock_input" in awaited)
                if clock_input
                else None,
            )
        except NoMidiSystemError:
            if orders.get("rehearse"):
                return MemoryPort(keep=0), None, None
            if not orders.get("wait"):
                raise
        except PortError:
            if not orders.get("wait"):
                raise
        if clock.wait_until(clock.now_ns() + KNOCK_EVERY_NS) and inbox.read():
            raise EOFError("told to stop")


def _take_up(
    output: Output | MemoryPort,
    inputs: Iterable[Input | None],
    sounding: Iterable[tuple[int, int]],
) -> None:
    """Release what a former player left sounding, and wait until messages come and go."""
    clock = RealClock()
    opened_ns = clock.now_ns()
    starts_by_ns = opened_ns + STARTS_WITHIN_NS
    # At once, though it may be lost so soon after opening; _perform says it for sure.
    with suppress(PortError):
        for channel, pitch in sounding:
            output.send(wire.note_off(channel, pitch))
    ports = [output, *filter(None, inputs)]
    server = jack_server(*ports)
    for port in ports:
        port.watch(server)
    while clock.now_ns() < starts_by_ns:
        starting = [port for port in ports if not (port.away() or port.connected())]
        if not starting:
            break
        _still_alive()
        clock.wait_until(clock.now_ns() + SETTLE_NS)
        for port in starting:
            port.connect()
        opened_ns = clock.now_ns()
    clock.wait_until(opened_ns + SETTLE_NS)


def _perform(
    orders: dict[str, Any],
    output: Output | MemoryPort,
    inputs: tuple[Input | None, Input | None],
    inbox: Inbox,
    outbox: Outbox,
    *,
    realtime: bool,
) -> None:
    """Play until the daemon says STOP or goes, a signal comes, or the port is lost."""
    for name in ("SIGTERM", "SIGHUP", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_: inbox.hang_up())
    clock = RealClock(inbox, SPIN_NS if realtime else 0)
    ledger = Ledger()
    max_note_ns = round(orders.get("max_note_s", MAX_NOTE_NS / NS_PER_S) * NS_PER_S)
    transport = Transport(outbox.write, orders.get("song"))

    def report(record: Record) -> None:
        if record.message in _OF_A_CLOCK:
            transport.heard(record.message, record.due_ns)
        else:
            outbox.write(record)

    scheduler = Scheduler(clock, ledger, output.send, report, max_note_ns)
    for channel, pitch in orders.get("sounding", ()):
        ledger.leaving(wire.note_on(channel, pitch, 1), clock.now_ns())
    keyboard, clock_input = inputs
    keys = Hearing(
        lambda message, at_ns: outbox.write(Record(Kind.HEARD, message, at_ns=at_ns)),
        transport.heard if orders.get("sync") and not clock_input else None,
        controllers=orders.get("controllers", ()),
        programs=orders.get("programs", False),
    )
    beats = Hearing(lambda *_: None, transport.heard)
    if keyboard:
        keyboard.listen(
            lambda data: keys.heard(data, clock.now_ns()), clock=orders.get("sync", False)
        )
    if clock_input:
        clock_input.listen(lambda data: beats.heard(data, clock.now_ns()), clock=True)
    watch = Watch(output, keyboard, keys, clock_input, outbox.write)
    bpm = orders.get("send_clock")
    metronome = Metronome(bpm, clock.now_ns()) if bpm else None
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        scheduler.hush(0)
        _play(clock, inbox, scheduler, outbox, watch, metronome)
    except EOFError:
        pass
    except PortError:
        outbox.write(Record(Kind.LOST, at_ns=clock.now_ns()))
    finally:
        watch.report_unheard()
        scheduler.end()
        if metronome:
            with suppress(PortError):
                output.send(STOP)
        _settle()
        with suppress(PortError):
            scheduler.say_again(clock.now_ns() + AGAIN_NS)
        _settle()
        output.close()
        for input_ in inputs:
            if input_:
                input_.close()


def _play(
    clock: RealClock,
    inbox: Inbox,
    scheduler: Scheduler,
    outbox: Outbox,
    watch: Watch,
    metronome: Metronome | None,
) -> None:
    heard_ns = clock.now_ns()
    look_ns = heard_ns + LOOK_EVERY_NS
    while True:
        _still_alive()
        now_ns = clock.now_ns()
        if metronome:
            for record in metronome.plan(now_ns):
                scheduler.push(record)
        watch.glance(now_ns)
        # Not for ever: a signal that comes just before a wait does not end it.
        due_ns = now_ns + GLANCE_EVERY_NS
        scheduler.prepare()
        if scheduler.next_due_ns is not None:
            due_ns = min(due_ns, scheduler.next_due_ns)
        # rtmidi keeps Python's lock while it lists the ports, so that a thread of its own would
        # be no help: look when there is time, or when there was none for long.
        if now_ns >= look_ns and (due_ns - now_ns > QUIET_NS or now_ns >= look_ns + NS_PER_S):
            watch.look()
            look_ns = now_ns + LOOK_EVERY_NS
        if clock.wait_until(due_ns):
            for record in inbox.read():
                if record.kind is not Kind.PING:  # which is the daemon's
                    heard_ns = clock.now_ns()
                if record.kind is Kind.PLAY:
                    scheduler.push(record)
                elif record.kind is Kind.HUSH:
                    channel = record.message[0] & 0x0F if record.message else None
                    scheduler.hush(record.epoch, channel, record.due_ns)
                elif record.kind is Kind.REVISE:
                    scheduler.revise(record.epoch, record.message[0] & 0x0F, record.due_ns)
                elif record.kind is Kind.PING:
                    outbox.write(Record(Kind.PONG))
                elif record.kind is Kind.STOP:
                    return
        elif clock.now_ns() >= heard_ns + SILENT_NS:
            scheduler.hush(0)  # no new epoch: it may yet go on
        scheduler.run_due()


def _settle() -> None:
    clock = RealClock()
    clock.wait_until(clock.now_ns() + SETTLE_NS)


def _still_alive() -> None:
    """Ask the system to end this process if it does not call here again in time.

    A driver may hang in a call that nothing in Python can interrupt: JACK's waits for ever when
    its server has stopped and its buffer is full. The daemon then starts another player.
    """
    if sys.platform != "win32":
        signal.alarm(HUNG_AFTER_S)


if __name__ == "__main__":
    main()
