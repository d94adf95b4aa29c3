"""The composer as a process: orders in, records out, until its stdin closes."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import islice, takewhile
from pathlib import Path
from typing import Any

import pytest

from core import checkpoint, midi_file
from core.codec import Codec
from realtime import wire
from realtime.clock import RealClock
from realtime.composer import performer
from realtime.wire import Kind, Record, is_onset, note_off, note_on

# Quick, so that twenty events take a moment.
QUICK = Codec(edges_s=(0.0, 0.001, 0.02), values_s=(0.0, 0.01, 0.03))

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def orders(make_checkpoint: Callable[..., checkpoint.Checkpoint], tmp_path: Path) -> dict[str, Any]:
    checkpoint.save(tmp_path / "random.safetensors", make_checkpoint(0, QUICK))
    return {
        "model": str(tmp_path / "random.safetensors"),
        "seed_file": None,
        "seed_events": -128,
        "settings": {"top_p": 0.98},
        "rng": 1,
        "channel": 2,
        "program": None,
    }


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a composer with orders."""
    started: list[subprocess.Popen[bytes]] = []

    def start(orders: dict[str, Any]) -> subprocess.Popen[bytes]:
        composer = subprocess.Popen(
            [sys.executable, "-m", "realtime.composer"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        started.append(composer)
        wire.greet(composer.stdin, orders)
        return composer

    yield start
    for composer in started:
        composer.kill()
        composer.communicate()


def ended(composer: subprocess.Popen[bytes]) -> int:
    """Its exit status, after its stdin was closed."""
    composer.communicate(timeout=30)
    return composer.returncode


def heard(composer: subprocess.Popen[bytes], message: bytes) -> int:
    """Tell it that the human did this just now; when that was."""
    at_ns = RealClock().now_ns()
    composer.stdin.write(wire.pack(Record(Kind.HEARD, message, at_ns=at_ns)))
    return at_ns


def test_it_greets_plays_and_goes_when_the_daemon_goes(
    start: Start, orders: dict[str, Any]
) -> None:
    before_ns = RealClock().now_ns()
    composer = start(orders)
    assert wire.greeting(composer.stdout)["model"] == orders["model"]
    records = list(islice(wire.records(composer.stdout), 20))
    assert {record.kind for record in records} == {Kind.PLAY}
    assert {record.message[0] & 0x0F for record in records} == {2}
    assert before_ns < records[0].due_ns <= records[-1].due_ns
    assert ended(composer) == 0


def test_it_plays_what_the_same_performer_plays_anywhere(
    start: Start, orders: dict[str, Any]
) -> None:
    composer = start(orders)
    wire.greeting(composer.stdout)
    played = [record.message for record in islice(wire.records(composer.stdout), 20)]
    alone = performer(orders, lambda: 0)
    expected: list[bytes] = []
    while len(expected) < 20:
        expected += [record.message for record in alone.plan(alone.wake_ns or 0)]
    assert played == expected[:20]


def test_it_listens_while_the_human_plays_and_answers(start: Start, orders: dict[str, Any]) -> None:
    composer = start(orders)
    wire.greeting(composer.stdout)
    records = wire.records(composer.stdout)
    assert next(records).epoch == 0
    heard(composer, note_on(0, 60, 80))
    before = list(takewhile(lambda record: record.kind is Kind.PLAY, records))
    assert {record.epoch for record in before} <= {0}
    up_ns = heard(composer, note_off(0, 60))
    answer = next(records)
    assert answer.epoch == 1
    assert is_onset(answer.message)
    assert answer.due_ns >= up_ns


def test_an_unplugged_keyboard_lets_go_of_its_keys(start: Start, orders: dict[str, Any]) -> None:
    composer = start(orders)
    wire.greeting(composer.stdout)
    heard(composer, note_on(0, 60, 80))
    records = wire.records(composer.stdout)
    list(takewhile(lambda record: record.kind is Kind.PLAY, records))
    composer.stdin.write(wire.pack(Record(Kind.DEAF)))
    assert next(records).kind is Kind.PLAY


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
def test_signals_to_the_whole_group_are_the_daemons_business(
    start: Start, orders: dict[str, Any], number: signal.Signals
) -> None:
    composer = start(orders)
    wire.greeting(composer.stdout)
    composer.send_signal(number)
    assert len(list(islice(wire.records(composer.stdout), 20))) == 20
    assert ended(composer) == 0


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"model": "nothing.safetensors"}, "no checkpoint at nothing.safetensors"),
        ({"seed_file": "nothing.mid"}, "nothing.mid"),
        ({"settings": {"temperature": 7.0}}, "temperature must be within 0.01..5, not 7"),
        ({"settings": {"tempo_scale": 0.0}}, "tempo_scale must be within 0.1..10, not 0"),
    ],
)
def test_what_the_musician_can_mend_is_one_line(
    start: Start, orders: dict[str, Any], wrong: dict[str, Any], line: str
) -> None:
    composer = start(orders | wrong)
    error = wire.greeting(composer.stdout)["error"]
    assert line in error
    assert "\n" not in error
    assert composer.wait(30) == 1


def test_it_goes_on_from_the_first_or_last_events_of_a_file(
    orders: dict[str, Any], tmp_path: Path
) -> None:
    def scale(*pitches: int) -> Path:
        """A note a second, two events each."""
        path = tmp_path / f"{pitches}.mid"
        notes = [
            (index * 10**9 + after_ns, message)
            for index, pitch in enumerate(pitches)
            for after_ns, message in ((0, note_on(0, pitch, 80)), (10**7, note_off(0, pitch)))
        ]
        midi_file.write(path, notes)
        return path

    def future(seed_file: Path | None, seed_events: int) -> list[bytes]:
        seed = {"seed_file": seed_file and str(seed_file), "seed_events": seed_events}
        alone = performer(orders | seed, lambda: 0)
        return [record.message for _ in range(20) for record in alone.plan(alone.wake_ns or 0)]

    whole = future(scale(60, 62, 64), 99)
    assert whole == future(scale(60, 62, 64), -99) != future(None, 0)
    assert future(scale(60, 62, 64), 4) == future(scale(60, 62), 99) != whole
    assert future(scale(60, 62, 64), -2) == future(scale(62, 64), -2) != whole
    assert future(scale(60, 62, 64), 0) == future(None, 0)


def test_one_that_takes_over_has_heard_what_sounded(orders: dict[str, Any], tmp_path: Path) -> None:
    past = [
        (1_000_000_000, note_on(0, 60, 80)),
        (1_250_000_000, note_off(0, 60)),
        (1_250_000_000, note_on(0, 64, 81)),
        (1_750_000_000, note_off(0, 64)),
    ]
    file = tmp_path / "past.mid"
    midi_file.write(file, past)
    taking_over = orders | {"past": [(at_ns, message.hex()) for at_ns, message in past]}
    first, second, fresh = (
        list(islice(performer(some, lambda: 0).plan(10_000_000_000), 30))
        for some in (taking_over, orders | {"seed_file": str(file)}, orders)
    )
    assert first == second != fresh


def test_one_that_takes_over_in_a_song_has_heard_it_in_its_tempo(orders: dict[str, Any]) -> None:
    def plays(second_ns: int, bpm: float | None) -> list[Record]:
        sounded = (note_on(0, 60, 80), note_off(0, 60), note_on(0, 64, 81), note_off(0, 64))
        past = [(n * second_ns // 50, message.hex()) for n, message in enumerate(sounded)]
        taking_over = performer(orders | {"past": past, "bpm": bpm}, lambda: 0)
        return list(islice(taking_over.plan(10_000_000_000), 30))

    assert plays(600_000_000, None) == plays(1_200_000_000, 60) != plays(1_200_000_000, None)


def test_an_order_turns_what_comes_next(orders: dict[str, Any], start: Start) -> None:
    wildly = {"settings": {"top_p": 1.0, "temperature": 1.5}}
    composer, wild = start(orders | wildly), start(orders | wildly)
    wire.greeting(composer.stdout)
    wire.greeting(wild.stdout)
    for record in wire.pieces(Kind.ORDER, {"settings": {"top_p": 0.5, "temperature": 0.5}}):
        composer.stdin.write(wire.pack(record))
    played, wildly_played = (
        list(islice(wire.records(each.stdout), 300))[100:] for each in (composer, wild)
    )
    assert {record.epoch for record in played} == {0}
    assert len({record.message for record in played}) < len({r.message for r in wildly_played})


def test_another_model_takes_over_between_two_events(
    start: Start,
    orders: dict[str, Any],
    make_checkpoint: Callable[..., checkpoint.Checkpoint],
    tmp_path: Path,
) -> None:
    other, broken = tmp_path / "other.safetensors", tmp_path / "broken.safetensors"
    checkpoint.save(other, make_checkpoint(1, QUICK, hidden_size=24))
    broken.write_bytes(b"noise")
    composer = start(orders)
    wire.greeting(composer.stdout)
    words, played = wire.Pieces(), []
    said: list[dict[str, str]] = []
    for path in (broken, other):
        for record in wire.pieces(Kind.ORDER, {"model": str(path)}):
            composer.stdin.write(wire.pack(record))
        for record in wire.records(composer.stdout):
            if record.kind is Kind.PLAY:
                played.append(record)
            elif (word := words.join(record)) is not None:
                said.append(word)
                break
    played += islice(wire.records(composer.stdout), 20)
    assert said[0]["say"].startswith(f"{broken} is not a checkpoint")
    assert said[0]["say"].endswith(f"; {orders['model']} plays on")
    assert said[1] == {"say": f"{other} plays now", "model": str(other)}
    assert {record.kind for record in played} == {Kind.PLAY}
    due_ns = [record.due_ns for record in played]
    assert due_ns == sorted(due_ns)
