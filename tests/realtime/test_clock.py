from __future__ import annotations

import os

import pytest

from realtime.clock import NS_PER_S, RealClock, VirtualClock


def test_virtual_time_passes_only_by_waiting() -> None:
    clock = VirtualClock(now_ns=5)
    assert clock.now_ns() == 5
    clock.wait_until(3600 * NS_PER_S)
    assert clock.now_ns() == 3600 * NS_PER_S


def test_virtual_time_never_goes_back() -> None:
    clock = VirtualClock(now_ns=5)
    clock.wait_until(3)
    assert clock.now_ns() == 5


@pytest.mark.parametrize("spin_ns", [0, 1_000_000, NS_PER_S])
def test_a_wait_does_not_end_before_its_time(spin_ns: int) -> None:
    clock = RealClock(spin_ns=spin_ns)
    due_ns = clock.now_ns() + 3_000_000
    assert clock.wait_until(due_ns) is False
    assert clock.now_ns() >= due_ns


def test_a_moment_that_has_passed_is_not_waited_for() -> None:
    clock = RealClock()
    assert clock.wait_until(clock.now_ns() - NS_PER_S) is False


@pytest.fixture(params=["timer", "timeout"])
def _either_way_to_wait(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise OSError

    if request.param == "timeout":
        monkeypatch.setattr("realtime.clock.Timer", refuse)


@pytest.mark.usefixtures("_either_way_to_wait")
@pytest.mark.parametrize("spin_ns", [0, 1_000_000])
def test_a_wait_ends_when_there_is_something_to_read(spin_ns: int) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as source, os.fdopen(writing, "wb", 0) as target:
        clock = RealClock(source, spin_ns)
        due_ns = clock.now_ns() + 2_000_000
        assert clock.wait_until(due_ns) is False
        assert clock.now_ns() >= due_ns
        target.write(b"x")
        next_year_ns = clock.now_ns() + 365 * 86400 * NS_PER_S
        assert clock.wait_until(next_year_ns) is True


@pytest.mark.usefixtures("_either_way_to_wait")
def test_a_moment_that_has_passed_still_tells_of_something_to_read() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as source, os.fdopen(writing, "wb", 0) as target:
        target.write(b"x")
        assert RealClock(source).wait_until(0) is True
