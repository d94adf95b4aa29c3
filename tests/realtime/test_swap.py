"""A model that takes over knows the stream as if it had heard it from the start."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import checkpoint
from core.checkpoint import Checkpoint
from core.codec import Codec, Token
from core.errors import CheckpointError
from realtime.clock import NS_PER_MS
from realtime.engine import Engine
from realtime.pacing import Pacing
from realtime.plain import engine_for
from realtime.stream import PAST_EVENTS, Stream
from realtime.swap import AT_ONCE, Swap

MakeCheckpoint = Callable[..., Checkpoint]

EVERY_NS = 10 * NS_PER_MS
COARSE = Codec(edges_s=(0.0, 0.005, 0.1), values_s=(0.0, 0.02, 0.5))  # another model's times


class Playing:
    """A stream whose events come every 10 ms, and what stands of them."""

    def __init__(self, model: Checkpoint) -> None:
        self.engine = engine_for(model)
        self.codec = model.codec
        self.stream = Stream(self.engine, model.codec, Pacing(), 0)
        self.heard: list[tuple[Token, bool]] = []
        self.fixed = 0

    def play(self, note: int, *, begins: bool = False) -> None:
        at_ns = self.stream.last.at_ns + EVERY_NS
        velocity = 0 if note in self.stream.last.struck_ns else 80
        token = self.stream.token(at_ns, note, velocity)
        if begins:
            self.engine.reset()
        self.stream.hear(at_ns, token, begins=begins)
        self.heard.append((token, begins))

    def sound(self, events: int) -> None:
        """All but so many have sounded."""
        self.fixed = max(self.fixed, len(self.heard) - events)
        self.stream.sounded(self.fixed * EVERY_NS)

    def undo(self, events: int) -> None:
        """So many, if they can be."""
        left = max(self.fixed, len(self.heard) - events)
        self.stream.undo(left * EVERY_NS)
        del self.heard[left:]

    def go_on(self, swap: Swap) -> bool:
        """Whether the other model plays now."""
        arrived = swap.go_on()
        if arrived:
            self.stream.adopt(*arrived)
        return arrived is not None

    def heard_by(self, model: Checkpoint) -> Engine:
        """An engine that has heard what stands, from the start."""
        engine = engine_for(model)
        for token, begins in self.heard:
            if begins:
                engine.reset()
            engine.step(model.codec.encode(self.codec.decode(token)))
        return engine


def swap_to(model: Checkpoint, playing: Playing, folder: Path) -> Swap:
    """Loaded, and not yet begun."""
    checkpoint.save(folder / "other.safetensors", model)
    swap = Swap(folder / "other.safetensors", playing.stream)
    swap.loaded(timeout_s=30)
    return swap


def same(stream: Stream, engine: Engine) -> None:
    np.testing.assert_array_equal(stream.last.state.state, engine.snapshot().state)
    assert stream.last.state.struck_s == engine.snapshot().struck_s


@pytest.fixture(scope="module")
def other(make_checkpoint: MakeCheckpoint, tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """As it is in its file, which rounds."""
    path = tmp_path_factory.mktemp("other") / "other.safetensors"
    checkpoint.save(path, make_checkpoint(2, COARSE, hidden_size=24))
    return checkpoint.load(path)


steps = st.one_of(
    st.tuples(st.just("play"), st.integers(0, 20)),
    st.tuples(st.just("begin"), st.integers(0, 20)),
    st.tuples(st.just("sound"), st.integers(0, 4)),
    st.tuples(st.just("undo"), st.integers(0, 4)),
    st.tuples(st.just("go on"), st.just(0)),
)


@given(before=st.lists(steps, max_size=60), during=st.lists(steps, max_size=30))
def test_it_knows_what_stands_whatever_is_played_and_undone_meanwhile(
    make_checkpoint: MakeCheckpoint,
    other: Checkpoint,
    tmp_path_factory: pytest.TempPathFactory,
    before: list[tuple[str, int]],
    during: list[tuple[str, int]],
) -> None:
    playing = Playing(make_checkpoint(1))
    swap: Swap | None = None
    swapped = False

    def do(what: str, number: int) -> bool:
        if what == "play" or (what == "begin" and playing.stream.last.struck_ns):
            playing.play(number)
        elif what == "begin":
            playing.play(number, begins=True)
        elif what == "sound":
            playing.sound(number)
        elif what == "undo":
            playing.undo(number)
        elif swap:
            return playing.go_on(swap)
        return False

    for step in before:
        do(*step)
    swap = swap_to(other, playing, tmp_path_factory.mktemp("swap"))
    for step in during:
        swapped = do(*step)
        if swapped:
            break
    while not swapped:
        swapped = playing.go_on(swap)
    same(playing.stream, playing.heard_by(other))
    playing.undo(3)
    same(playing.stream, playing.heard_by(other))


def test_it_hears_a_few_events_at_once_and_the_last_ones_only(
    make_checkpoint: MakeCheckpoint, other: Checkpoint, tmp_path: Path
) -> None:
    playing = Playing(make_checkpoint(1))
    for number in range(2 * PAST_EVENTS):
        playing.play(number // 2 % 50)
        playing.sound(0)
    swap = swap_to(other, playing, tmp_path)
    rounds = 1
    while not playing.go_on(swap):
        rounds += 1
    assert rounds == PAST_EVENTS // AT_ONCE
    del playing.heard[:-PAST_EVENTS]
    same(playing.stream, playing.heard_by(other))


def test_a_broken_file_leaves_the_stream_as_it_is(
    make_checkpoint: MakeCheckpoint, tmp_path: Path
) -> None:
    playing = Playing(make_checkpoint(1))
    playing.play(60)
    before = playing.stream.last
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"noise")
    swap = Swap(broken, playing.stream)
    swap.loaded(timeout_s=30)
    with pytest.raises(CheckpointError, match=r"broken\.safetensors is not a checkpoint"):
        swap.go_on()
    assert playing.stream.last is before


def test_a_model_of_other_pitches_cannot_take_over(
    make_checkpoint: MakeCheckpoint, tmp_path: Path
) -> None:
    playing = Playing(make_checkpoint(1))
    piano = Codec(lowest_pitch=21, notes=88, edges_s=COARSE.edges_s, values_s=COARSE.values_s)
    swap = swap_to(make_checkpoint(2, piano), playing, tmp_path)
    with pytest.raises(CheckpointError, match="has other pitches"):
        swap.go_on()
