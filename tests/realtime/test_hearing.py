"""Whatever comes from a keyboard is harmless: what matters is heard, and every note is ended."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.hearing import (
    AT_ONCE,
    LONGEST,
    PER_SECOND,
    TICKS_AT_ONCE,
    TICKS_PER_SECOND,
    Hearing,
)
from realtime.wire import control_change, is_onset, is_release, note_off, note_on

SECOND_NS = 1_000_000_000
STRIKE, RELEASE = note_on(0, 60, 80), note_off(0, 60)


def heard(*pieces: bytes, every_ns: int = SECOND_NS) -> list[bytes]:
    """What is made of these bytes."""
    told: list[bytes] = []
    hearing = Hearing(lambda message, _: told.append(message))
    for number, piece in enumerate(pieces):
        hearing.heard(piece, number * every_ns)
    return told


def test_a_message_is_heard_at_the_time_at_which_it_came() -> None:
    told = []
    Hearing(lambda message, at_ns: told.append((message, at_ns))).heard(STRIKE, 7)
    assert told == [(STRIKE, 7)]


def test_running_status_goes_on_for_the_next_message() -> None:
    assert heard(STRIKE + bytes([64, 80, 60, 0])) == [STRIKE, note_on(0, 64, 80), note_on(0, 60, 0)]


def test_real_time_bytes_within_a_message_do_not_belong_to_it() -> None:
    assert heard(b"\xf8\x90\xfe\x3c\xf8\x50\xff", RELEASE) == [STRIKE, RELEASE]


def clock_of(*pieces: bytes, every_ns: int = SECOND_NS) -> list[bytes]:
    """What is heard of a clock."""
    told: list[bytes] = []
    hearing = Hearing(lambda *_: None, lambda message, _: told.append(message))
    for number, piece in enumerate(pieces):
        hearing.heard(piece, number * every_ns)
    return told


def test_a_clock_is_heard_between_and_within_messages() -> None:
    song = clock_of(b"\xf2\x05", b"\xf8\x01", b"\xfa\x90\x3c\xf8\x50", b"\xfc", b"\xfb", b"\xfe")
    assert song == [b"\xf8", b"\xf2\x05\x01", b"\xfa", b"\xf8", b"\xfc", b"\xfb"]


def test_a_song_position_has_no_running_status() -> None:
    assert clock_of(b"\xf2\x05\x01\x06\x01") == [b"\xf2\x05\x01"]
    assert heard(b"\xf2\x05\x01\x06\x01", STRIKE) == [STRIKE]


def test_a_flood_of_ticks_is_cut_down_and_the_fastest_song_is_not() -> None:
    assert len(clock_of(*[b"\xf8"] * 12_000, every_ns=SECOND_NS // 240)) == 12_000
    flood = clock_of(*[b"\xf8"] * 100_000, every_ns=SECOND_NS // 10_000)
    assert len(flood) <= TICKS_AT_ONCE + 10 * TICKS_PER_SECOND


def test_a_message_may_come_in_pieces() -> None:
    assert heard(b"\x90", b"\x3c", b"\x50") == [STRIKE]


def test_sysex_and_active_sensing_are_not_heard_and_end_running_status() -> None:
    assert heard(STRIKE, b"\xf0\x7e\x01\x02\xf7", b"\x3e\x50", b"\xfe", RELEASE) == [
        STRIKE,
        RELEASE,
    ]


def test_a_sysex_dump_is_given_up_at_once() -> None:
    assert heard(b"\xf0" + bytes(LONGEST), bytes([62, 64]), STRIKE) == [STRIKE]


def test_nothing_at_all_is_nothing() -> None:
    assert heard(b"", b"\xf7", b"\x00", b"\x40\x40") == []


def test_programs_pressures_and_bends_are_not_heard() -> None:
    assert heard(b"\xc0\x05", b"\xd0\x40\x41", b"\xe0\x00\x40\x01\x41", b"\xa0\x3c\x40") == []


def test_all_sixteen_channels_are_heard() -> None:
    strikes = [note_on(channel, 60, 80) for channel in range(16)]
    assert heard(*strikes) == strikes


def test_a_release_of_nothing_is_not_heard() -> None:
    assert heard(RELEASE, STRIKE, note_off(1, 60), RELEASE, RELEASE) == [STRIKE, RELEASE]


def test_of_a_pedal_that_sends_its_whole_way_only_the_middle_matters() -> None:
    way = [control_change(0, 64, value) for value in (1, 40, 70, 100, 127, 90, 65, 63, 20, 0)]
    assert heard(*way) == [control_change(0, 64, 70), control_change(0, 64, 63)]


def test_all_notes_off_is_heard_where_something_is_held() -> None:
    off = control_change(0, 123, 0)
    assert heard(off, STRIKE, off, RELEASE, off) == [STRIKE, off]


def test_the_controllers_that_turn_a_knob_are_heard_and_no_others() -> None:
    told: list[bytes] = []
    hearing = Hearing(lambda message, _: told.append(message), controllers=[20, 74])
    turns = [control_change(0, 20, 64), control_change(3, 74, 1)]
    hearing.heard(b"".join([*turns, control_change(0, 21, 64), bytes([0xC0, 5])]), 0)
    assert told == turns


def test_programs_are_heard_if_somebody_asks_for_them() -> None:
    told: list[bytes] = []
    hearing = Hearing(lambda message, _: told.append(message), programs=True)
    hearing.heard(bytes([0xC2, 5, 6]) + STRIKE + bytes([0xD0, 9]), 0)
    assert told == [bytes([0xC2, 5]), bytes([0xC2, 6]), STRIKE]


def test_a_keyboard_that_was_unplugged_holds_nothing_when_it_is_back() -> None:
    told: list[bytes] = []
    hearing = Hearing(lambda message, _: told.append(message))
    down = control_change(0, 64, 127)
    hearing.heard(STRIKE + down, 0)
    hearing.forget()
    hearing.heard(RELEASE + down, 1)
    assert told == [STRIKE, down, down]


def test_as_fast_as_anybody_plays_nothing_is_lost() -> None:
    told: list[bytes] = []
    hearing = Hearing(lambda message, _: told.append(message))
    played = []
    for number in range(5000):
        pitch = number % 128
        for message in (note_on(0, pitch, 80), note_off(0, pitch)):
            played.append(message)
            hearing.heard(message, number * 2 * SECOND_NS // PER_SECOND)
    assert told == played
    assert hearing.dropped == 0


def test_a_flood_is_cut_down_and_every_note_that_was_heard_is_ended() -> None:
    told: list[bytes] = []
    hearing = Hearing(lambda message, _: told.append(message))
    choice = random.Random(1)
    seconds, struck = 20, 0
    for number in range(10_000 * seconds):
        channel, pitch = choice.randrange(16), choice.randrange(128)
        message = choice.choice((note_on(channel, pitch, 80), note_off(channel, pitch)))
        struck += is_onset(message)
        hearing.heard(message, number * SECOND_NS // 10_000)
    assert len(told) <= AT_ONCE + PER_SECOND * seconds
    passed = sum(map(is_onset, told))
    assert passed > PER_SECOND * seconds / 4
    assert hearing.dropped == struck - passed
    for channel in range(16):
        for pitch in range(128):
            hearing.heard(note_off(channel, pitch), seconds * SECOND_NS)
    assert still_sounding(told) == set()


def still_sounding(messages: list[bytes]) -> set[tuple[int, int]]:
    sounding = set()
    for message in messages:
        key = (message[0] & 0x0F, message[1])
        if is_onset(message):
            sounding.add(key)
        elif is_release(message):
            sounding.remove(key)  # fails for a release of nothing
        elif message[1] in (120, 123):
            sounding.clear()
    return sounding


@settings(max_examples=300)
@given(st.lists(st.binary(max_size=40)), st.integers(0, SECOND_NS))
def test_whatever_bytes_come_what_is_told_is_whole_and_ends(
    pieces: list[bytes], every_ns: int
) -> None:
    ends = [note_off(channel, pitch) for channel in range(16) for pitch in range(128)]
    told = heard(*pieces, *ends, every_ns=every_ns)
    for message in told:
        assert len(message) == 3
        assert message[0] >= 0x80
        assert max(message[1:]) < 0x80
    assert still_sounding(told) == set()


def test_never_released_notes_are_kept_once_each() -> None:
    told: list[bytes] = []
    hearing = Hearing(lambda message, _: told.append(message))
    for number in range(100_000):
        hearing.heard(note_on(number % 16, number % 128, 80), number * SECOND_NS)
    assert len(hearing._keys) <= 16 * 128
