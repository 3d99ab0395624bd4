import torch

from engine.portrait.channels import Channel
from engine.training.losses import LossWeights, mouth_loss

SCALE = torch.full((9,), 0.25)
KNOWN = torch.ones(2, 60)


def truth() -> torch.Tensor:
    wave = torch.relu(torch.sin(torch.arange(60.0) * 0.4))
    return wave[None, :, None].expand(2, 60, 9) * 0.5


def loss(guess: torch.Tensor, **weights: float) -> float:
    zero = dict.fromkeys(LossWeights.__dataclass_fields__, 0.0)
    chosen = LossWeights(**(zero | weights)) if weights else LossWeights()
    return mouth_loss(guess, truth(), KNOWN, SCALE, chosen).item()


def test_the_truth_costs_nothing() -> None:
    assert loss(truth()) < 1e-3


def test_unknown_frames_cost_nothing() -> None:
    guess, known = truth().clone(), KNOWN.clone()
    guess[:, :20] += 3
    known[:, :20] = 0
    assert mouth_loss(guess, truth(), known, SCALE, LossWeights()).item() < 1e-3


def test_a_timid_mouth_costs_and_a_bold_one_not() -> None:
    assert loss(truth() * 0.5, amplitude=1.0) > 0.1
    assert loss(truth() * 1.5, amplitude=1.0) < 1e-6


def test_likeness_ignores_amplitude_and_offset() -> None:
    assert loss(truth() * 0.3 + 0.2, likeness=1.0) < 0.01
    assert loss(-truth(), likeness=1.0) > 1


def test_open_lips_where_the_true_ones_touch_cost() -> None:
    opened, closed = truth().clone(), truth().clone()
    opened[..., Channel.LOWER_LIP_DOWN] += 0.3
    closed[..., Channel.LOWER_LIP_DOWN] -= 0.3
    assert loss(opened, shut=1.0) > 0.01
    assert loss(closed, shut=1.0) < 1e-6


def test_trembling_costs_more_than_the_same_error_held() -> None:
    tremble = truth().clone()
    tremble[:, ::2] += 0.1
    tremble[:, 1::2] -= 0.1
    assert loss(tremble, speed=1.0) > 10 * loss(truth() + 0.1, speed=1.0)


def test_a_bend_that_the_truth_has_not_costs() -> None:
    bent = truth().clone()
    bent[:, 30] += 0.2
    slope = truth() + 0.2 * torch.arange(60.0)[None, :, None] / 60
    assert loss(bent, acceleration=1.0) > 0.05
    assert loss(slope, acceleration=1.0) < 1e-5
