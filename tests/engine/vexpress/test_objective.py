"""One training step: who learns, what is hidden, what counts how much."""

from pathlib import Path

import pytest
import torch
from torch import nn

from engine.vexpress.audio_projection import AudioProjection
from engine.vexpress.check_training import check_training
from engine.vexpress.config import PUBLISHED, ModelConfig
from engine.vexpress.denoiser import DenoisingUNet
from engine.vexpress.goldens import read_golden
from engine.vexpress.guider import VKpsGuider
from engine.vexpress.objective import (
    Batch,
    Dropout,
    Learners,
    Networks,
    loss,
    noise_level_weights,
    predict_velocity,
    set_learners,
)
from engine.vexpress.reference_net import ReferenceNet
from engine.vexpress.scheduler import Scheduler
from tests.engine.vexpress.tiny import TINY, randomise

STAGE_1 = Learners(audio_projection=False, motion_modules=False)
STAGE_2 = Learners(reference_net=False, denoising_unet=False, guider=False)
STAGE_3 = Learners()


def make(config: ModelConfig) -> Networks:
    return Networks(
        ReferenceNet(config.unet),
        DenoisingUNet(config.unet),
        VKpsGuider(config.guider),
        AudioProjection(config.audio_projection),
    )


def learning(network: nn.Module) -> int:
    return sum(parameter.requires_grad for parameter in network.parameters())


@pytest.fixture(scope="module")
def networks() -> Networks:
    made = make(TINY)
    for network in (made.reference_net, made.denoising_unet, made.guider, made.audio_projection):
        randomise(network)
    return made


def make_batch() -> Batch:
    source = torch.Generator().manual_seed(0)
    return Batch(
        latents=torch.randn(2, 4, 3, 8, 8, generator=source),
        noise=torch.randn(2, 4, 3, 8, 8, generator=source),
        timesteps=torch.tensor([999, 60]),
        reference_latents=torch.randn(2, 4, 8, 8, generator=source),
        audio_windows=torch.randn(2, 3, 10, 10, generator=source),
        kps_images=torch.rand(2, 3, 3, 64, 64, generator=source),
        lip_masks=torch.zeros(2, 1, 3, 8, 8),
    )


@pytest.mark.slow
def test_a_step_gives_what_the_published_one_gave(full_set: Path) -> None:
    golden = read_golden(full_set / "j_training_C.safetensors")
    comparisons = list(check_training(golden))
    assert len(comparisons) == sum(len(golden.outputs(case["name"])) for case in golden.cases)
    for comparison in comparisons:
        assert comparison.passed, comparison


@pytest.mark.parametrize(
    ("learners", "reference", "unet"),
    [(STAGE_1, 570, 686), (STAGE_2, 0, 658), (STAGE_3, 570, 1344)],
)
def test_each_stage_trains_as_many_tensors_as_published(
    learners: Learners, reference: int, unet: int
) -> None:
    with torch.device("meta"):
        networks = make(PUBLISHED)
    set_learners(networks, learners)
    assert learning(networks.reference_net) == reference
    assert learning(networks.denoising_unet) == unet


def test_hiding_everything_leaves_nothing_to_follow(networks: Networks) -> None:
    batch, other = make_batch(), make_batch()
    other.reference_latents.neg_()
    other.audio_windows.neg_()
    other.kps_images.zero_()
    scheduler, hidden = Scheduler(), Dropout(unconditional=True)
    with torch.inference_mode():
        one = predict_velocity(networks, batch, scheduler, hidden)
        assert torch.equal(one, predict_velocity(networks, other, scheduler, hidden))
        assert not torch.allclose(one, predict_velocity(networks, batch, scheduler, Dropout()))


def test_hiding_at_a_rate_of_one_equals_leaving_out(networks: Networks) -> None:
    batch, other = make_batch(), make_batch()
    other.reference_latents.neg_()
    other.kps_images.zero_()
    dropout = Dropout(kps_rate=1.0, reference_rate=1.0)
    with torch.inference_mode():
        one = predict_velocity(networks, batch, Scheduler(), dropout)
        assert torch.equal(one, predict_velocity(networks, other, Scheduler(), dropout))


def test_what_is_hidden_follows_from_the_seed(networks: Networks) -> None:
    batch, dropout = make_batch(), Dropout(kps_rate=0.5, reference_rate=0.5)
    with torch.inference_mode():
        one, again, another = (
            predict_velocity(
                networks, batch, Scheduler(), dropout, torch.Generator().manual_seed(seed)
            )
            for seed in (4, 4, 5)
        )
    assert torch.equal(one, again)
    assert not torch.allclose(one, another)


def test_lips_count_as_often_as_they_weigh() -> None:
    velocity, target = torch.ones(1, 4, 1, 2, 2), torch.zeros(1, 4, 1, 2, 2)
    lips = torch.zeros(1, 1, 1, 2, 2)
    lips[..., 0, 0] = 1
    assert loss(velocity, target, torch.ones(1), lips, lip_weight=5.0).item() == (3 + 5) / 4


def test_the_highest_noise_level_keeps_its_weight() -> None:
    snr = torch.tensor([0.0, 4.0, 99.0])
    torch.testing.assert_close(noise_level_weights(snr, 5.0), torch.tensor([1.0, 1.0, 0.05]))
    assert noise_level_weights(snr, 0.0).tolist() == [1.0, 1.0, 1.0]
