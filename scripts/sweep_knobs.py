"""Every knob over its range: asked against played.

    python scripts/sweep_knobs.py [KNOB...] [--rngs 6] [--events 1200] [--plots FOLDER]

The model plays alone, in virtual time, with one knob turned and the others at their defaults (the
key is C wherever the scale counts). After 400 events to settle the next ones are measured. Prints
a table; draws FOLDER/choices.png, notes.png and time.png. Some minutes on one core.

What needs others to play with is not swept: patience_s, share, and the grid.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from music import Note, notes
from playing import Player

from core import checkpoint
from core.events import Event
from realtime.plain import engine_for
from realtime.settings import KEYS, SCALES, Settings

SETTLE = 400  # events
MAJOR = {"key": "C"}

Measure = Callable[[list[Note]], float]


class Sweep(NamedTuple):
    asked: Sequence[Any]
    unit: str  # of what is played
    measure: Measure
    others: dict[str, str] = {}  # noqa: RUF012 - settings that go with it, never written to
    ideal: bool = False  # what is played should be what is asked for


def density(music: list[Note]) -> float:
    """Notes a second."""
    at_s = [note.at_s for note in music]
    return len(music) / (max(at_s) - min(at_s))


def most_at_once(music: list[Note]) -> float:
    # At one instant releases come first; the sum of two floats is not quite that instant.
    changes = [(round(n.at_s, 9), 1) for n in music]
    changes += [(round(n.at_s + n.length_s, 9), -1) for n in music]
    return float(np.cumsum([change for _, change in sorted(changes)]).max())


def length_s(music: list[Note]) -> float:
    return float(np.mean([note.length_s for note in music]))


def pitch(of: Callable[[list[int]], float]) -> Measure:
    return lambda music: float(of([note.pitch for note in music]))


def velocity(of: Callable[[list[int]], float]) -> Measure:
    return lambda music: float(of([note.velocity for note in music]))


def in_scale(key: str, scale: str) -> Measure:
    """The share of the notes, in percent."""

    def share(music: list[Note]) -> float:
        above = [(note.pitch - KEYS.index(key)) % 12 in SCALES[scale] for note in music]
        return 100 * float(np.mean(above))

    return share


PITCHES = (24, 36, 48, 60, 72, 84, 96)
VELOCITIES = (1, 20, 40, 60, 80, 100, 127)
SCALINGS = (0.1, 0.25, 0.5, 1, 2, 4, 10)
TEMPERATURES = (0.1, 0.25, 0.5, 1, 1.5, 2, 4)

# Bits are those by which the model, undisturbed, would be surprised: the mean of an event. They
# are measured apart, see `bits`.
BITS = {
    "temperature": TEMPERATURES,
    "temperature_note": SCALINGS,
    "temperature_velocity": SCALINGS,
    "temperature_time": SCALINGS,
    "top_p": (0.1, 0.3, 0.5, 0.7, 0.9, 0.95, 1),
    "floor": (0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3),
}
SWEEPS = {
    "register_low": Sweep((0, *PITCHES[:-1]), "lowest pitch", pitch(min)),
    "register_high": Sweep((*PITCHES[1:], 127), "highest pitch", pitch(max)),
    "register_center": Sweep(PITCHES, "mean pitch", pitch(np.mean), ideal=True),
    "velocity_low": Sweep(VELOCITIES, "lowest velocity", velocity(min)),
    "velocity_high": Sweep(VELOCITIES, "highest velocity", velocity(max)),
    "velocity_scale": Sweep((0.1, 0.25, 0.5, 1, 1.5, 2, 4), "mean velocity", velocity(np.mean)),
    "polyphony": Sweep((1, 2, 3, 4, 6, 8, 16), "most at once", most_at_once),
    "key_strength": Sweep(
        (0, 0.25, 0.5, 0.75, 0.9, 0.99, 1), "% of notes in C major", in_scale("C", "major"), MAJOR
    ),
    "density": Sweep((0.25, 0.5, 1, 2, 4, 8, 16, 32), "notes a second", density, ideal=True),
    "articulation": Sweep((0.25, 0.5, 0.7, 1, 1.4, 2, 4), "mean length, s", length_s),
    "tempo_scale": Sweep(SCALINGS, "notes a second", density),
}
PLOTS = {
    "choices": tuple(BITS),
    "notes": tuple(SWEEPS)[:8],
    "time": tuple(SWEEPS)[8:],
}
LOGARITHMIC = (
    *("temperature", "temperature_note", "temperature_velocity", "temperature_time"),
    *("velocity_scale", "density", "tempo_scale"),
)


class Listener:
    """Plays with a knob turned, and measures what was played."""

    def __init__(self, model: Path | None, rngs: int, events: int) -> None:
        self._player = Player(model)
        loaded = checkpoint.load(model or checkpoint.SHIPPED)
        self._engine, self._codec = engine_for(loaded), loaded.codec
        self._rngs = range(rngs)
        self._events = events

    def swept(self, knob: str) -> list[float]:
        """What is measured at each value of the knob; in the mean, or the extreme of an extreme."""
        if knob in BITS:
            return [self.bits(Settings(**{knob: value})) for value in BITS[knob]]
        sweep = SWEEPS[knob]
        return [self._measured(sweep, Settings(**{knob: v, **sweep.others})) for v in sweep.asked]

    def _measured(self, sweep: Sweep, settings: Settings) -> float:
        played = [sweep.measure(list(notes(self._play(rng, settings)))) for rng in self._rngs]
        extreme = {"lowest": min, "highest": max, "most": max}.get(sweep.unit.split()[0])
        return extreme(played) if extreme else float(np.mean(played))

    def scales(self) -> float:
        """In percent, the least share of notes in the scale, of all keys and scales."""
        return min(
            in_scale(key, scale)(list(notes(self._play(rng, Settings(key=key, scale=scale)))))
            for rng, key in enumerate(KEYS)
            for scale in SCALES
        )

    def bits(self, settings: Settings) -> float:
        """By which the model is surprised at an event of its own music."""
        found = []
        for rng in self._rngs:
            self._engine.reset()
            for event in self._play(rng, settings, settle=0):
                token = self._codec.encode(event)
                found.append(
                    _bits(self._engine.time_logits(), token.time_bin)
                    + _bits(self._engine.note_logits(token.time_bin), token.note)
                    + _bits(
                        self._engine.velocity_logits(token.time_bin, token.note), token.velocity
                    )
                )
                self._engine.step(token)
        return float(np.mean(found))

    def surprise(self) -> tuple[float, float]:
        """By what factor the density changes where the music is surprised, and where it is not."""
        return self._change(SETTLE), self._change(None)

    def _change(self, surprise_at: int | None) -> float:
        changes = []
        for rng in range(4 * len(self._rngs)):
            music = list(islice(self._player.play(rng, surprise_at=surprise_at), SETTLE + 200))
            before, after = (
                density(list(notes(part)))
                for part in (music[SETTLE - 200 : SETTLE], music[SETTLE:])
            )
            changes.append(abs(math.log(after / before)))
        return math.exp(float(np.mean(changes)))

    def _play(self, rng: int, settings: Settings, settle: int = SETTLE) -> list[Event]:
        return list(
            islice(self._player.play(rng, settings=settings), settle, SETTLE + self._events)
        )


def _bits(logits: np.ndarray, choice: int) -> float:
    most = float(logits.max())
    return float(np.log2(np.exp(logits - most).sum()) - (logits[choice] - most) / math.log(2))


def row(knob: str, played: list[float]) -> str:
    asked = BITS.get(knob) or SWEEPS[knob].asked
    unit = "bits an event" if knob in BITS else SWEEPS[knob].unit
    pairs = "; ".join(f"{a:g}: {p:.3g}" for a, p in zip(asked, played, strict=True))
    return f"| `{knob}` | {unit} | {pairs} |"


def draw(path: Path, found: dict[str, list[float]]) -> None:
    columns = min(len(found), 3 if len(found) % 4 else 4)
    rows = -(-len(found) // columns)
    figure = Figure(figsize=(3 * columns, 2.4 * rows), layout="constrained")
    for place, (knob, played) in enumerate(found.items(), 1):
        _draw_knob(figure.add_subplot(rows, columns, place), knob, played)
    figure.savefig(path, dpi=70)


def _draw_knob(axes: Axes, knob: str, played: list[float]) -> None:
    asked = list(BITS.get(knob) or SWEEPS[knob].asked)
    if knob in SWEEPS and SWEEPS[knob].ideal:
        axes.plot(asked, asked, color="0.7", linewidth=1)
    if knob == "density":
        axes.fill_between(asked, np.multiply(asked, 0.85), np.multiply(asked, 1.15), color="0.9")
    axes.plot(asked, played, "o-", markersize=3, linewidth=1)
    if knob in ("density", "tempo_scale"):
        axes.set_yscale("log")
    if knob in LOGARITHMIC:
        axes.set_xscale("log")
    axes.set_title(knob, fontsize=9)
    axes.set_ylabel("bits an event" if knob in BITS else SWEEPS[knob].unit, fontsize=8)
    axes.tick_params(labelsize=7)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    every = (*BITS, *SWEEPS)
    parser.add_argument("knobs", nargs="*", metavar="KNOB", help="default: all of them")
    parser.add_argument("--model", type=Path, help="default: the one that comes along")
    parser.add_argument("--rngs", type=int, default=6, help="as many times, with other choices")
    parser.add_argument("--events", type=int, default=1200, help="measured each time")
    parser.add_argument("--plots", type=Path, metavar="FOLDER")
    options = parser.parse_args()
    if strange := [knob for knob in options.knobs if knob not in every]:
        parser.error(f"not swept: {', '.join(strange)}; the knobs are {', '.join(every)}")
    listener = Listener(options.model, options.rngs, options.events)
    found: dict[str, list[float]] = {}
    print("| knob | measured | asked: played |\n|---|---|---|")
    for knob in options.knobs or every:
        found[knob] = listener.swept(knob)
        print(row(knob, found[knob]), flush=True)
    if not options.knobs:
        least = listener.scales()
        print(
            f"| `key`, `scale` | % of notes in the scale | the least of all keys and scales:"
            f" {least:.3g} |"
        )
        surprised, not_surprised = listener.surprise()
        print(
            f"| surprise | how the density changes | by {surprised:.2f}; else by"
            f" {not_surprised:.2f} |"
        )
    if options.plots:
        options.plots.mkdir(parents=True, exist_ok=True)
        for name, knobs in PLOTS.items():
            if here := {knob: found[knob] for knob in knobs if knob in found}:
                draw(options.plots / f"{name}.png", here)


if __name__ == "__main__":
    main()
