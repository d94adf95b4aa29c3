"""`composerd`: options in, music and one-line errors out."""

from __future__ import annotations

import enum
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from core.errors import SettingsError
from realtime import service
from realtime.clock import NS_PER_S, RealClock
from realtime.config import default_path
from realtime.daemon import Daemon
from realtime.ensemble import ensemble
from realtime.instead import (
    AsJson,
    Check,
    ConfigFile,
    InstallService,
    Learn,
    ListPorts,
    PrintConfig,
    Status,
    learn_controller,
    show_check,
    show_ports,
    show_status,
)
from realtime.modes import in_vain, nobody_to_answer
from realtime.options import (
    HELP,
    MAX_S,
    Channel,
    Model,
    Program,
    Rng,
    SeedEvents,
    SeedFile,
    Version,
    as_file,
    composer_orders,
    run,
    with_knobs,
)
from realtime.orders import Orders
from realtime.part import PartOrders
from realtime.scheduler import MAX_NOTE_NS
from realtime.settings import Settings
from realtime.terminal import begun, live_line, log

REHEARSAL = "none"
DEFAULT_PORT, DEFAULT_CLOCK_PORT = "Composer", "Composer Clock"


class Sync(enum.StrEnum):
    CLOCK = "clock"
    LINK = "link"


class OnPortLoss(enum.StrEnum):
    WAIT = "wait"
    EXIT = "exit"


app = typer.Typer(context_settings=HELP)


def composerd() -> None:
    """Run the command; what the musician can mend is one line and exit code 1."""
    # The wish for a new model would end us until the daemon listens: the model is yet to be read.
    if hasattr(signal, "SIGUSR1"):
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    run(app, "composerd")


@app.command()
@with_knobs()
def _composerd(
    context: typer.Context,
    port: Annotated[
        str | None,
        typer.Option(
            help="Output port: one whose name contains this, else a new virtual one of this name;"
            f" '{REHEARSAL}' plays without one. Default: {DEFAULT_PORT}."
        ),
    ] = None,
    input_: Annotated[
        str | None,
        typer.Option("--input", help="Keyboard: play a phrase and the machine goes on from it."),
    ] = None,
    input_channel: Annotated[
        int | None,
        typer.Option(help="Hear only this channel of --input. Default: all.", min=1, max=16),
    ] = None,
    thru: Annotated[
        bool,
        typer.Option(
            "--thru",
            help="Pass on what you play to the port; on a free channel where yours is the"
            " machine's.",
        ),
    ] = False,
    model: Model = None,
    seed_file: SeedFile = None,
    seed_events: SeedEvents = -128,
    rng: Rng = None,
    channel: Channel = 1,
    program: Program = None,
    sync: Annotated[
        Sync | None,
        typer.Option(
            help="Follow a MIDI clock, or an Ableton Link session: play from Start to Stop, in its"
            " tempo; 120 bpm are the model's own."
        ),
    ] = None,
    clock_input: Annotated[
        str | None,
        typer.Option(
            help="Port that the clock comes on. Default: --input, else a new virtual"
            f" '{DEFAULT_CLOCK_PORT}'."
        ),
    ] = None,
    send_clock: Annotated[
        float | None,
        typer.Option(
            help="Send a MIDI clock of so many beats a minute, and play in it.", min=20, max=400
        ),
    ] = None,
    duration: Annotated[
        float | None, typer.Option(help="Stop after so many seconds.", min=0, max=MAX_S)
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option(help="Write what is played to this .mid, and to .mid.take what replays it."),
    ] = None,
    stats: Annotated[
        Path | None, typer.Option(help="Write counts and lateness to this .json at the end.")
    ] = None,
    api: Annotated[
        str | None, typer.Option(help="MIDI system: alsa, jack, core, winmm. Default: any.")
    ] = None,
    max_note: Annotated[
        float, typer.Option(help="Seconds, pedal included, after which a note is released.", min=1)
    ] = MAX_NOTE_NS / NS_PER_S,
    on_port_loss: Annotated[
        OnPortLoss, typer.Option(help="When the output port goes: wait until it is back, or exit.")
    ] = OnPortLoss.WAIT,
    osc: Annotated[
        str | None,
        typer.Option(
            help="Let programs on this machine turn the knobs by OSC, at this PORT;"
            " with HOST:PORT, whoever reaches that address.",
            metavar="PORT",
        ),
    ] = None,
    osc_to: Annotated[
        str | None,
        typer.Option(help="Send what is played by OSC, for visuals.", metavar="HOST:PORT"),
    ] = None,
    config: ConfigFile = None,
    print_config: PrintConfig = False,
    learn: Learn = None,
    list_ports: ListPorts = False,
    status: Status = False,
    check: Check = False,
    install_service: InstallService = False,
    as_json: AsJson = False,
    _: Version = False,
    **knobs: Any,
) -> None:
    """Play, endlessly, into a MIDI port, until Ctrl-C.

    For example:

    composerd --port "IAC Bus 1" --input Keystation
    """
    start_ns = RealClock().now_ns()
    if list_ports:
        show_ports(api, as_json)
        return
    if status:
        show_status(port, as_json)
        return
    source = context.get_parameter_source("mode")
    if input_ and source and source.name == "DEFAULT":
        knobs["mode"] = "respond"
    parts = ensemble(
        context.obj.parts,
        composer_orders(
            model=model,
            seed_file=seed_file,
            seed_events=seed_events,
            rng=rng,
            channel=channel,
            program=program,
            settings=Settings(**knobs),
            sync=bool(sync or send_clock),
        ),
    )
    if print_config:
        typer.echo(as_file(context, context.obj), nl=False)
        return
    if learn:
        learn_controller(learn, config or default_path(), input_, api)
        return
    if (thru or input_channel) and not input_:
        raise SettingsError("--thru and --input-channel are about --input; give that too")
    if not input_:
        _check_answers(parts)
    orders = Orders(
        player={
            "port": None if port == REHEARSAL else port or DEFAULT_PORT,
            "rehearse": port is None,
            "input": input_,
            "api": api,
            "max_note_s": max_note,
            **_clock_orders(input_, sync, clock_input, send_clock),
        },
        parts=parts,
        controls=context.obj.controls,
        presets=context.obj.presets,
        input_channel=None if input_channel is None else input_channel - 1,
        thru=thru,
        osc=_osc_address(osc),
        osc_to=_osc_address(osc_to),
        duration_s=duration,
        record=_writable(record),
        stats=_writable(stats),
        wait_for_port=on_port_loss is OnPortLoss.WAIT,
        link=sync is Sync.LINK,
    )
    if check:
        show_check(orders)
    if install_service:
        arguments = [argument for argument in sys.argv[1:] if argument != "--install-service"]
        typer.echo(service.install(arguments))
        return
    # Not at the top: sockets and folders are half of what there is to import.
    from realtime.status import answering

    daemon = Daemon(orders, start_ns, live_line, log)
    daemon.start()
    log(begun(daemon.greeting))
    if knobs["grid"] != "off" and not (sync or send_clock):
        log("a grid needs beats, or pulls nothing: --sync clock, or --send-clock with a tempo")
    try:
        with answering(daemon.status, log):
            daemon.run()
    finally:
        log(daemon.report.summary())


def _check_answers(parts: Sequence[PartOrders]) -> None:
    """Raises SettingsError: without a keyboard one of them would be silent for ever."""
    modes = {part.name: part.composer["settings"]["mode"] for part in parts}
    for name in in_vain(modes, {part.name: part.hears for part in parts}):
        raise SettingsError(nobody_to_answer(name))


def _clock_orders(
    keyboard: str | None, sync: Sync | None, clock_input: str | None, send_clock: float | None
) -> dict[str, Any]:
    """As `realtime.player` reads them."""
    if sync and send_clock:
        raise SettingsError("give --sync, to follow a clock, or --send-clock, to send one")
    follows = sync is Sync.CLOCK
    if clock_input and not follows:
        raise SettingsError("--clock-input is the port for --sync clock: give that too")
    if follows and not keyboard:
        clock_input = clock_input or DEFAULT_CLOCK_PORT
    return {"sync": follows, "clock_input": clock_input, "send_clock": send_clock}


def _osc_address(text: str | None) -> tuple[str, int] | None:
    if text is None:
        return None
    from realtime.osc import address

    return address(text)


def _writable(path: Path | None) -> Path | None:
    """Raises SettingsError now rather than after an evening's playing."""
    if path is None:
        return None
    if not (path.parent.is_dir() and os.access(path.parent, os.W_OK)):
        raise SettingsError(f"cannot write {path}: no folder {path.parent} that one may write to")
    # A file is replaced whole: a device in its place would be gone.
    if path.exists() and not (path.is_file() and os.access(path, os.W_OK)):
        raise SettingsError(f"cannot write {path}: what is there is no file, or one that is kept")
    return path


if __name__ == "__main__":
    composerd()
