"""The stages of a clip in the published order, each with its network as an argument."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.api import Picture
from engine.stream.noise import NoiseSource
from engine.vexpress.audio_frontend import SpeechEncoder, frame_windows
from engine.vexpress.audio_projection import AudioProjection
from engine.vexpress.exact_clip import ExactClip, count_calls
from engine.vexpress.guider import VKpsGuider
from engine.vexpress.images import LATENT_PIXELS, frames_tensor, portrait_tensor
from engine.vexpress.kps import Points, draw_track
from engine.vexpress.postprocess import smooth_frames, to_picture
from engine.vexpress.reference_keys import ReferenceFeatures
from engine.vexpress.reference_net import ReferenceNet
from engine.vexpress.sampling import (
    ClipConditions,
    ClipSampler,
    GuidedNetwork,
    Sampling,
    initial_noise,
)
from engine.vexpress.scheduler import Scheduler
from engine.vexpress.slots import Networks
from engine.vexpress.vae import Vae

GUIDER_FRAMES = 16  # per call; frames do not mix
PROJECTION_FRAMES = 256
REFERENCE_LEVEL = 0  # the portrait has no noise

Show = Callable[[str, int, int], None]  # stage, parts done, parts in all


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipInputs:
    """What a clip is made of."""

    portrait: Picture
    speech: Tensor  # [samples] 16 kHz
    track: Points  # [frames, 3, 2] as they shall be drawn
    height: int
    width: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How the stages before and after sampling work."""

    swapped_size: bool = False  # as published, for portraits that are not square
    padding_frames: int = 2  # of sound, to each side of a frame
    frames_per_vae_call: int = 1


def prepare(networks: Networks, inputs: ClipInputs, manner: Manner, show: Show) -> ClipConditions:
    """All that sampling looks at. Clip-sized parts are kept on the CPU."""
    with networks.vae.use() as vae:
        show("portrait", 0, 1)
        portrait = encode_portrait(vae, inputs, manner)
    with networks.guider.use() as guider:
        kps_features = draw_and_guide(guider, inputs, show)
    frames = len(inputs.track)
    with networks.speech_encoder.use() as encoder:
        show("speech", 0, 1)
        windows = listen(encoder, inputs.speech, frames, manner.padding_frames)
    with networks.audio_projection.use() as projection:
        tokens = project_audio(projection, windows)
    with networks.reference_net.use() as reference_net:
        show("reference", 0, 1)
        reference = look(reference_net, portrait)
    return ClipConditions(reference, tokens, kps_features)


def sample(
    networks: Networks,
    scheduler: Scheduler,
    conditions: ClipConditions,
    noise: Tensor,
    sampling: Sampling,
    show: Show,
) -> Tensor:
    """Latents [1, 4, frames, h, w] of a clip, on the CPU."""
    with networks.denoising_unet.use() as unet:
        sampler = ClipSampler(unet, scheduler, conditions, sampling)
        steps = sampler.run(noise, lambda done, total: show("frames", done, total))
        return deque(steps, maxlen=1).pop()


def sample_streamed(
    networks: Networks,
    scheduler: Scheduler,
    conditions: ClipConditions,
    noise: NoiseSource,
    sampling: Sampling,
    show: Show,
) -> Iterator[Tensor]:
    """The latents that `sample` gives, a few frames [1, 4, n, h, w] at a time, on the CPU.

    Each part holds until the next is asked for; that is when the next calls are made.
    """
    frames, stride = len(conditions.audio_tokens), sampling.window.step
    height, width = conditions.kps_features.shape[-2:]
    total = count_calls(sampling, frames)
    with networks.denoising_unet.use() as unet:
        network = GuidedNetwork(unet, conditions.reference, sampling)
        clip = ExactClip(network, scheduler, sampling, noise, (height, width))
        for start in range(0, frames, stride):
            for emitted in clip.push(conditions.of(slice(start, start + stride))):
                yield emitted.latents
            show("frames", clip.calls, total)
        for emitted in clip.flush():
            show("frames", clip.calls, total)
            yield emitted.latents


def finish(
    networks: Networks, latents: Iterable[Tensor], frames: int, manner: Manner, show: Show
) -> Iterator[Picture]:
    """The `frames` of the film, one after another, from the parts that its latents come in."""
    with networks.vae.use() as vae:
        parts = regroup(latents, manner.frames_per_vae_call)
        decoded = (frame for part in parts for frame in decode(vae, part, part.shape[2]))
        for index, frame in enumerate(smooth_frames(decoded)):
            show("pictures", index + 1, frames)
            yield to_picture(frame)


def regroup(parts: Iterable[Tensor], count: int) -> Iterator[Tensor]:
    """The same frames [1, 4, n, h, w], `count` of them at a time; the last ones may be fewer."""
    waiting: list[Tensor] = []
    for part in parts:
        for frame in part.unbind(2):
            waiting.append(frame.clone())  # the part is lent
            if len(waiting) == count:
                yield torch.stack(waiting, dim=2)
                waiting.clear()
    if waiting:
        yield torch.stack(waiting, dim=2)


def clip_noise(inputs: ClipInputs, seed: int) -> Tensor:
    """The noise that a clip starts from."""
    sides = (inputs.height // LATENT_PIXELS, inputs.width // LATENT_PIXELS)
    return initial_noise(len(inputs.track), *sides, seed)


@torch.inference_mode()
def encode_portrait(vae: Vae, inputs: ClipInputs, manner: Manner) -> Tensor:
    """Latents of the portrait [1, 4, h, w]."""
    size = (inputs.height, inputs.width)
    return vae.encode(portrait_tensor(inputs.portrait, *size, swapped=manner.swapped_size))


@torch.inference_mode()
def draw_and_guide(guider: VKpsGuider, inputs: ClipInputs, show: Show) -> Tensor:
    """Draw the face points of every frame: features [1, channels, frames, h, w] on the CPU.

    A face that stays where it is is drawn once; its frames share the memory of the features, which
    are by far the largest thing that a clip holds.
    """
    weight, all_frames = guider.conv_in.weight, len(inputs.track)
    track = inputs.track[:1] if (inputs.track == inputs.track[0]).all() else inputs.track
    frames, features = len(track), []
    for start in range(0, frames, GUIDER_FRAMES):
        drawn = draw_track(track[start : start + GUIDER_FRAMES], inputs.height, inputs.width)
        features.append(guider(frames_tensor(drawn).to(weight.device, weight.dtype)).cpu())
        show("face points", min(start + GUIDER_FRAMES, frames), frames)
    together = torch.cat(features, dim=2)
    return together.expand(-1, -1, all_frames, -1, -1) if frames == 1 else together


@torch.inference_mode()
def listen(encoder: SpeechEncoder, speech: Tensor, frames: int, padding_frames: int) -> Tensor:
    """Windows of speech features [frames, rows, channels] on the CPU."""
    return frame_windows(encoder(speech), frames, padding_frames).cpu()


@torch.inference_mode()
def project_audio(projection: AudioProjection, windows: Tensor) -> Tensor:
    """Audio tokens [frames, tokens, channels] on the CPU."""
    weight = projection.latents
    some = torch.split(windows, PROJECTION_FRAMES)
    return torch.cat([projection(part.to(weight.device, weight.dtype)).cpu() for part in some])


@torch.inference_mode()
def look(reference_net: ReferenceNet, portrait: Tensor) -> ReferenceFeatures:
    """What the layers of the denoising UNet will see of the portrait."""
    weight = reference_net.conv_in.weight
    level = torch.tensor([REFERENCE_LEVEL], device=weight.device)
    features: ReferenceFeatures = reference_net(portrait.to(weight.device, weight.dtype), level)
    return features


@torch.inference_mode()
def decode(vae: Vae, latents: Tensor, frames_per_call: int) -> Iterator[Tensor]:
    """Frame after frame [3, height, width] in 0..1."""
    yield from vae.decode(latents, frames_per_call)
