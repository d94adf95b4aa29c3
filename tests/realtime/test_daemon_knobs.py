"""Each knob of the whole of composerd by itself, turned far, as a foreign program hears it."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import mean, pstdev

import pytest

from tests.conftest import Jack, Listener
from tests.realtime.composerd import Start
from tests.realtime.heard import onsets, sounding
from tests.realtime.pianist import pianist

Play = Callable[[str], list[bytes]]


@pytest.fixture
def play(composerd: Start, jack: Jack) -> Play:
    """Four seconds with these options: what was heard, of which nothing is left sounding."""

    def play(options: str) -> list[bytes]:
        listener = Listener(jack)
        daemon = composerd(*("--port", "listener", "--duration", 4, "--rng", 3), *options.split())
        said = daemon.said()
        assert daemon.returncode == 0, said
        heard = listener.heard()
        listener.forget()
        assert not sounding(heard)
        return heard

    return play


def pitches(heard: list[bytes]) -> list[int]:
    return [message[1] for message in onsets(heard)]


def velocities(heard: list[bytes]) -> list[int]:
    return [message[2] for message in onsets(heard)]


def begins_alike(one: list[bytes], other: list[bytes]) -> bool:
    """The ends may differ: they stop wherever they are."""
    several = 8
    assert min(len(onsets(one)), len(onsets(other))) >= several
    return onsets(one)[:several] == onsets(other)[:several]


@pytest.mark.parametrize("knobs", ["--top-p 0.01", "--floor 0.5"])
def test_where_only_the_likeliest_comes_chance_has_no_say(play: Play, knobs: str) -> None:
    assert begins_alike(play(f"{knobs} --rng 1"), play(f"{knobs} --rng 2"))


def test_else_it_has(play: Play) -> None:
    assert not begins_alike(play("--rng 1"), play("--rng 2"))


def test_the_cooler_the_more_alike(play: Play) -> None:
    cool, hot = play("--temperature 0.1"), play("--temperature 5")
    assert 2 * pstdev(velocities(cool)) < pstdev(velocities(hot))


def test_pitch_velocity_and_time_each_have_a_temperature(play: Play) -> None:
    assert pstdev(pitches(play("--temperature-note 10"))) > 15
    assert pstdev(velocities(play("--temperature-velocity 10"))) > 25
    # Cool times are short ones, hot ones of any length.
    cool, hot = play("--temperature-time 0.1"), play("--temperature-time 10")
    assert len(onsets(cool)) > 1.5 * len(onsets(hot))


def test_notes_are_drawn_to_the_centre_of_the_register(play: Play) -> None:
    centers = ("--register-center 36", "", "--register-center 84")
    low, usual, high = (mean(pitches(play(center))) for center in centers)
    assert low + 6 < usual < high - 6


def test_a_key_is_kept_to_as_firmly_as_is_asked(play: Play) -> None:
    key = "--key F# --scale pentatonic --key-strength"
    f_sharp = {6, 8, 10, 1, 3}
    assert {pitch % 12 for pitch in pitches(play(f"{key} 1"))} <= f_sharp
    assert begins_alike(play(f"{key} 0"), play(""))


def test_notes_are_struck_as_hard_as_is_asked(play: Play) -> None:
    assert max(velocities(play("--velocity-scale 0.25"))) <= 127 / 4 + 1
    assert mean(velocities(play("--velocity-scale 4"))) > 110


def test_notes_are_held_as_long_as_is_asked(play: Play) -> None:
    def held(articulation: float) -> float:
        heard = play(f"--articulation {articulation}")
        return mean(len(sounding(heard[:end])) for end in range(1, len(heard)))

    assert held(0.25) < held(4)


def test_it_plays_as_fast_as_is_asked(play: Play) -> None:
    assert len(onsets(play("--tempo-scale 4"))) > 3 * len(onsets(play("--tempo-scale 0.5")))


def answers(composerd: Start, jack: Jack, options: str, plays: str) -> list[bytes]:
    """What the machine struck while, and until a second after, a pianist played this."""
    listener = Listener(jack)
    daemon = composerd(*("--port", "listener", "--input", "Keys", "--rng", 3), *options.split())
    daemon.says("listening to Keys")
    pianist(plays)
    time.sleep(1)
    daemon.terminate()
    daemon.said()
    heard = listener.heard()
    listener.forget()
    return onsets(heard)


def test_it_answers_as_soon_as_is_asked(composerd: Start, jack: Jack) -> None:
    phrase = "out.send_message([0x90, 60, 80]); time.sleep(0.2); out.send_message([0x80, 60, 0])\n"
    phrase += "time.sleep(0.5)\n"  # the keyboard is still there
    assert answers(composerd, jack, "--patience 0.2", phrase)
    assert not answers(composerd, jack, "--patience 20", phrase)


def test_in_a_duet_it_plays_as_much_as_is_asked(composerd: Start, jack: Jack) -> None:
    phrase = (
        "for pitch in (60, 62, 64, 65, 67) * 20:\n"
        "    out.send_message([0x90, pitch, 80]); time.sleep(0.1)\n"
        "    out.send_message([0x80, pitch, 0])\n"
    )

    def answered(share: float) -> int:
        """While the human plays the second half: it finds its measure in the first."""
        struck = answers(composerd, jack, f"--mode duet --share {share} --thru", phrase)
        humans = [index for index, message in enumerate(struck) if message[0] & 0x0F]
        assert len(humans) == 100
        return humans[-1] - humans[50] - 49

    little, much = answered(0.1), answered(1)
    assert 2 * little < much
