from __future__ import annotations

import select
import sys
import time

import pytest

from realtime.timer import Timer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has them")


def can_be_read(timer: Timer, within_s: float) -> bool:
    return bool(select.select([timer], [], [], within_s)[0])


def test_it_can_be_read_at_its_time_and_not_before() -> None:
    timer = Timer()
    at_ns = time.monotonic_ns() + 20_000_000
    timer.set(at_ns)
    assert can_be_read(timer, 60)
    assert time.monotonic_ns() >= at_ns


@pytest.mark.parametrize("at_ns", [-5, 0, 1])
def test_a_time_that_has_passed_is_now(at_ns: int) -> None:
    timer = Timer()
    timer.set(at_ns)
    assert can_be_read(timer, 60)


def test_another_time_takes_the_place_of_the_first() -> None:
    timer = Timer()
    timer.set(1)
    assert can_be_read(timer, 60)
    timer.set(time.monotonic_ns() + 3600 * 1_000_000_000)
    assert not can_be_read(timer, 0)
