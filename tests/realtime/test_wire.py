from __future__ import annotations

import io
import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime import wire
from realtime.clock import RealClock
from realtime.wire import Inbox, Kind, Outbox, Pieces, Record

moments_ns = st.integers(-(2**63), 2**63 - 1)
any_record = st.builds(
    Record,
    kind=st.sampled_from(Kind),
    message=st.binary(max_size=wire.PIECE_SIZE),
    due_ns=moments_ns,
    at_ns=moments_ns,
    epoch=st.integers(0, 2**32 - 1),
)


@given(any_record)
def test_a_record_survives_the_pipe(record: Record) -> None:
    assert wire.unpack(wire.pack(record)) == record


@given(st.lists(any_record), st.binary(max_size=wire.RECORD_SIZE - 1))
def test_half_a_record_at_the_end_is_dropped(records: list[Record], half: bytes) -> None:
    stream = io.BytesIO(b"".join(map(wire.pack, records)) + half)
    assert list(wire.records(stream)) == records


def test_a_greeting_survives_the_pipe() -> None:
    stream = io.BytesIO()
    wire.greet(stream, {"port": "Flügel", "virtual": True})
    stream.seek(0)
    assert wire.greeting(stream) == {"port": "Flügel", "virtual": True}


@pytest.mark.parametrize("line", [b"", b'{"port": "Flu'])
def test_a_side_that_goes_without_a_greeting_is_an_eof(line: bytes) -> None:
    with pytest.raises(EOFError, match="without a greeting"):
        wire.greeting(io.BytesIO(line))


any_fields = st.dictionaries(st.text(), st.text() | st.floats(allow_nan=False) | st.none())


@given(st.lists(any_fields))
def test_orders_survive_being_cut_into_pieces(orders: list[dict[str, Any]]) -> None:
    joined = Pieces()
    sent = [record for fields in orders for record in wire.pieces(Kind.ORDER, fields)]
    assert [fields for record in sent if (fields := joined.join(record)) is not None] == orders


@given(st.lists(any_fields, min_size=2, max_size=5), st.data())
def test_an_order_that_loses_a_piece_is_lost_alone(
    orders: list[dict[str, Any]], data: st.DataObject
) -> None:
    broken = data.draw(st.integers(0, len(orders) - 1))
    joined, arrived = Pieces(), []
    for index, fields in enumerate(orders):
        sent = wire.pieces(Kind.ORDER, fields)
        if index == broken:
            del sent[data.draw(st.integers(0, len(sent) - 1))]
        arrived += [whole for record in sent if (whole := joined.join(record)) is not None]
    del orders[broken]
    assert arrived == orders


def test_an_order_without_its_end_does_not_spoil_the_next() -> None:
    joined = Pieces()
    for record in wire.pieces(Kind.ORDER, {"model": "x" * wire.PIECE_SIZE})[:-1]:
        assert joined.join(record) is None
    [only] = wire.pieces(Kind.ORDER, {"surprise": True})
    assert joined.join(only) == {"surprise": True}


def test_a_note_on_with_velocity_0_is_a_release() -> None:
    assert wire.is_release(wire.note_on(3, 60, 0))
    assert wire.is_release(wire.note_off(3, 60))
    assert not wire.is_release(wire.note_on(3, 60, 1))


def test_a_controller_is_neither_onset_nor_release() -> None:
    pedal = wire.control_change(3, 64, 127)
    assert not wire.is_note(pedal)
    assert not wire.is_onset(pedal)
    assert not wire.is_release(pedal)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)
    os.close(writing)


@given(records=st.lists(any_record, max_size=20), data=st.data())
def test_an_inbox_gets_every_record_however_the_pipe_cuts_them(
    records: list[Record], data: st.DataObject
) -> None:
    sent = b"".join(map(wire.pack, records))
    cuts = data.draw(st.lists(st.integers(0, len(sent)), max_size=5).map(sorted))
    reading, writing = os.pipe()
    inbox = Inbox(reading)
    got = []
    for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True):
        if start < end:
            os.write(writing, sent[start:end])
            got += inbox.read()
    os.close(writing)
    with pytest.raises(EOFError):
        inbox.read()
    os.close(reading)
    assert got == records


def test_an_inbox_that_hangs_up_reads_as_closed_and_keeps_the_clock_awake(
    pipe: tuple[int, int],
) -> None:
    inbox = Inbox(pipe[0])
    inbox.hang_up()
    for _ in range(2):
        assert RealClock(inbox).wait_until(0) is True
        with pytest.raises(EOFError):
            inbox.read()


def test_an_outbox_never_waits_and_counts_what_does_not_fit(pipe: tuple[int, int]) -> None:
    outbox = Outbox(pipe[1])
    for number in range(100_000):
        outbox.write(Record(Kind.HEARD, at_ns=number))
    first = os.read(pipe[0], wire.RECORD_SIZE)
    assert wire.unpack(first).at_ns == 0
    assert 0 < outbox.lost < 100_000


def test_an_outbox_outlives_its_reader() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    Outbox(writing).write(Record(Kind.HEARD))
    os.close(writing)
