"""What a long stream is like: a row for every ten minutes of music, in virtual time.

    python scripts/endurance.py [--hours 1.5] [--rng 2] [--top-p 0.95] [--model FILE]

Renders what composerd would play, and prints notes a second, the median of notes that sound at
once, mean pitch and velocity, and how many pieces the stream was made of.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

from core import midi_file
from realtime import composer
from realtime.performer import BREATH_NS
from realtime.render import render

WINDOW_S = 600


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=float, default=1.5)
    parser.add_argument("--rng", type=int, default=2)
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--top-p", type=float, default=0.95)
    parser.add_argument("--model", help="a checkpoint; the one that comes along by default")
    options = parser.parse_args()

    orders = {
        "model": options.model,
        "seed_file": None,
        "seed_events": 0,
        "temperature": options.temperature,
        "top_p": options.top_p,
        "tempo_scale": 1.0,
        "velocity_scale": 1.0,
        "rng": options.rng,
        "channel": 0,
        "program": None,
    }
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "stream.mid")
        render(composer.performer(orders, lambda: 0), file, seconds=options.hours * 3600)
        music = midi_file.read(file)

    at_s, onset = np.cumsum(music.delta_s), music.velocity > 0
    sounding = np.cumsum(np.where(onset, 1, -1))
    print("minutes   notes/s   sounding   pitch   velocity")
    for start_s in range(0, int(at_s[-1]), WINDOW_S):
        here = (at_s >= start_s) & (at_s < start_s + WINDOW_S)
        struck = here & onset
        length_s = min(WINDOW_S, at_s[-1] - start_s)
        print(
            f"{start_s // 60:7} {struck.sum() / length_s:9.1f} {np.median(sounding[here]):10.0f}"
            f" {music.pitch[struck].mean():7.1f} {music.velocity[struck].mean():10.1f}"
        )
    # A breath is between silence and an onset; writing rounds it to a tick.
    breath = (np.abs(music.delta_s[1:] - BREATH_NS / 1e9) < 0.002) & (sounding[:-1] == 0)
    pieces = 1 + int(breath.sum())
    print(f"{pieces} pieces, {at_s[-1] / pieces:.0f} s in the mean")


if __name__ == "__main__":
    main()
