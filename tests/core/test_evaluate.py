"""A score is that of the pieces, whatever their order, and compares codecs with other bins."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from core import corpus, evaluate
from core.checkpoint import ModelConfig
from core.codec import Codec
from core.corpus import Corpus
from core.model import Model

CONFIG = ModelConfig(hidden_size=16, embedding_size=8, head_size=8, dropout=0.5)


@pytest.fixture
def music(songbook: Path) -> Corpus:
    return corpus.read(corpus.find([songbook]))


def ignorant(codec: Codec) -> Model:
    """All choices are equally likely to it."""
    model = Model(CONFIG, codec)
    with torch.no_grad():
        for weight in model.parameters():
            weight.zero_()
    return model


def test_who_knows_nothing_pays_for_every_choice(music: Corpus) -> None:
    """Of notes all, of velocities those that strike: that a release has none it is told."""
    score = evaluate.score(ignorant(music.codec), music, np.arange(20))
    assert score.note == pytest.approx(math.log(128), rel=1e-4)
    assert score.velocity == pytest.approx(score.onsets * math.log(127), rel=1e-4)
    assert score.time == pytest.approx(math.log(music.codec.time_bins), rel=1e-4)
    assert score.onsets == pytest.approx(0.5)
    assert score.accuracy < 0.5  # and it is right about velocity only where a note is released
    assert score.bits_per_note == pytest.approx(score.nats_per_event * 2 / math.log(2))


def test_a_delta_costs_more_where_its_bin_is_wider(music: Corpus) -> None:
    """A bin of 20 ms holds twenty moments of 1 ms: log 20 more than the bin itself."""
    edges_s = (0.0, *np.arange(0.001, 5, 0.020).tolist()[:200])
    even = Codec(edges_s=edges_s, values_s=edges_s)
    events = music.codec.decode_all(music.tokens)
    same = replace(music, codec=even, tokens=even.encode_all(events))
    score = evaluate.score(ignorant(even), same, np.arange(20))
    later = float((events.delta_s > 0.001).mean())
    assert score.time_density - score.time == pytest.approx(later * math.log(20), rel=1e-4)


def test_a_score_is_of_the_pieces_alone_and_without_dropout(music: Corpus) -> None:
    torch.manual_seed(0)
    model = Model(CONFIG, music.codec)
    forward = evaluate.score(model, music, np.arange(20))
    backward = evaluate.score(model, music, np.arange(20)[::-1].copy())
    assert forward == pytest.approx(backward, rel=1e-5)
    assert model.training
