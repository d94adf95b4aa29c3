"""`composer-generate`: options in, a MIDI file out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from core.errors import SettingsError
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
    composer_orders,
    run,
    with_knobs,
)
from realtime.settings import WITH_OTHERS, Settings
from realtime.terminal import log

app = typer.Typer(context_settings=HELP)


def composer_generate() -> None:
    """Run the command; what the musician can mend is one line and exit code 1."""
    run(app, "composer-generate")


@app.command()
@with_knobs(without=WITH_OTHERS)
def _composer_generate(
    out: Annotated[Path, typer.Option(help="The MIDI file to write.")],
    events: Annotated[
        int | None, typer.Option(help="How many events. Default: 3000.", min=1)
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(help="Or: how many seconds.", min=0, max=MAX_S)
    ] = None,
    take: Annotated[
        Path | None,
        typer.Option(
            "--replay", help="Play a take again, the .take of composerd --record, as it was."
        ),
    ] = None,
    model: Model = None,
    seed_file: SeedFile = None,
    seed_events: SeedEvents = -128,
    rng: Rng = None,
    channel: Channel = 1,
    program: Program = None,
    _: Version = False,
    **knobs: Any,
) -> None:
    """Write what composerd would play into a MIDI file, as fast as the machine can.

    The same checkpoint, --rng and options give the same file, byte for byte. For example:

    composer-generate --out night.mid --seconds 3600 --rng 1
    """
    if events is not None and seconds is not None:
        raise SettingsError("give --events or --seconds, not both")
    if take:
        from realtime.replay import replay

        replay(take, out)
        log(f"{out} written")
        return
    # Not at the top: the daemon needs neither, and numpy is half of its memory.
    from realtime import composer
    from realtime.render import render

    orders = composer_orders(
        model=model,
        seed_file=seed_file,
        seed_events=seed_events,
        rng=rng,
        channel=channel,
        program=program,
        settings=Settings(**knobs),
    )
    performer = composer.performer(orders, lambda: 0)
    if events is None and seconds is None:
        events = 3000
    render(performer, out, events=events, seconds=seconds)
    log(f"{out} written")
