from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from realtime.ledger import Ledger
from realtime.wire import control_change, note_off, note_on

channels = st.integers(0, 15)
pitches = st.integers(0, 127)
messages = st.one_of(
    st.builds(note_on, channels, pitches, st.integers(0, 127)),
    st.builds(note_off, channels, pitches),
    st.builds(control_change, channels, st.integers(0, 119), st.integers(0, 127)),
)


def keep(ledger: Ledger, *sent: bytes) -> Ledger:
    for message in sent:
        ledger.leaving(message)
        ledger.left(message)
    return ledger


def test_a_note_sounds_from_its_onset_to_its_release() -> None:
    ledger = keep(Ledger(), note_on(0, 60, 80))
    assert ledger.sounding == ((0, 60),)
    assert keep(ledger, note_off(0, 60)).sounding == ()


def test_the_same_pitch_on_another_channel_is_another_note() -> None:
    ledger = keep(Ledger(), note_on(0, 60, 80), note_on(1, 60, 80), note_off(0, 60))
    assert ledger.sounding == ((1, 60),)


def test_an_onset_is_in_the_book_before_it_leaves() -> None:
    ledger = Ledger()
    ledger.leaving(note_on(0, 60, 80))
    assert ledger.sounds(note_off(0, 60))


def test_a_release_is_out_of_the_book_only_after_it_has_left() -> None:
    ledger = keep(Ledger(), note_on(0, 60, 80))
    ledger.leaving(note_off(0, 60))
    assert ledger.sounds(note_off(0, 60))


def test_what_ends_everything() -> None:
    ledger = keep(
        Ledger(), note_on(2, 60, 80), note_on(0, 64, 80), note_on(0, 67, 80), note_off(0, 67)
    )
    assert ledger.endings() == [
        note_off(2, 60),
        note_off(0, 64),
        control_change(0, 64, 0),
        control_change(2, 64, 0),
        control_change(0, 123, 0),
        control_change(2, 123, 0),
    ]


def test_where_nothing_was_sent_there_is_nothing_to_end() -> None:
    assert Ledger().endings() == []


@given(st.lists(messages))
def test_after_its_own_releases_nothing_sounds(sent: list[bytes]) -> None:
    ledger = keep(Ledger(), *sent)
    assert keep(ledger, *ledger.releases()).sounding == ()


def test_a_release_ends_no_later_strike_of_its_key() -> None:
    """What was told to be struck again may have been, though nobody has told of it yet."""
    ledger = Ledger()
    ledger.leaving(note_on(0, 60, 80), 100)
    ledger.leaving(note_on(0, 60, 80), 300)
    ledger.left(note_off(0, 60), 300)  # at one instant: the release, then the strike
    assert ledger.sounding == ((0, 60),)
    ledger.left(note_off(0, 60), 400)
    assert ledger.sounding == ()
