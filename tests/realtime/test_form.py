"""A piece is a first part, the same once more, and what comes of it."""

import numpy as np

from core.codec import Token
from realtime.form import CROWD, PART_EVENTS, PIECE_EVENTS, Form


def some_tokens(count: int) -> list[Token]:
    return [Token(index % 128, 64, index % 64) for index in range(count)]


def test_the_first_part_comes_again_once_when_it_is_long_enough_and_calm() -> None:
    form = Form(np.random.default_rng(0))
    part = []
    for token in some_tokens(PART_EVENTS[1]):
        if form.part_ends(sounding=2):
            break
        form.keep(token)
        part.append(token)
    assert PART_EVENTS[0] <= len(part) < PART_EVENTS[1]
    assert not form.part_ends(sounding=9)  # not in the midst of a chord
    again = [form.play_again()]
    while (token := form.repeat()) is not None:
        again.append(token)
    assert again == part
    form.keep(part[0])
    assert not form.part_ends(sounding=0)


def test_a_piece_ends_where_it_is_long_and_calm_or_has_lost_its_way() -> None:
    form = Form(np.random.default_rng(0))
    assert not form.piece_ends(PIECE_EVENTS, sounding=0)
    assert form.piece_ends(PIECE_EVENTS + 1, sounding=2)
    assert not form.piece_ends(PIECE_EVENTS + 1, sounding=9)
    assert form.piece_ends(10, sounding=CROWD + 1)


def test_what_was_left_does_not_come_again() -> None:
    form = Form(np.random.default_rng(0))
    for token in some_tokens(PART_EVENTS[1]):
        form.keep(token)
    form.leave()
    assert not form.part_ends(sounding=0)
    assert form.repeat() is None
