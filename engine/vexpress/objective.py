"""What the published model was trained on: one step's prediction, its loss, who may learn."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.vexpress.audio_projection import AudioProjection
from engine.vexpress.denoiser import DenoisingUNet
from engine.vexpress.guider import VKpsGuider
from engine.vexpress.reference_keys import ReferenceFeatures
from engine.vexpress.reference_net import ReferenceNet
from engine.vexpress.scheduler import Scheduler

# Parts of the denoising UNet that learn together with the audio projection, by our names.
AUDIO_PARTS = (".spatial.block.audio_attention.", ".spatial.block.audio_norm.")
MOTION_PARTS = (".temporal.",)


@dataclass(frozen=True, slots=True)
class Networks:
    """All that is trained."""

    reference_net: ReferenceNet
    denoising_unet: DenoisingUNet
    guider: VKpsGuider
    audio_projection: AudioProjection


@dataclass(frozen=True, slots=True, kw_only=True)
class Learners:
    """Which parts learn in a stage. Audio and motion include their places in the UNet."""

    reference_net: bool = True
    denoising_unet: bool = True
    guider: bool = True
    audio_projection: bool = True
    motion_modules: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Clips of b items, all of the same number of frames."""

    latents: Tensor  # [b, 4, frames, h, w], scaled
    noise: Tensor  # of the same shape
    timesteps: Tensor  # [b]
    reference_latents: Tensor  # [b, 4, h, w], scaled
    audio_windows: Tensor  # [b, frames, rows, channels] of speech features
    kps_images: Tensor  # [b, 3, frames, H, W] in 0..1
    lip_masks: Tensor  # [b, 1, frames, h, w] in 0..1


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropout:
    """What is hidden from the network at random, or altogether."""

    unconditional: bool = False  # neither portrait, nor voice, nor face points
    kps_rate: float = 0.0  # of clips without face points
    reference_rate: float = 0.0  # of frames without portrait, drawn for each layer by itself


def set_learners(networks: Networks, learners: Learners) -> None:
    """Let the chosen parts learn and freeze all others.

    The ReferenceNet's highest level always stays as it is: most of it reaches no feature.
    """
    unet = networks.denoising_unet
    networks.reference_net.requires_grad_(learners.reference_net)
    networks.reference_net.backbone.up_blocks[-1].requires_grad_(False)
    networks.guider.requires_grad_(learners.guider)
    networks.audio_projection.requires_grad_(learners.audio_projection)
    unet.requires_grad_(learners.denoising_unet)
    for parameter in _parameters(unet, AUDIO_PARTS):
        parameter.requires_grad_(learners.audio_projection)
    for parameter in _parameters(unet, MOTION_PARTS):
        parameter.requires_grad_(learners.motion_modules)


def predict_velocity(
    networks: Networks,
    batch: Batch,
    scheduler: Scheduler,
    dropout: Dropout,
    generator: torch.Generator | None = None,
) -> Tensor:
    """The velocity [b, 4, frames, h, w] that the networks see in the noised clips.

    Draws come from `generator`, on the CPU: first for face points, then for each layer in order.
    """
    clips = len(batch.latents)
    noisy = scheduler.add_noise(batch.latents, batch.noise, batch.timesteps)
    # Zeros instead of no context: weights that cannot matter get a gradient of zero, not none,
    # and so decay with the others.
    context = batch.reference_latents.new_zeros(
        clips, 1, networks.denoising_unet.config.context_channels
    )
    features = networks.reference_net(
        batch.reference_latents, torch.zeros_like(batch.timesteps), context
    )
    kps = networks.guider(batch.kps_images)
    audio = networks.audio_projection(batch.audio_windows.flatten(0, 1))
    if dropout.unconditional:
        features, kps, audio = features.zeros(), torch.zeros_like(kps), torch.zeros_like(audio)
    if dropout.kps_rate:
        hidden = torch.rand(clips, generator=generator) < dropout.kps_rate
        kps = kps * _seen(hidden, kps)
    if dropout.reference_rate:
        features = _hide_frames(features, batch.latents.shape[2], dropout, generator)
    velocity: Tensor = networks.denoising_unet(noisy, batch.timesteps, audio, features, kps)
    return velocity


def loss(
    velocity: Tensor,
    target: Tensor,
    clip_weights: Tensor,
    lip_masks: Tensor,
    lip_weight: float = 1.0,
) -> Tensor:
    """The mean squared error [], with `clip_weights` [b], and lips `lip_weight` times as heavy."""
    error = (velocity - target).square() * (1 + (lip_weight - 1) * lip_masks)
    return (error.flatten(1).mean(dim=1) * clip_weights).mean()


def signal_to_noise(scheduler: Scheduler, timesteps: Tensor) -> Tensor:
    """How much stronger the picture is than the noise at `timesteps` [b]; zero at the top."""
    signal = scheduler.signal.to(timesteps.device)[timesteps]
    return signal / (1 - signal)


def noise_level_weights(snr: Tensor, gamma: float) -> Tensor:
    """Weights [b] that keep easy, low noise levels from counting too much; 0 leaves them all.

    After Hang et al., "Efficient Diffusion Training via Min-SNR Weighting Strategy" (2023), in
    the form for velocities.
    """
    return (snr + 1).clamp(max=gamma) / (snr + 1) if gamma else torch.ones_like(snr)


def _hide_frames(
    features: ReferenceFeatures,
    frames: int,
    dropout: Dropout,
    generator: torch.Generator | None,
) -> ReferenceFeatures:
    """Features of every frame [b * frames, n, c], a part of them zero."""
    shown = {}
    for path, feature in features.items():
        per_frame = feature.repeat_interleave(frames, dim=0)
        hidden = torch.rand(len(per_frame), generator=generator) < dropout.reference_rate
        shown[path] = per_frame * _seen(hidden, per_frame)
    return ReferenceFeatures(shown)


def _seen(hidden: Tensor, like: Tensor) -> Tensor:
    """1 for what is not hidden, shaped to multiply `like`."""
    return (~hidden).to(like).reshape(-1, *[1] * (like.ndim - 1))


def _parameters(network: nn.Module, parts: Iterable[str]) -> list[nn.Parameter]:
    return [
        parameter
        for name, parameter in network.named_parameters()
        if any(part in name for part in parts)
    ]
