"""The performer under the virtual clock, into a file."""

from collections.abc import Callable
from pathlib import Path

import mido
import numpy as np
import pytest

from core.checkpoint import Checkpoint
from core.errors import MidiFileError
from realtime.performer import Performer
from realtime.plain import engine_for
from realtime.render import LAST_NOTES_NS, render
from realtime.settings import Settings

MakePerformer = Callable[..., Performer]
TICK_S = 0.5 / 960


@pytest.fixture
def make_performer(make_checkpoint: Callable[..., Checkpoint]) -> MakePerformer:
    def make(rng: int = 0, *, plain: bool = False, **settings: float) -> Performer:
        checkpoint = make_checkpoint(plain=plain)
        random = np.random.default_rng(rng)
        return Performer(
            engine_for(checkpoint), checkpoint.codec, Settings(**settings), random, 0, program=7
        )

    return make


def messages(path: Path) -> list[tuple[float, mido.Message]]:
    """(seconds since the start, message) of a file, as another library reads it."""
    at_s = 0.0
    found = []
    for message in mido.MidiFile(path):
        at_s += message.time
        if not message.is_meta:
            found.append((at_s, message))
    return found


def test_the_same_performer_writes_the_same_bytes(
    make_performer: MakePerformer, tmp_path: Path
) -> None:
    def rendered(name: str, performer: Performer) -> bytes:
        render(performer, tmp_path / name, events=500)
        return (tmp_path / name).read_bytes()

    first = rendered("first.mid", make_performer())
    assert rendered("second.mid", make_performer()) == first
    assert rendered("other_rng.mid", make_performer(rng=1)) != first
    assert rendered("cooler.mid", make_performer(temperature=0.5)) != first


@pytest.mark.parametrize("plain", [False, True])
def test_every_note_is_struck_in_silence_and_ended_later(
    make_performer: MakePerformer, tmp_path: Path, plain: bool
) -> None:
    render(make_performer(plain=plain), tmp_path / "out.mid", events=1001)
    struck_s: dict[int, float] = {}
    for at_s, message in messages(tmp_path / "out.mid"):
        if message.type == "note_on" and message.velocity:
            assert message.note not in struck_s
            struck_s[message.note] = at_s
        elif message.type in ("note_on", "note_off"):
            assert at_s > struck_s.pop(message.note)
    assert not struck_s


@pytest.mark.parametrize("events", [1, 2, 300])
def test_it_stops_after_so_many_events_and_lets_the_last_notes_ring(
    make_performer: MakePerformer, tmp_path: Path, events: int
) -> None:
    render(make_performer(), tmp_path / "out.mid", events=events)
    everything = messages(tmp_path / "out.mid")
    assert everything[0][1].type == "program_change"
    notes = [(at_s, m) for at_s, m in everything if m.type in ("note_on", "note_off")]
    end_s = everything[-1][0]
    assert end_s == pytest.approx(notes[events - 1][0] + LAST_NOTES_NS / 1e9, abs=2 * TICK_S)
    assert all(at_s == end_s and m.type == "note_off" for at_s, m in notes[events:])


def test_it_lasts_as_many_seconds_as_asked(make_performer: MakePerformer, tmp_path: Path) -> None:
    render(make_performer(), tmp_path / "out.mid", seconds=60)
    everything = messages(tmp_path / "out.mid")
    assert everything[-1][0] == pytest.approx(60, abs=TICK_S)
    onsets_s = [at_s for at_s, m in everything if m.type == "note_on"]
    assert len(onsets_s) > 10
    assert max(onsets_s) <= 60 - LAST_NOTES_NS / 1e9 + TICK_S


def test_no_time_is_no_notes(make_performer: MakePerformer, tmp_path: Path) -> None:
    render(make_performer(), tmp_path / "out.mid", seconds=0)
    assert all(message.type != "note_on" for _, message in messages(tmp_path / "out.mid"))


def test_a_folder_that_is_not_there_is_said_in_one_line(
    make_performer: MakePerformer, tmp_path: Path
) -> None:
    with pytest.raises(MidiFileError, match="cannot write"):
        render(make_performer(), tmp_path / "nowhere" / "out.mid", events=10)


def test_endless_music_needs_an_end(make_performer: MakePerformer, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="how much"):
        render(make_performer(), tmp_path / "out.mid")
