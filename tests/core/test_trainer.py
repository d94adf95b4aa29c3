"""Training learns, keeps the best, and goes on after any stop as if there had been none."""

from pathlib import Path

import pytest

from core import checkpoint, corpus
from core.checkpoint import ModelConfig
from core.corpus import Corpus
from core.errors import CheckpointError, CorpusError, TrainingError
from core.trainer import Progress, Recipe, Trainer, resume_path

SMALL = ModelConfig(hidden_size=24, embedding_size=12, head_size=12)


@pytest.fixture
def music(songbook: Path) -> Corpus:
    return corpus.read(corpus.find([songbook]))


def a_trainer(music: Corpus, out: Path, **recipe: float) -> Trainer:
    fields = {"streams": 4, "steps": 32, "learning_rate": 0.01, "epochs": 3} | recipe
    return Trainer(music, out, SMALL, Recipe(**fields))  # type: ignore[arg-type]


def validation(row: dict[str, float]) -> float:
    return row["validation"]


def losses(progress: Progress) -> list[float]:
    return [row["validation"] for row in progress.curve]


def test_training_learns_and_keeps_the_best(music: Corpus, tmp_path: Path) -> None:
    out = tmp_path / "model.safetensors"
    trainer = a_trainer(music, out)
    untrained = trainer.score().loss
    progress = trainer.run()
    assert progress.best_loss == min(losses(progress)) < 0.8 * untrained
    record = checkpoint.load(out).record
    assert record["validation"]["loss"] == progress.best_loss
    assert record["events_seen"] >= trainer.events_per_epoch


def test_the_same_seed_gives_the_same_curve(music: Corpus, tmp_path: Path) -> None:
    one = a_trainer(music, tmp_path / "one", seed=5).run()
    two = a_trainer(music, tmp_path / "two", seed=5).run()
    other = a_trainer(music, tmp_path / "other", seed=6).run()
    assert losses(one) == losses(two) != losses(other)


def test_stopped_and_resumed_equals_uninterrupted(music: Corpus, tmp_path: Path) -> None:
    whole = a_trainer(music, tmp_path / "whole").run()

    def stop(progress: Progress) -> None:
        if progress.stretches == 17:
            raise KeyboardInterrupt

    out = tmp_path / "halves"
    with pytest.raises(KeyboardInterrupt):
        a_trainer(music, out).run(stop)
    assert checkpoint.load(out).config == SMALL  # plays already
    second = a_trainer(music, out)
    second.resume()
    assert second.progress.stretches == 17
    assert losses(second.run()) == losses(whole)


def test_resuming_other_music_is_refused(music: Corpus, songbook: Path, tmp_path: Path) -> None:
    out = tmp_path / "model"
    a_trainer(music, out, epochs=0.1).run()
    less = corpus.read(corpus.find([songbook / "more"]))
    with pytest.raises(CheckpointError, match="other music"):
        a_trainer(less, out).resume()


def test_resuming_nothing_or_a_broken_file_is_refused(music: Corpus, tmp_path: Path) -> None:
    out = tmp_path / "model"
    with pytest.raises(CheckpointError, match="nothing to resume"):
        a_trainer(music, out).resume()
    resume_path(out).write_bytes(b"not a training")
    with pytest.raises(CheckpointError, match="damaged"):
        a_trainer(music, out).resume()


def test_an_exploding_loss_stops_with_one_line_and_keeps_the_last_good_model(
    music: Corpus, tmp_path: Path
) -> None:
    out = tmp_path / "model"
    a_trainer(music, out, epochs=1).run()
    good = out.read_bytes()
    with pytest.raises(TrainingError, match="exploded"):
        a_trainer(music, out, learning_rate=1e30).run()
    assert out.read_bytes() == good


def test_training_stops_when_it_gets_no_better(music: Corpus, tmp_path: Path) -> None:
    progress = a_trainer(music, tmp_path / "model", learning_rate=1e-30, patience=2).run()
    assert progress.share < 1
    assert progress.fruitless == 2
    assert len(progress.curve) == progress.curve.index(min(progress.curve, key=validation)) + 3


def test_training_can_begin_with_the_weights_of_another(music: Corpus, tmp_path: Path) -> None:
    a_trainer(music, tmp_path / "one").run()
    again = a_trainer(music, tmp_path / "two")
    again.start_from(checkpoint.load(tmp_path / "one"))
    assert again.score().loss == pytest.approx(
        checkpoint.load(tmp_path / "one").record["validation"]["loss"], rel=1e-2
    )


def test_a_disk_that_fills_up_stops_with_one_line_and_keeps_the_best_model(
    music: Corpus, tmp_path: Path
) -> None:
    resource = pytest.importorskip("resource", reason="limits the size of files as POSIX does")
    out = tmp_path / "model"
    a_trainer(music, out, epochs=1).run()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, unlimited[1]))
    try:
        with pytest.raises(CheckpointError, match=r"cannot write .*model") as raised:
            a_trainer(music, out, epochs=1).run()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    assert "\n" not in str(raised.value)
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    assert after == before


def test_too_little_music_is_refused(songbook: Path, tmp_path: Path) -> None:
    music = corpus.read(corpus.find([songbook])[:1])
    music.bounds[1:] = 0
    with pytest.raises(CorpusError, match="too little music"):
        a_trainer(music, tmp_path / "model")
