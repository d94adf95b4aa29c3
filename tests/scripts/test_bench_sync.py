"""How the synchronisation benchmark reads what a foreign ear has heard."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

SCRIPTS = Path(__file__).parent.parent.parent / "scripts"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="JACK programs are started")


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(SCRIPTS)
    spec = spec_from_file_location("bench_sync", SCRIPTS / "bench_sync.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def on(at_ms: float) -> tuple[float, bytes]:
    return at_ms, bytes((0x90, 60, 80))


def off(at_ms: float) -> tuple[float, bytes]:
    return at_ms, bytes((0x80, 60, 0))


def clock(message: int, *moments_ms: float) -> list[tuple[float, bytes]]:
    return [(at_ms, bytes((message,))) for at_ms in moments_ms]


def test_onsets_are_compared_with_the_sixteenths_between_the_ticks(bench: ModuleType) -> None:
    ticks = clock(0xF8, *(20.0 * number for number in range(49) if number != 30))
    heard = [bench.Heard(*each) for each in (*ticks, on(1.5), on(239.0), on(725.0))]
    assert bench.off_the_grid_ms(heard) == ([1.5, -1.0, 5.0], [])


def test_the_beat_after_a_change_of_tempo_comes_apart(bench: ModuleType) -> None:
    ticks = clock(0xF8, *range(0, 480, 20), *range(480, 3000, 25))
    heard = [bench.Heard(*each) for each in (*ticks, on(121.0), on(490.0), on(1531.0))]
    assert bench.off_the_grid_ms(heard) == ([1.0, 1.0], [10.0])


def test_a_stop_takes_until_the_last_release(bench: ModuleType) -> None:
    stops = clock(0xFC, 30.0, 90.0, 150.0)
    song = sorted([*stops, on(10), off(33), on(70), off(80), on(140), off(154.5)])
    assert bench.silence_ms([bench.Heard(*each) for each in song]) == [3.0, 4.5]


def test_the_lines_of_a_foreign_dump_are_read(bench: ModuleType) -> None:
    line = " 48000: 90 3c 50 note on  (channel  0): pitch  60, velocity  80"
    assert bench._parsed(line) == (1000.0, bytes((0x90, 60, 80)))
    assert bench._parsed("") is None
