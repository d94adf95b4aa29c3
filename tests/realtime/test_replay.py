"""A take played again is the same file, whatever was played, turned and interrupted meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import checkpoint, midi_file
from core.errors import ComposerError, MidiFileError
from realtime import composer
from realtime.clock import NS_PER_MS, NS_PER_S
from realtime.course import Course
from realtime.replay import replay
from realtime.settings import Settings
from realtime.take import Take
from realtime.wire import Kind, Record, control_change, note_off, note_on, pieces

MakeCheckpoint = Callable[..., checkpoint.Checkpoint]

MESSAGES = st.one_of(
    st.builds(note_on, st.just(0), st.integers(55, 65), st.integers(1, 127)),
    st.builds(note_off, st.just(0), st.integers(55, 65)),
    st.builds(control_change, st.just(0), st.sampled_from((64, 123)), st.sampled_from((0, 127))),
)
ORDERS = st.one_of(
    st.builds(lambda mode: {"settings": {"mode": mode}}, st.sampled_from(("free", "duet"))),
    st.builds(lambda times: {"settings": {"temperature": times}}, st.floats(0.5, 2)),
    st.builds(lambda times: {"settings": {"tempo_scale": times}}, st.floats(0.5, 2)),
    st.just({"settings": {"mode": "respond", "patience_s": 0.2}}),
    st.just({"surprise": True}),
)
INPUTS = st.one_of(
    MESSAGES.map(lambda message: [Record(Kind.HEARD, message)]),
    ORDERS.map(lambda order: pieces(Kind.ORDER, order)),
    st.sampled_from([[Record(Kind.DEAF)], [Record(Kind.PAUSE)], [Record(Kind.RESUME)]]),
)
DRAMA = st.lists(st.tuples(st.integers(0, 2 * NS_PER_S), INPUTS), max_size=12)
BUSY_NS = st.integers(0, 80 * NS_PER_MS)


@pytest.fixture(scope="module")
def orders(
    make_checkpoint: MakeCheckpoint, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    model = tmp_path_factory.mktemp("models") / "random.safetensors"
    checkpoint.save(model, make_checkpoint(0))
    return {
        "model": str(model),
        "seed_file": None,
        "seed_events": -128,
        "settings": asdict(Settings(mode="free")),
        "rng": 1,
        "channel": 2,
        "program": 5,
    }


def perform(
    path: Path, orders: dict[str, Any], drama: list[tuple[int, list[Record]]], data: Any
) -> None:
    """A composer on a machine that is now and then busy, and a daemon that records."""
    start_ns = 7 * NS_PER_S
    take = Take(path, ["bass"], human=True, max_note_ns=30 * NS_PER_S)
    take.began("bass", orders, {"model": orders["model"], "start_ns": start_ns})
    course = Course(
        composer.performer(orders, lambda: start_ns),
        Path(orders["model"]),
        sync=False,
        send=lambda _: None,
        tell=lambda call: take.did("bass", call),
    )
    now_ns = start_ns
    try:
        for record in course.begin(start_ns):
            take.wrote("bass", record)
        for wait_ns, records in [*drama, (NS_PER_S, [])]:
            at_ns = now_ns + wait_ns
            while (wake_ns := course.wake_ns(now_ns)) < at_ns:
                now_ns = max(now_ns, wake_ns) + data.draw(BUSY_NS)
                for record in course.plan(now_ns, lambda: data.draw(st.booleans())):
                    take.wrote("bass", record)
                if data.draw(st.booleans()):
                    take.save(now_ns)
            now_ns = max(now_ns, at_ns)
            for record in records:
                if record.kind is Kind.HEARD:
                    take.human(at_ns, record.message)
                if record.kind is not Kind.ORDER:
                    record = record._replace(at_ns=at_ns)
                for answer in course.take_in(record, now_ns):
                    take.wrote("bass", answer)
    finally:
        take.close(now_ns)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drama=DRAMA, data=st.data())
def test_a_take_played_again_is_the_same_file(
    orders: dict[str, Any], tmp_path: Path, drama: list[tuple[int, list[Record]]], data: Any
) -> None:
    perform(tmp_path / "take.mid", orders, drama, data)
    replay(tmp_path / "take.mid.take", tmp_path / "again.mid")
    assert (tmp_path / "again.mid").read_bytes() == (tmp_path / "take.mid").read_bytes()


def test_a_composer_that_died_is_replayed_as_far_as_it_came(
    orders: dict[str, Any], tmp_path: Path
) -> None:
    take = Take(tmp_path / "take.mid", ["bass"], human=False, max_note_ns=30 * NS_PER_S)

    def play(start_ns: int, epoch: int, unheard: int) -> None:
        """A minute, of which the last records came to nobody."""
        mine = orders | {"epoch": epoch}
        take.began("bass", mine, {"model": orders["model"], "start_ns": start_ns})
        course = Course(
            composer.performer(mine, lambda: start_ns),
            Path(orders["model"]),
            sync=False,
            send=lambda _: None,
            tell=lambda call: take.did("bass", call),
        )
        now_ns = start_ns
        records = []
        while now_ns < start_ns + 60 * NS_PER_S:
            records += course.plan(now_ns, lambda: False)
            now_ns = course.wake_ns(now_ns)
        for record in records[: len(records) - unheard]:
            take.wrote("bass", record)

    play(NS_PER_S, 0, unheard=4)
    take.died("bass", 2, 1, 61 * NS_PER_S)
    play(62 * NS_PER_S, 1, unheard=1)
    take.close(122 * NS_PER_S)
    replay(tmp_path / "take.mid.take", tmp_path / "again.mid")
    assert (tmp_path / "again.mid").read_bytes() == (tmp_path / "take.mid").read_bytes()
    assert len(midi_file.read(tmp_path / "again.mid")) > 10


def test_a_take_that_was_killed_is_replayed_to_its_last_whole_line(
    orders: dict[str, Any], tmp_path: Path
) -> None:
    take = tmp_path / "take.mid.take"
    perform(tmp_path / "take.mid", orders, [(60 * NS_PER_S, [])], Undisturbed())
    replay(take, tmp_path / "whole.mid")
    whole = take.read_text()
    take.write_text(whole[: whole.rindex('"plan"') + 3])
    replay(take, tmp_path / "part.mid")
    onsets = [
        [
            (event.pitch, event.velocity)
            for event in midi_file.read(tmp_path / name)
            if event.velocity
        ]
        for name in ("whole.mid", "part.mid")
    ]
    assert 0 < len(onsets[1]) <= len(onsets[0])
    assert onsets[0][: len(onsets[1])] == onsets[1]


class Undisturbed:
    """A machine that is never busy."""

    def draw(self, what: st.SearchStrategy[Any]) -> Any:
        return 0 if what is BUSY_NS else False


def test_another_model_than_then_is_told(orders: dict[str, Any], tmp_path: Path) -> None:
    perform(tmp_path / "take.mid", orders, [], Undisturbed())
    take = tmp_path / "take.mid.take"
    take.write_text(take.read_text().replace('"sha256": "', '"sha256": "0'))
    with pytest.raises(ComposerError, match=r"random\.safetensors, is another one than then"):
        replay(take, tmp_path / "again.mid")


@pytest.mark.parametrize("content", ["", "MThd", '{"a": 1}\n', "[1]\n", "{}\n"])
def test_what_is_no_take_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / "some.take").write_text(content)
    with pytest.raises(MidiFileError, match=r"cannot read .*some\.take: it is no take"):
        replay(tmp_path / "some.take", tmp_path / "again.mid")
    assert not (tmp_path / "again.mid").exists()


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(MidiFileError, match=r"cannot read .*no\.take: No such file"):
        replay(tmp_path / "no.take", tmp_path / "again.mid")
