"""Law 2: pitch and velocity come back exactly, delta within its bin, and time does not drift."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.codec import Codec, Token
from core.events import Event, Events

OURS = Codec.log_spaced()
GAPS_S = np.array([0.0, 0.5, 0.1, 2.1, 0.3, 0.0])  # shortest 0.1, longest 2.1: intervals of 0.2
BOOK = Codec.uniform(GAPS_S)

deltas = st.floats(min_value=0, max_value=20)
events = st.builds(Event, deltas, st.integers(0, 127), st.integers(0, 127))


@given(events)
def test_pitch_and_velocity_come_back_and_delta_stays_in_its_bin(event: Event) -> None:
    token = OURS.encode(event)
    decoded = OURS.decode(token)
    assert (decoded.pitch, decoded.velocity) == (event.pitch, event.velocity)
    assert OURS.encode(decoded) == token


@given(st.integers(0, 127), st.integers(0, 127), st.integers(0, 63))
def test_every_token_decodes_and_encodes_to_itself(note: int, velocity: int, bin_: int) -> None:
    token = Token(note, velocity, bin_)
    assert OURS.encode(OURS.decode(token)) == token


@given(st.lists(events, max_size=50))
def test_many_at_once_are_encoded_as_one_by_one(stream: list[Event]) -> None:
    together = OURS.encode_all(Events.of(stream))
    assert [Token(*row) for row in together.tolist()] == [OURS.encode(e) for e in stream]
    assert list(OURS.decode_all(together)) == [OURS.decode(OURS.encode(e)) for e in stream]


def test_notes_struck_together_stay_together() -> None:
    assert OURS.decode(OURS.encode(Event(0.0004, 60, 90))).delta_s == 0.0


def test_a_fitted_codec_keeps_the_length_of_a_long_piece() -> None:
    rng = np.random.default_rng(1)
    deltas_s = rng.choice([0.0, 0.0, 0.125, 0.25, 0.5], 20_000) + rng.gamma(2.0, 0.004, 20_000)
    piece = Events(deltas_s, np.full(20_000, 60, np.uint8), np.full(20_000, 64, np.uint8))
    codec = OURS.fitted(deltas_s)
    length_s = codec.decode_all(codec.encode_all(piece)).duration_s
    assert length_s == pytest.approx(piece.duration_s, rel=0.001)


def test_pitches_outside_a_narrow_codec_are_left_out_and_time_goes_on() -> None:
    stream = Events.of([Event(0.0, 60, 90), Event(0.3, 120, 90), Event(0.3, 64, 90)])
    decoded = list(BOOK.decode_all(BOOK.encode_all(stream)))
    assert [event.pitch for event in decoded] == [60, 64]
    assert decoded[1].delta_s == BOOK.decode(BOOK.encode(Event(0.6, 64, 90))).delta_s
    assert not BOOK.holds(120)
    with pytest.raises(ValueError, match="120"):
        BOOK.encode(Event(0.0, 120, 90))


@pytest.mark.parametrize(
    ("delta_s", "time_bin", "decoded_s"),
    [
        (0.0, 0, 0.0),
        (0.05, 0, 0.0),  # shorter than any gap of the file
        (0.1, 1, 0.3),
        (0.29, 1, 0.3),
        (0.31, 2, 0.5),
        (1.0, 5, 1.1),
        (2.09, 10, 2.1),
        (2.1, 11, 2.3),
        (9.0, 11, 2.3),
    ],
)
def test_the_textbooks_bins_are_uniform_and_decode_to_their_upper_edge(
    delta_s: float, time_bin: int, decoded_s: float
) -> None:
    event = Event(delta_s, 24, 1)
    assert BOOK.encode(event) == Token(0, 1, time_bin)
    assert BOOK.decode(BOOK.encode(event)).delta_s == pytest.approx(decoded_s)


def test_the_textbooks_bins_are_those_of_its_formula() -> None:
    deltas_s = np.random.default_rng(2).exponential(0.3, 5000)
    shortest_s, interval_s = deltas_s.min(), (deltas_s.max() - deltas_s.min()) / 10
    codec = Codec.uniform(deltas_s)
    for delta_s in deltas_s[deltas_s < deltas_s.max()]:
        by_formula = int((delta_s - shortest_s) / interval_s + 1)
        assert codec.encode(Event(delta_s, 60, 90)).time_bin == by_formula


@pytest.mark.parametrize("gaps_s", [[], [0.0, 0.0], [0.0, 0.5, 0.5]])
def test_uniform_bins_need_gaps_that_differ(gaps_s: list[float]) -> None:
    with pytest.raises(ValueError, match="two gaps of different length"):
        Codec.uniform(np.array(gaps_s))


@pytest.mark.parametrize("codec", [OURS, BOOK])
def test_a_codec_survives_json(codec: Codec) -> None:
    assert Codec.from_json(json.loads(json.dumps(codec.to_json()))) == codec


@pytest.mark.parametrize(
    "wrong",
    [
        {"notes": 0},
        {"lowest_pitch": 100},
        {"edges_s": [0.0]},
        {"edges_s": [0.0, 2.0, 1.0], "values_s": [0.0, 2.0, 1.0]},
        {"values_s": [float("nan")] * 64},
        {"values_s": [0.5] * 64},
        {"values_s": [-1.0, *range(1, 64)]},
        {"edges_s": None},
        {"notes": "many"},
    ],
)
def test_a_codec_that_contradicts_itself_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # each contradiction has words of its own
        Codec.from_json(OURS.to_json() | wrong)
