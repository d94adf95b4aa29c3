"""Hours of music in virtual time, held against the music that the model learned from.

    python scripts/endurance.py MUSIC... [--hours 24] [--seeds 3] [--model FILE] [--plot FILE]
                                [--top-p P] [--temperature T] [--json FILE]

MUSIC are MIDI files or folders: the training corpus. For every ten minutes of what composerd
would play, seven measures (scripts/music.py); how many of these windows lie within the 5th to
95th percentile of the same measure over ten-minute stretches of the corpus, how many beyond its
extremes, and how much the measure rises over the whole time, in widths of that band. Then what
must never be: events that are not legal, windows without a note. Last whether a step and the
memory cost as much at the end as at the beginning.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).parent))

from music import HOUR_S, MEASURES, WINDOW_S, Note, notes, trend, windows

from core import corpus, midi_file
from core.errors import ComposerError, MidiFileError
from core.events import Event
from realtime import composer
from realtime.wire import Kind, is_note, is_onset


class Stream:
    """What composerd would play, as notes; counts what is not legal."""

    def __init__(self, orders: dict[str, Any], seconds: float) -> None:
        self._performer = composer.performer(orders, lambda: 0)
        self._seconds = seconds
        self.events = 0
        self.illegal = 0
        self.step_us: list[float] = []  # of each hour, in the mean
        self.memory_mb: list[float] = []

    def notes(self) -> Iterator[Note]:
        return notes(self._events())

    def _events(self) -> Iterator[Event]:
        process, sounding = psutil.Process(), set()
        last_ns = at_ns = 0
        hour, counted, began_s = 1, 0, time.process_time()
        while at_ns < self._seconds * 1e9:
            assert self._performer.wake_ns is not None
            for record in self._performer.plan(self._performer.wake_ns):
                if record.kind is not Kind.PLAY or not is_note(record.message):
                    continue
                pitch, at_ns = record.message[1], record.due_ns
                onset = is_onset(record.message)
                self.illegal += (pitch in sounding) == onset
                (sounding.add if onset else sounding.discard)(pitch)
                self.events += 1
                yield Event((at_ns - last_ns) / 1e9, pitch, record.message[2] if onset else 0)
                last_ns = at_ns
            if at_ns >= hour * 3600e9:
                spent_s = time.process_time() - began_s
                self.step_us.append(1e6 * spent_s / max(self.events - counted, 1))
                self.memory_mb.append(process.memory_info().rss / 2**20)
                hour, counted, began_s = hour + 1, self.events, time.process_time()


def play(job: tuple[dict[str, Any], float]) -> dict[str, Any]:
    stream = Stream(*job)
    rows = list(windows(stream.notes()))
    facts = ("events", "illegal", "step_us", "memory_mb")
    return {"windows": rows} | {fact: getattr(stream, fact) for fact in facts}


def stretches(paths: list[Path]) -> list[dict[str, float]]:
    """The corpus as one stream, its pieces in any order, two seconds between them."""
    files = corpus.find(paths)
    random.Random(0).shuffle(files)

    def music() -> Iterator[Note]:
        begin_s = 0.0
        for file in files:
            try:
                piece = list(notes(midi_file.read(file)))
            except MidiFileError:
                continue
            for note in piece:
                yield note._replace(at_s=note.at_s + begin_s)
            begin_s += max((note.at_s + note.length_s for note in piece), default=0.0) + 2

    return list(windows(music()))


def table(corpus_rows: list[dict[str, float]], streams: list[dict[str, Any]]) -> list[list[str]]:
    rows = []
    for name, meaning in MEASURES.items():
        real = np.array([row[name] for row in corpus_rows])
        low, high = np.percentile(real, (5, 95))
        every = [np.array([row[name] for row in stream["windows"]]) for stream in streams]
        ours = np.concatenate(every)
        trends = [trend(values) for values in every]
        rise = max((rise for rise, _ in trends), key=abs)
        widths = f"{rise / (high - low):+.2f}" if high > low else "-"
        rows.append(
            [
                f"{name} ({meaning})",
                f"{low:.3g} .. {high:.3g}",
                f"{np.percentile(ours, 5):.3g} .. {np.percentile(ours, 95):.3g}",
                f"{100 * np.mean((ours >= low) & (ours <= high)):.0f} %",
                f"{int(((ours < real.min()) | (ours > real.max())).sum())}",
                f"{widths} (t {max((t for _, t in trends), key=abs):+.1f})",
            ]
        )
    return rows


def draw(path: Path, corpus_rows: list[dict[str, float]], streams: list[dict[str, Any]]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 12), layout="constrained")
    for axes, name in zip(figure.subplots(len(MEASURES), sharex=True), MEASURES, strict=True):
        real = [row[name] for row in corpus_rows]
        axes.axhspan(*np.percentile(real, (5, 95)), color="0.85", label="5 to 95 % of the corpus")
        for seed, stream in enumerate(streams):
            hours = (np.arange(len(stream["windows"])) + 0.5) / 6
            axes.plot(hours, [row[name] for row in stream["windows"]], lw=0.8, label=f"rng {seed}")
        axes.set_ylabel(name)
    axes.set_xlabel("hours")
    figure.axes[0].legend(ncols=4, fontsize="small")
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("music", nargs="+", type=Path)
    parser.add_argument("--hours", type=float, default=24)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--model", help="a checkpoint; the one that comes along by default")
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--top-p", type=float, default=0.95)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    seconds = options.hours * HOUR_S
    if seconds < 3 * WINDOW_S:
        parser.error("--hours: at least 0.5, for a window is ten minutes")
    orders = {
        "model": options.model,
        "seed_file": None,
        "seed_events": 0,
        "settings": {"temperature": options.temperature, "top_p": options.top_p},
        "channel": 0,
        "program": None,
    }
    jobs = [(orders | {"rng": seed}, seconds) for seed in range(options.seeds)]
    try:
        # A worker that is killed ends this with BrokenProcessPool; a Pool would wait for ever.
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(min(2, options.seeds), mp_context=spawn) as pool:
            playing = pool.map(play, jobs)
            corpus_rows = stretches(options.music)
            if len(corpus_rows) < 2:
                sys.exit("MUSIC lasts less than twenty minutes: nothing to hold a stream against")
            streams = list(playing)
    except ComposerError as error:
        sys.exit(str(error))

    print(
        f"{len(corpus_rows)} stretches of the corpus, {options.seeds} x {options.hours:g} hours\n"
    )
    heads = ("measure", "corpus, 5-95 %", "ours, 5-95 %", "inside", "beyond", "trend")
    print("| " + " | ".join(heads) + " |\n" + "|---" * len(heads) + "|")
    for row in table(corpus_rows, streams):
        print("| " + " | ".join(row) + " |")
    every = [row for stream in streams for row in stream["windows"]]
    print(f"\nevents: {sum(stream['events'] for stream in streams):,}, of which not legal:")
    print(f"{sum(stream['illegal'] for stream in streams)}; windows without a note:")
    print(f"{sum(row['notes'] == 0 for row in every)} of {len(every)}")
    for stream in streams:
        if len(stream["step_us"]) > 1:
            print(
                f"an event costs {stream['step_us'][0]:.0f} us in the first hour,"
                f" {stream['step_us'][-1]:.0f} us in the last; memory"
                f" {stream['memory_mb'][0]:.0f} MB, {stream['memory_mb'][-1]:.0f} MB"
            )
    if options.plot:
        draw(options.plot, corpus_rows, streams)
    if options.json:
        options.json.write_text(json.dumps({"corpus": corpus_rows, "streams": streams}))


if __name__ == "__main__":
    main()
