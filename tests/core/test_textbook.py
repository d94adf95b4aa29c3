"""The textbook's method, as it is: what it reads, which windows it sees, what it reports."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import mido
import numpy as np
import pytest
import torch

from core import checkpoint, corpus, evaluate, midi_file
from core.batches import Windows
from core.codec import Codec
from core.corpus import Corpus
from core.errors import CorpusError, MidiFileError
from core.model import Plain, build
from core.presets import BOOK
from core.trainer import Progress, Trainer, resume_path


def a_file(path: Path, *tracks: Iterable[mido.Message]) -> Path:
    """At 120 bpm, 500 ticks a quarter: a tick is a millisecond."""
    file = mido.MidiFile(type=1, ticks_per_beat=500)
    file.tracks += [mido.MidiTrack(track) for track in tracks]
    file.save(path)
    return path


def note(kind: str, pitch: int, velocity: int, after_ms: int, channel: int = 0) -> mido.Message:
    return mido.Message(kind, note=pitch, velocity=velocity, time=after_ms, channel=channel)


def test_it_reads_the_note_ons_of_the_first_channel_and_nothing_else(tmp_path: Path) -> None:
    path = a_file(
        tmp_path / "piece.mid",
        [note("note_on", 60, 90, 100), note("note_off", 60, 0, 50), note("note_on", 64, 0, 250)],
        [note("note_on", 67, 80, 200), note("note_on", 72, 80, 10, channel=1)],
    )
    events = midi_file.read_note_ons(path)
    assert [(event.pitch, event.velocity) for event in events] == [(60, 90), (67, 80), (64, 0)]
    assert events.delta_s.tolist() == pytest.approx([0.1, 0.1, 0.2])


def test_a_file_without_note_ons_on_the_first_channel_is_refused(tmp_path: Path) -> None:
    path = a_file(tmp_path / "piece.mid", [note("note_on", 60, 90, 0, channel=1)])
    with pytest.raises(MidiFileError, match=r"piece\.mid.*no note_on message on channel 1"):
        midi_file.read_note_ons(path)


def a_tune(path: Path, pitches: Iterable[int]) -> Path:
    return a_file(
        path,
        [
            note("note_on", pitch, velocity, after_ms)
            for index, pitch in enumerate(pitches)
            for velocity, after_ms in ((80, 0), (0, 200 + index % 2 * 100))
        ],
    )


def read(path: Path) -> Corpus:
    return corpus.read([path], BOOK.codec, reader=BOOK.reader, hold_out=False)


@pytest.fixture
def music(tmp_path: Path) -> Corpus:
    return read(a_tune(tmp_path / "tune.mid", [60, 62, 64, 65, 67] * 10))


def test_notes_outside_its_keyboard_are_left_out_and_counted(tmp_path: Path) -> None:
    music = read(a_tune(tmp_path / "tune.mid", [23, 24, 60, 112, 113]))
    assert music.left_out == 4
    assert len(music.tokens) == 6


def test_a_file_with_gaps_of_one_length_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="two gaps of different length"):
        read(a_tune(tmp_path / "tune.mid", [60]))


def test_its_network_is_a_one_hot_lstm_with_independent_softmaxes() -> None:
    torch.manual_seed(0)
    codec = Codec.uniform(np.array([0.1, 0.9]))
    model = build(BOOK.model, codec).eval()
    assert sum(weight.numel() for weight in model.parameters()) == 213_349
    shapes = {name: tuple(weight.shape) for name, weight in model.state_dict().items()}
    assert shapes == BOOK.model.weight_shapes(codec)
    tokens = torch.tensor([[[3, 80, 1], [3, 0, 11]]])
    with torch.no_grad():
        logits, _ = model(tokens, tokens)
        others, _ = model(tokens, torch.zeros_like(tokens))  # what came says nothing
    assert [part.shape[-1] for part in logits] == [89, 128, 12]
    assert all(map(torch.equal, logits, others))


def test_accuracy_is_the_share_of_right_choices_of_all_three(music: Corpus) -> None:
    """A network that always says the same is right as often as that comes."""
    codec = music.codec
    model = build(BOOK.model, codec)
    assert isinstance(model, Plain)
    with torch.no_grad():
        for weight in model.parameters():
            weight.zero_()
        for favourite in (60 - 24, codec.notes, codec.notes + 128):  # the note, 0, at once
            model.heads.bias[favourite] = 1.0
    training, _ = Windows.split(music, 30, 30, seed=0)
    targets = np.concatenate([b.targets[b.real] for b in training.once()])
    right = (targets == (60 - 24, 0, 0)).mean()
    score = evaluate.score_batches(model, codec, training.once())
    assert score.accuracy == pytest.approx(right)
    assert 0 < right < 1


def trained(music: Corpus, out: Path, epochs: float) -> Progress:
    return a_trainer(music, out, epochs).run()


def a_trainer(music: Corpus, out: Path, epochs: float) -> Trainer:
    return Trainer(music, out, BOOK.model, replace(BOOK.recipe, epochs=epochs, streams=10))


def test_it_learns_with_a_row_each_epoch_and_keeps_the_last_model(
    music: Corpus, tmp_path: Path
) -> None:
    out = tmp_path / "book.safetensors"
    progress = trained(music, out, 6)
    assert [row["epoch"] for row in progress.curve] == [1, 2, 3, 4, 5, 6]
    assert progress.curve[-1]["train"] < 0.7 * progress.curve[0]["train"]
    assert progress.curve[-1]["validation"] < 0.7 * progress.curve[0]["validation"]
    kept = checkpoint.load(out)
    assert kept.config == BOOK.model
    assert kept.codec == music.codec
    assert kept.record["validation"]["loss"] == progress.curve[-1]["validation"]


def test_stopped_and_resumed_equals_uninterrupted(music: Corpus, tmp_path: Path) -> None:
    whole = trained(music, tmp_path / "whole", 3)

    def stop(progress: Progress) -> None:
        if progress.stretches == 10:
            raise KeyboardInterrupt

    out = tmp_path / "halves"
    with pytest.raises(KeyboardInterrupt):
        a_trainer(music, out, 3).run(stop)
    assert resume_path(out).is_file()
    second = a_trainer(music, out, 3)
    second.resume()
    assert [r["validation"] for r in second.run().curve] == [r["validation"] for r in whole.curve]


def test_the_books_own_piece_gets_longer_by_half(shared_data: Path) -> None:
    events = midi_file.read_note_ons(shared_data / "book" / "krebs.mid")
    codec = Codec.uniform(events.delta_s)
    assert len(events) == 826
    assert events.duration_s == pytest.approx(94.8, abs=0.05)
    assert codec.decode_all(codec.encode_all(events)).duration_s == pytest.approx(146.6, abs=0.05)
