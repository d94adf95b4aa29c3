"""The watchdog is fed while the music moves, or while it is silent for a reason."""

from realtime.clock import NS_PER_S
from realtime.pulse import ASK_AFTER_NS, GONE_AFTER_NS, STILL_AFTER_NS, Deaths, Pulse
from realtime.wire import Kind

BOTH = ("composer", "player")


def answer(pulse: Pulse, at_ns: int) -> None:
    for process in BOTH:
        pulse.heard(process, Kind.PONG, at_ns)


def test_music_that_moves_needs_no_question() -> None:
    pulse = Pulse(0)
    pulse.heard("composer", Kind.PLAY, 5 * NS_PER_S)
    pulse.heard("player", Kind.SENT, 5 * NS_PER_S)
    assert pulse.to_ask(BOTH, 5 * NS_PER_S + 1) == []
    assert pulse.beats(BOTH, 5 * NS_PER_S + 1, excused=False)


def test_who_is_silent_is_asked_once() -> None:
    pulse = Pulse(0)
    pulse.heard("composer", Kind.PLAY, ASK_AFTER_NS)
    assert pulse.to_ask(BOTH, ASK_AFTER_NS + 1) == ["player"]
    assert pulse.to_ask(("player",), 2 * ASK_AFTER_NS) == []
    pulse.heard("player", Kind.PONG, 2 * ASK_AFTER_NS)
    assert pulse.to_ask(("player",), 3 * ASK_AFTER_NS) == ["player"]


def test_a_process_that_does_not_answer_stops_the_heart() -> None:
    pulse = Pulse(0)
    pulse.heard("player", Kind.SENT, GONE_AFTER_NS)
    assert not pulse.beats(BOTH, GONE_AFTER_NS, excused=True)
    assert pulse.beats(("player",), GONE_AFTER_NS, excused=False)


def test_one_that_lets_three_beats_pass_without_an_answer_hangs() -> None:
    pulse = Pulse(0)
    pulse.heard("player", Kind.SENT, ASK_AFTER_NS)
    assert pulse.to_ask(BOTH, ASK_AFTER_NS) == ["composer"]
    assert [pulse.hung(BOTH) for _ in range(4)] == [[], [], [], ["composer"]]
    pulse.began("composer", 9 * ASK_AFTER_NS)
    assert pulse.hung(BOTH) == []


def test_one_that_has_taken_its_place_makes_it_beat_again() -> None:
    pulse = Pulse(0)
    pulse.heard("player", Kind.SENT, GONE_AFTER_NS)
    pulse.to_ask(BOTH, GONE_AFTER_NS)
    pulse.began("composer", GONE_AFTER_NS)
    assert pulse.beats(BOTH, GONE_AFTER_NS, excused=False)
    assert pulse.to_ask(("composer",), GONE_AFTER_NS + ASK_AFTER_NS) == ["composer"]


def test_answers_alone_are_no_music() -> None:
    pulse = Pulse(0)
    answer(pulse, STILL_AFTER_NS)
    assert not pulse.beats(BOTH, STILL_AFTER_NS, excused=False)


def test_silence_for_a_reason_is_no_death_and_the_time_begins_anew_after_it() -> None:
    pulse = Pulse(0)
    answer(pulse, 3 * STILL_AFTER_NS)
    assert pulse.beats(BOTH, 3 * STILL_AFTER_NS, excused=True)
    answer(pulse, 4 * STILL_AFTER_NS - 1)
    assert pulse.beats(BOTH, 4 * STILL_AFTER_NS - 1, excused=False)


def test_slow_music_is_silent_for_longer() -> None:
    pulse = Pulse(0)
    answer(pulse, 9 * STILL_AFTER_NS)
    assert pulse.beats(BOTH, 9 * STILL_AFTER_NS, excused=False, tempo_scale=0.1)
    assert not pulse.beats(BOTH, 9 * STILL_AFTER_NS, excused=False, tempo_scale=1)


def test_four_deaths_within_a_minute_are_one_too_many_and_slower_ones_are_not() -> None:
    deaths = Deaths()
    at_s = [0, 20, 40, 60, 79]
    assert [deaths.one_too_many(second * NS_PER_S) for second in at_s] == [False] * 4 + [True]
