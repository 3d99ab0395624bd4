"""Sampling with networks of a few thousand numbers: averaging, guidance, memory on the CPU."""

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from engine.api import AvatarError
from engine.vexpress.denoiser import DenoisingUNet
from engine.vexpress.reference_keys import ReferenceFeatures
from engine.vexpress.sampling import ClipConditions, ClipSampler, Sampling, initial_noise
from engine.vexpress.scheduler import Scheduler
from engine.vexpress.transformer import AttentionWeights
from engine.vexpress.windows import WindowSize, cover
from tests.engine.vexpress.tiny import TINY_UNET, make_inputs, randomise

SIDE = 8
WINDOW = WindowSize(4, 2)


@pytest.fixture(scope="module")
def unet() -> DenoisingUNet:
    network = DenoisingUNet(TINY_UNET).eval()
    randomise(network)
    return network


def conditions(frames: int) -> ClipConditions:
    inputs = make_inputs(TINY_UNET, (1, frames, SIDE, SIDE), seed=3)
    return ClipConditions(inputs.reference, inputs.audio, inputs.kps_features)


def sampling(steps: int = 2, scale: float = 3.5, *, folded: bool = False) -> Sampling:
    weights = AttentionWeights(0.9, 2.0)
    return Sampling(
        steps=steps, guidance_scale=scale, window=WINDOW, weights=weights, folded=folded
    )


def run(unet: DenoisingUNet, frames: int, how: Sampling) -> Tensor:
    sampler = ClipSampler(unet, Scheduler(), conditions(frames), how)
    *_, last = sampler.run(initial_noise(frames, SIDE, SIDE, seed=1))
    return last


@pytest.mark.parametrize("frames", [2, 4, 6, 8])
def test_whole_windows_are_sampled_alike_in_both_orders(unet: DenoisingUNet, frames: int) -> None:
    plain, published = run(unet, frames, sampling()), run(unet, frames, sampling(folded=True))
    assert (plain - published).norm() / published.norm() < 1e-6


def test_a_clip_of_any_length_is_sampled(unet: DenoisingUNet) -> None:
    odd = run(unet, 7, sampling())
    assert odd.shape == (1, 4, 7, SIDE, SIDE)
    assert torch.isfinite(odd).all()
    folded = run(unet, 7, sampling(folded=True))
    assert not torch.allclose(odd, folded)
    assert torch.isfinite(folded).all()


def test_predictions_are_averaged_before_the_step(unet: DenoisingUNet) -> None:
    frames, how = 6, sampling(steps=1)
    noise, seen = initial_noise(frames, SIDE, SIDE, seed=1), conditions(frames)
    sampler = ClipSampler(unet, Scheduler(), seen, how)
    said: list[list[Tensor]] = [[] for _ in range(frames)]
    with torch.inference_mode():
        for window in cover(frames, WINDOW):
            velocity = sampler.velocity(noise, window, 999)
            for place, frame in enumerate(window):
                said[frame].append(velocity[:, :, place])
    mean = torch.stack([torch.stack(parts).mean(0) for parts in said], dim=2)
    (latents,) = sampler.run(noise)
    # From pure noise one step lands on the negated velocity.
    assert (latents + mean).abs().max() < 1e-5


def test_guidance_goes_from_the_unconditional_through_the_conditional(unet: DenoisingUNet) -> None:
    frames = 4
    noise, seen, window = initial_noise(frames, SIDE, SIDE, 1), conditions(frames), range(frames)

    def told(scale: float, by: ClipConditions) -> Tensor:
        sampler = ClipSampler(unet, Scheduler(), by, sampling(scale=scale))
        with torch.inference_mode():
            return sampler.velocity(noise, window, 500)

    nothing = ClipConditions(
        seen.reference.zeros(),
        torch.zeros_like(seen.audio_tokens),
        torch.zeros_like(seen.kps_features),
    )
    free, led = told(1.0, nothing), told(1.0, seen)
    expected = free + 3.5 * (led - free)
    assert (told(3.5, seen) - expected).norm() / expected.norm() < 1e-5
    assert torch.equal(told(0.0, seen), led)  # no guidance at all, as published


def test_every_call_is_told(unet: DenoisingUNet) -> None:
    told: list[tuple[int, int]] = []
    sampler = ClipSampler(unet, Scheduler(), conditions(6), sampling())
    steps = list(
        sampler.run(initial_noise(6, SIDE, SIDE, 1), lambda done, total: told.append((done, total)))
    )
    assert len(steps) == 2
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_more_expression_moves_the_picture_further_from_the_silent_one(
    unet: DenoisingUNet,
) -> None:
    # `--expression_strength` multiplies the published weight of 3.0.
    def say(strength: float) -> Tensor:
        weights = AttentionWeights(0.95, 3.0 * strength)
        how = Sampling(steps=1, guidance_scale=1.0, window=WINDOW, weights=weights)
        return run(unet, 4, how)

    silent = say(0.0)
    distances = [float((say(x) - silent).norm()) for x in (0.0, 0.25, 0.5, 1.0, 1.5, 2.0)]
    assert distances[0] == 0
    assert all(less < more for less, more in pairwise(distances))


def test_noise_belongs_to_its_seed() -> None:
    assert torch.equal(initial_noise(3, 4, 5, 7), initial_noise(3, 4, 5, 7))
    assert not torch.equal(initial_noise(3, 4, 5, 7), initial_noise(3, 4, 5, 8))
    assert initial_noise(3, 4, 5, 7).shape == (1, 4, 3, 4, 5)


def test_features_of_another_network_are_refused(unet: DenoisingUNet) -> None:
    seen = conditions(2)
    foreign = ReferenceFeatures({"elsewhere": torch.zeros(1, 4, 8)})
    with pytest.raises(ValueError, match="surplus layers"):
        ClipSampler(unet, Scheduler(), ClipConditions(foreign, *_parts(seen)), sampling())


def _parts(seen: ClipConditions) -> tuple[Tensor, Tensor]:
    return seen.audio_tokens, seen.kps_features


def test_a_negative_scale_is_refused() -> None:
    with pytest.raises(AvatarError, match="guidance scale -1"):
        sampling(scale=-1)
    with pytest.raises(AvatarError, match="guidance scale nan"):
        sampling(scale=float("nan"))
