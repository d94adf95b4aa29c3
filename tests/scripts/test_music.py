"""The measures of ten minutes of music, on music whose measures are plain."""

from __future__ import annotations

import math
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from core.events import Event

SCRIPTS = Path(__file__).parent.parent.parent / "scripts"


@pytest.fixture(scope="module")
def music() -> ModuleType:
    spec = spec_from_file_location("music", SCRIPTS / "music.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def row(music: ModuleType, pitches: list[int], gap_s: float, length_s: float) -> Iterator[object]:
    """One note after another, each as hard as its pitch is high."""
    for index, pitch in enumerate(pitches):
        yield music.Note(index * gap_s, pitch, pitch, length_s)


def test_a_note_lasts_until_it_is_released_struck_again_or_the_music_ends(
    music: ModuleType,
) -> None:
    stream = [
        Event(1.0, 60, 70),
        Event(0.5, 64, 80),
        Event(0.5, 60, 0),
        Event(0.0, 60, 0),  # of nothing
        Event(1.0, 64, 90),
        Event(0.5, 72, 0),  # of nothing
    ]
    assert [tuple(note) for note in music.notes(stream)] == [
        (1.0, 60, 70, 1.0),
        (1.5, 64, 80, 1.5),
        (3.0, 64, 90, 0.5),
    ]


def test_notes_come_in_the_order_struck_though_a_long_one_ends_late(music: ModuleType) -> None:
    short = [music.Note(float(at), 60, 64, 0.5) for at in range(9000)]
    long = [music.Note(float(at) + 0.1, 40, 64, 50.0) for at in range(0, 9000, 60)]
    by_end = sorted(short + long, key=lambda note: note.at_s + note.length_s)
    assert list(music.in_order(by_end)) == sorted(short + long)


def test_a_window_in_seven_numbers(music: ModuleType) -> None:
    # C and the F sharp above, in turns: ten minutes of them, and the note that ends the window.
    pitches = [60, 66] * 600 + [60]
    (window,) = music.windows(row(music, pitches, gap_s=0.5, length_s=0.75))
    assert window == pytest.approx(
        {
            "notes": 1200,
            "density": 2,
            "register": 63,
            "spread": 3,
            "polyphony": 1.5,
            "velocity": 63,
            "entropy": 1,
            "repeats": (1200 - 15 - 2) / 1200,  # two figures, each new once
        }
    )


def test_a_loop_repeats_itself_and_chance_does_not(music: ModuleType) -> None:
    loop = [int(pitch) for pitch in np.random.default_rng(0).integers(40, 80, 50)] * 50
    chance = [int(pitch) for pitch in np.random.default_rng(0).integers(40, 80, 2500)]
    (looping,) = music.windows(row(music, loop, gap_s=0.25, length_s=0.25))
    (different,) = music.windows(row(music, chance, gap_s=0.25, length_s=0.25))
    assert looping["repeats"] > 0.95
    assert different["repeats"] == 0


def test_a_figure_is_heard_again_within_the_hour_only(music: ModuleType) -> None:
    def again_after(silence_s: float) -> bool:
        figures = music.Figures()
        for pitch in range(60, 60 + music.FIGURE):
            assert not figures.heard(0.0, pitch)
        return [figures.heard(silence_s, p) for p in range(60, 60 + music.FIGURE)][-1]

    assert again_after(music.HOUR_S - 1)
    assert not again_after(music.HOUR_S + 1)


def test_what_was_heard_within_the_hour_is_not_forgotten(music: ModuleType) -> None:
    figures = music.Figures()
    many = np.random.default_rng(0).integers(0, 128, 2 * music.NOTES_AN_HOUR + 1000).tolist()
    for index, pitch in enumerate(many):
        figures.heard(0.0 if index < music.NOTES_AN_HOUR else music.HOUR_S, pitch)
    some = many[music.NOTES_AN_HOUR + 1000 :][:1000]
    assert all([figures.heard(music.HOUR_S + 1, pitch) for pitch in some][music.FIGURE :])


def test_a_silence_is_a_window_of_its_own(music: ModuleType) -> None:
    silent = [music.Note(0.0, 60, 64, 1.0), music.Note(3 * music.WINDOW_S, 60, 64, 1.0)]
    windows = list(music.windows(silent))
    assert [window["notes"] for window in windows] == [1, 0, 0]
    assert windows[1]["density"] == 0


def test_a_rise_is_told_from_a_wavering(music: ModuleType) -> None:
    wavering = np.random.default_rng(0).normal(0, 1, 144)
    rise, t = music.trend(np.linspace(5, 8, 144) + 0.1 * wavering)
    assert math.isclose(rise, 3, abs_tol=0.15)
    assert t > 50
    rise, t = music.trend(wavering)
    assert abs(t) < 2.5
    assert music.trend(np.full(144, 7.0)) == (0, 0)
