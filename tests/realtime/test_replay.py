"""A take played again is the same file, whatever was played, turned and interrupted meanwhile."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any

import mido
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import checkpoint, midi_file
from core.codec import Codec
from core.errors import ComposerError, MidiFileError
from realtime import composer
from realtime.clock import NS_PER_MS, NS_PER_S
from realtime.course import Course
from realtime.replay import replay
from realtime.settings import GRIDS, Settings
from realtime.song import Song
from realtime.take import Take
from realtime.wire import (
    CONTINUE,
    START,
    STOP,
    TICK,
    Kind,
    Pieces,
    Record,
    control_change,
    is_note,
    note_off,
    note_on,
    pieces,
)

MakeCheckpoint = Callable[..., checkpoint.Checkpoint]
START_NS = 7 * NS_PER_S

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


class Session:
    """Composers on a machine that is now and then busy, and a daemon that records.

    Args:
        path: of the recording.
        parts: the orders of each; all hear each other.
        data: draws how busy the machine is.
    """

    def __init__(self, path: Path, parts: dict[str, dict[str, Any]], data: Any) -> None:
        self.now_ns = START_NS
        self.said: list[str] = []  # by composers
        self._data = data
        self._song = Song()
        self._words = Pieces()
        self._leaving: list[tuple[int, str, bytes]] = []
        self._take = Take(path, [*parts], human=True, max_note_ns=30 * NS_PER_S)
        self._courses = {name: self._begun(name, orders) for name, orders in parts.items()}
        for name, course in self._courses.items():
            self._wrote(name, course.begin(START_NS))

    def _begun(self, name: str, orders: dict[str, Any]) -> Course:
        self._take.began(name, orders, {"model": orders["model"], "start_ns": START_NS})
        return Course(
            composer.performer(orders, lambda: START_NS),
            Path(orders["model"]),
            sync=orders.get("sync", False),
            send=self._said,
            tell=lambda call: self._take.did(name, call),
        )

    def _said(self, record: Record) -> None:
        if (said := self._words.join(record)) is not None:
            self.said.append(said["say"])

    def _wrote(self, name: str, records: Iterable[Record]) -> None:
        for record in records:
            self._take.wrote(name, record)
            if record.kind is Kind.PLAY and is_note(record.message):
                self._leaving.append((record.due_ns, name, record.message))

    def plays_until(self, at_ns: int) -> None:
        """The composers write; each hears what has left of the others."""
        while (wake_ns := self._wake_ns()) < at_ns:
            self.now_ns = max(self.now_ns, wake_ns) + self._data.draw(BUSY_NS)
            for name, course in self._courses.items():
                self._wrote(name, course.plan(self.now_ns, lambda: self._data.draw(st.booleans())))
                course.go_on()
            self._overhear()
            if self._data.draw(st.booleans()):
                self._take.save(self.now_ns)
        self.now_ns = max(self.now_ns, at_ns)

    def _wake_ns(self) -> int:
        wakes = [course.wake_ns(self.now_ns) for course in self._courses.values()]
        return min([*wakes, *(due_ns for due_ns, *_ in self._leaving)])

    def _overhear(self) -> None:
        left = [entry for entry in sorted(self._leaving) if entry[0] <= self.now_ns]
        self._leaving = [entry for entry in self._leaving if entry[0] > self.now_ns]
        for at_ns, sender, message in left:
            for name, course in self._courses.items():
                if name != sender:
                    heard = Record(Kind.HEARD, message, at_ns=at_ns)
                    self._wrote(name, course.take_in(heard, self.now_ns))

    def comes(self, record: Record) -> None:
        """From the daemon to all composers, who may be late to hear of it."""
        if record.kind is Kind.HEARD:
            self._take.human(record.at_ns, record.message)
        for name, course in self._courses.items():
            self._wrote(name, course.take_in(record, self.now_ns))
        if record.kind is Kind.CLOCK:
            self._song.heard(record)
            if tempo := self._song.to_write_down():
                self._take.tempo(*tempo)

    def close(self) -> None:
        self._take.close(self.now_ns)


def perform(
    path: Path, orders: dict[str, Any], drama: list[tuple[int, list[Record]]], data: Any
) -> None:
    """One part, to which all this happens, each so long after the last."""
    with closing(Session(path, {"bass": orders}, data)) as session:
        for wait_ns, records in [*drama, (NS_PER_S, [])]:
            at_ns = session.now_ns + wait_ns
            session.plays_until(at_ns)
            for record in records:
                # An order is in pieces, counted where others have a moment.
                session.comes(record if record.kind is Kind.ORDER else record._replace(at_ns=at_ns))


def same_again(tmp_path: Path) -> bool:
    """Whether the take, played again, is the same file."""
    replay(tmp_path / "take.mid.take", tmp_path / "again.mid")
    return (tmp_path / "again.mid").read_bytes() == (tmp_path / "take.mid").read_bytes()


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drama=DRAMA, data=st.data())
def test_a_take_played_again_is_the_same_file(
    orders: dict[str, Any], tmp_path: Path, drama: list[tuple[int, list[Record]]], data: Any
) -> None:
    perform(tmp_path / "take.mid", orders, drama, data)
    assert same_again(tmp_path)


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
    assert same_again(tmp_path)
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


class Busy:
    """One that is, for longer than hypothesis likes to draw."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def draw(self, what: st.SearchStrategy[Any]) -> Any:
        if what is BUSY_NS:
            return self._random.randrange(80 * NS_PER_MS)
        return self._random.random() < 0.5


@pytest.fixture
def other(make_checkpoint: MakeCheckpoint, tmp_path: Path) -> Path:
    """Another model, that plays in other times too."""
    model = tmp_path / "other.safetensors"
    checkpoint.save(model, make_checkpoint(1, Codec(edges_s=(0.0, 0.1), values_s=(0.05, 0.3))))
    return model


def swap(session: Session, model: Path) -> None:
    """Until it has taken over, or could not."""
    session.said.clear()
    for record in pieces(Kind.ORDER, {"model": str(model)}):
        session.comes(record)
    while not session.said:
        session.plays_until(session.now_ns + NS_PER_S)


def test_a_take_in_which_another_model_takes_over_is_the_same_again(
    orders: dict[str, Any], other: Path, tmp_path: Path
) -> None:
    with closing(Session(tmp_path / "take.mid", {"bass": orders}, Busy(1))) as session:
        session.plays_until(START_NS + 20 * NS_PER_S)
        swap(session, other)
        session.plays_until(session.now_ns + 20 * NS_PER_S)
    assert session.said == [f"{other} plays now"]
    assert same_again(tmp_path)


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    bpm=st.lists(st.integers(40, 240), min_size=1, max_size=4),
    grid=st.sampled_from(GRIDS),
    stops=st.booleans(),
    seed=st.integers(0, 99),
)
def test_a_take_that_followed_a_clock_is_the_same_again(
    orders: dict[str, Any], tmp_path: Path, bpm: list[int], grid: str, stops: bool, seed: int
) -> None:
    orders = orders | {"sync": True, "settings": asdict(Settings(grid=grid))}
    with closing(Session(tmp_path / "take.mid", {"bass": orders}, Busy(seed))) as session:
        at_ns, number = session.now_ns, 0
        session.comes(Record(Kind.CLOCK, START, at_ns=at_ns))
        for tempo in bpm:
            for _ in range(4 * 24):  # ticks of four beats
                session.comes(Record(Kind.CLOCK, TICK, at_ns=at_ns, epoch=number))
                at_ns, number = at_ns + 60 * NS_PER_S // 24 // tempo, number + 1
                session.plays_until(at_ns)
            if stops:
                session.comes(Record(Kind.CLOCK, STOP, at_ns=at_ns))
                at_ns += NS_PER_S
                session.plays_until(at_ns)
                session.comes(Record(Kind.CLOCK, CONTINUE, at_ns=at_ns))
    assert same_again(tmp_path)


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 99))
def test_a_take_of_two_parts_that_hear_each_other_is_the_same_again(
    orders: dict[str, Any], tmp_path: Path, seed: int
) -> None:
    parts = {"bass": orders, "lead": orders | {"rng": 2, "channel": 3, "program": None}}
    with closing(Session(tmp_path / "take.mid", parts, Busy(seed))) as session:
        session.plays_until(START_NS + 5 * NS_PER_S)
        session.comes(Record(Kind.HEARD, note_on(0, 60, 90), at_ns=session.now_ns))
        session.plays_until(START_NS + 20 * NS_PER_S)
    assert same_again(tmp_path)
    notes = {track.name: len(track) for track in mido.MidiFile(tmp_path / "again.mid").tracks}
    assert min(notes["bass"], notes["lead"]) > 5  # with name and end


@pytest.fixture
def eventful(orders: dict[str, Any], other: Path, tmp_path: Path) -> Path:
    """A take that came of three files, and of one that was not there."""
    seed = tmp_path / "seed.mid"
    midi_file.write(seed, [(0, note_on(0, 60, 90)), (NS_PER_S, note_off(0, 60))])
    parts = {"bass": orders | {"seed_file": str(seed)}}
    with closing(Session(tmp_path / "take.mid", parts, Undisturbed())) as session:
        swap(session, other)
        swap(session, tmp_path / "gone.safetensors")
    return tmp_path / "take.mid.take"


def test_files_that_are_as_they_were_are_played_again(eventful: Path) -> None:
    assert same_again(eventful.parent)


@pytest.mark.parametrize("name", ["seed.mid", "other.safetensors"])
def test_a_file_that_is_another_one_than_then_is_told(eventful: Path, name: str) -> None:
    file = eventful.with_name(name)
    file.write_bytes(file.read_bytes() + b"more")
    with pytest.raises(ComposerError, match=f"take.mid.take came of {file}, which is another one"):
        replay(eventful, eventful.with_name("again.mid"))
    file.unlink()
    with pytest.raises(ComposerError, match=f"{file}, which is not there any longer; put it back"):
        replay(eventful, eventful.with_name("again.mid"))
    assert not eventful.with_name("again.mid").exists()


def test_a_model_that_could_not_take_over_as_it_was_not_there_still_cannot(
    eventful: Path, other: Path
) -> None:
    other.rename(other.with_name("gone.safetensors"))
    other.write_bytes(other.with_name("gone.safetensors").read_bytes())
    with pytest.raises(ComposerError, match=r"gone\.safetensors, which was not there then"):
        replay(eventful, eventful.with_name("again.mid"))


def test_another_model_than_then_is_told(orders: dict[str, Any], tmp_path: Path) -> None:
    perform(tmp_path / "take.mid", orders, [], Undisturbed())
    take = tmp_path / "take.mid.take"
    take.write_text(take.read_text().replace('random.safetensors": "', 'random.safetensors": "0'))
    with pytest.raises(ComposerError, match=r"random\.safetensors, which is another one than then"):
        replay(take, tmp_path / "again.mid")


@pytest.mark.parametrize("content", ["", "MThd", '{"a": 1}\n', "[1]\n", "{}\n"])
def test_what_is_no_take_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / "some.take").write_text(content)
    with pytest.raises(MidiFileError, match=r"cannot read .*some\.take: it is no take"):
        replay(tmp_path / "some.take", tmp_path / "again.mid")
    assert not (tmp_path / "again.mid").exists()


@pytest.mark.parametrize(
    "line",
    [
        "[1]",
        '{"part": "composer", "files": 3}',
        '{"part": "composer", "files": {"x": 5}, "orders": {}}',
        '{"part": "composer", "orders": {}, "start_ns": 0}',
        '{"human": "no hexadecimal", "at_ns": 0}',
        '{"human": "903c40"}',
        '{"tempo_us": "fast", "at_ns": 0}',
    ],
)
def test_a_take_that_is_damaged_is_told(tmp_path: Path, line: str) -> None:
    take = tmp_path / "some.take"
    begin = '{"take": 1, "tracks": ["human", "composer"], "max_note_ns": 30000000000}'
    take.write_text(f"{begin}\n{line}\n")
    with pytest.raises(ComposerError, match=r"some\.take"):
        replay(take, tmp_path / "again.mid")
    gc.collect()  # and no file was left open: that is a warning, which fails a test


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(MidiFileError, match=r"cannot read .*no\.take: No such file"):
        replay(tmp_path / "no.take", tmp_path / "again.mid")
