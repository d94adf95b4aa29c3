"""Law 1, the model's half: fed in pieces, passing the state on, equals fed whole."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.checkpoint import ModelConfig
from core.codec import Codec
from core.model import Model

CONFIG = ModelConfig(hidden_size=16, layers=2, embedding_size=8, head_size=8)
CODEC = Codec.log_spaced(bins=16)


def some_model() -> Model:
    torch.manual_seed(0)
    return Model(CONFIG, CODEC).eval()


def some_tokens(batch: int, time: int) -> torch.Tensor:
    torch.manual_seed(1)
    sizes = torch.tensor([CODEC.notes, CODEC.velocities, CODEC.time_bins])
    return (torch.rand(batch, time, 3) * sizes).long()


@settings(max_examples=20)
@given(st.integers(1, 39))
def test_fed_in_pieces_equals_fed_whole(cut: int) -> None:
    model, tokens, targets = some_model(), some_tokens(2, 40), some_tokens(2, 40).roll(1, 1)
    with torch.no_grad():
        whole, _ = model(tokens, targets)
        head, state = model(tokens[:, :cut], targets[:, :cut])
        tail, _ = model(tokens[:, cut:], targets[:, cut:], state)
    for stream in range(3):
        pieces = torch.cat([head[stream], tail[stream]], dim=1)
        torch.testing.assert_close(pieces, whole[stream])


def test_the_model_has_the_tensors_that_a_checkpoint_must_hold() -> None:
    shapes = {name: tuple(weight.shape) for name, weight in some_model().state_dict().items()}
    assert shapes == CONFIG.weight_shapes(CODEC)


def test_a_head_sees_the_choices_before_it_and_none_after() -> None:
    model, tokens = some_model(), some_tokens(1, 1)
    choices = torch.zeros(1, 1, 3, dtype=torch.long)
    with torch.no_grad():
        plain, _ = model(tokens, choices)
        for stream, moved in (
            ("note", {"velocity"}),
            ("velocity", set()),
            ("time", {"note", "velocity"}),
        ):
            other = choices.clone()
            other[..., ("note", "velocity", "time").index(stream)] = 5
            changed, _ = model(tokens, other)
            for head in ("note", "velocity", "time"):
                same = torch.equal(getattr(plain, head), getattr(changed, head))
                assert same != (head in moved)


def test_what_sounds_can_only_be_released_and_what_does_not_only_be_struck() -> None:
    model = some_model()
    struck = torch.tensor([[[60, 90, 3], [64, 90, 0], [60, 0, 5]]])
    for note, sounds in ((60, False), (64, True), (67, False)):
        nexts = torch.tensor([[[0, 0, 2], [0, 0, 2], [note, 0, 2]]])
        with torch.no_grad():
            logits, state = model(struck, nexts)
        chance_of_release = float(logits.velocity[0, -1].softmax(-1)[0])
        assert (chance_of_release > 0.999) == sounds
        assert (float(state.ages_s[0, note]) >= 0) == sounds


def test_a_release_is_scored_by_the_age_that_the_note_has_by_then() -> None:
    model = some_model()
    with torch.no_grad():
        model.release_by_age.weight.zero_()
        model.release_by_age.weight[9] = 100.0  # from bin 9 on, all that it says is: now
        model.hidden.bias.fill_(1.0)
    struck = torch.tensor([[[60, 90, 0]]])
    with torch.no_grad():
        scores = [model(struck, torch.tensor([[[60, 0, gap]]]))[0].note[0, 0] for gap in range(16)]
    best = max(range(16), key=lambda gap: float(scores[gap][60] - scores[gap][61]))
    assert best == 9


def test_an_age_runs_on_from_stretch_to_stretch_and_ends_with_the_piece() -> None:
    model = some_model()
    nothing = torch.zeros(1, 1, 3, dtype=torch.long)
    with torch.no_grad():
        _, state = model(torch.tensor([[[60, 90, 0]]]), nothing)
        _, state = model(torch.tensor([[[64, 90, 9]]]), nothing, state)
    assert state.ages_s[0, [60, 64]].tolist() == [CODEC.values_s[9], 0.0]
    assert not (state.begin(torch.tensor([True])).ages_s >= 0).any()
