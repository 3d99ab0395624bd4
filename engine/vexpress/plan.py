"""What a clip will take: stages, shapes, arithmetic and memory, without weights or a device.

Networks are built on PyTorch's meta device, where tensors have shapes but no numbers. Each stage
runs once; calls that repeat are counted.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from engine.vexpress.audio_frontend import SpeechEncoder
from engine.vexpress.config import ModelConfig
from engine.vexpress.convert import make_networks
from engine.vexpress.denoiser import DenoisingUNet
from engine.vexpress.exact_clip import BUFFERS, frames_in_flight
from engine.vexpress.extra import require
from engine.vexpress.images import LATENT_PIXELS
from engine.vexpress.key_map import NetworkKind
from engine.vexpress.metering import measure
from engine.vexpress.pipeline import GUIDER_FRAMES, PROJECTION_FRAMES
from engine.vexpress.production import ClipJob
from engine.vexpress.reference_net import ReferenceNet
from engine.vexpress.sampling import LATENT_CHANNELS, NO_GUIDANCE
from engine.vexpress.vae import Vae

Network = TypeVar("Network", bound=nn.Module)

TERA, MIB = 1e12, 2**20
LATENT_COPIES = 3  # before a step, after it, and the mean of what the windows say
# The public VAE; all else about it is as the library has it.
VAE_SIZES: Mapping[str, Any] = {
    "block_out_channels": (128, 256, 512, 512),
    "layers_per_block": 2,
    "latent_channels": LATENT_CHANNELS,
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedClip:
    """The clip to plan for."""

    config: ModelConfig
    frames: int
    samples: int  # of sound at 16 kHz
    job: ClipJob
    dtype: torch.dtype


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One network at work."""

    name: str  # the network's comes first
    takes: tuple[int, ...]  # shape of its main input
    gives: tuple[int, ...]
    calls: int
    flops: int  # of all calls
    weight_bytes: int
    working_bytes: int  # of one call, at its peak


def plan_stages(clip: PlannedClip) -> list[Stage]:
    """The stages of a clip, in order."""
    with torch.no_grad():
        return [*_preparing(clip), *_sampling(clip), _finishing(clip)]


def total_flops(stages: Sequence[Stage]) -> int:
    """All arithmetic of a clip."""
    return sum(stage.flops for stage in stages)


def peak_bytes(stages: Sequence[Stage], *, one_at_a_time: bool) -> int:
    """Expected memory of the device: of all networks, or of the one that works, and its work."""
    if one_at_a_time:
        return max(stage.weight_bytes + stage.working_bytes for stage in stages)
    networks = {stage.name.partition(":")[0]: stage.weight_bytes for stage in stages}
    return sum(networks.values()) + max(stage.working_bytes for stage in stages)


def clip_bytes(clip: PlannedClip) -> int:
    """Main memory for what is as long as the clip: it does not have to fit the device."""
    pixels = clip.job.height * clip.job.width // LATENT_PIXELS**2
    features = clip.config.unet.block_channels[0] * clip.dtype.itemsize * _drawn_frames(clip)
    held = (
        BUFFERS * frames_in_flight(clip.job.sampling)
        if clip.job.streamed
        else LATENT_COPIES * clip.frames
    )
    latents = LATENT_CHANNELS * torch.float32.itemsize * held
    sizes = clip.config.audio_projection
    windows = sizes.positions * sizes.in_channels + sizes.queries * sizes.out_channels
    sound = clip.samples * torch.float32.itemsize
    return (features + latents) * pixels + windows * clip.dtype.itemsize * clip.frames + sound


def describe(stages: Sequence[Stage], held_bytes: int) -> list[str]:
    """The plan as lines for people; `held_bytes` of main memory are taken by the clip itself."""
    lines = ["stage                  takes                 gives                 calls      TFLOP"]
    lines[0] += "  weights     work"
    for stage in stages:
        takes, gives = (str(list(shape)).replace(" ", "") for shape in (stage.takes, stage.gives))
        lines.append(
            f"{stage.name:<23}{takes:<22}{gives:<22}{stage.calls:>5}{stage.flops / TERA:>11.3f}"
            f"{stage.weight_bytes / MIB:>5.0f} MiB{stage.working_bytes / MIB:>5.0f} MiB"
        )
    together, alone = (peak_bytes(stages, one_at_a_time=flag) / MIB for flag in (False, True))
    lines.append(
        f"in all {total_flops(stages) / TERA:.1f} TFLOP; expected memory {together:.0f} MiB, "
        f"with --save_memory {alone:.0f} MiB; "
        f"{held_bytes / MIB:.0f} MiB of main memory for the clip"
    )
    return lines


def _preparing(clip: PlannedClip) -> Iterator[Stage]:
    make = make_networks(clip.config)
    vae = on_shapes(make_vae, clip.dtype)
    yield _stage(
        "vae: encode", vae, _empty(clip, 1, 3, clip.job.height, clip.job.width), vae.encode
    )
    guider, some = make[NetworkKind.V_KPS_GUIDER], min(GUIDER_FRAMES, _drawn_frames(clip))
    drawn = _empty(clip, 1, 3, some, clip.job.height, clip.job.width)
    calls = ceil(_drawn_frames(clip) / some)
    yield _stage("guider", on_shapes(guider, clip.dtype), drawn, calls=calls)
    speech = on_shapes(make_speech_encoder, clip.dtype)
    yield _stage("speech encoder", speech, _empty(clip, clip.samples))
    projection = on_shapes(make[NetworkKind.AUDIO_PROJECTION], clip.dtype)
    sizes, some = clip.config.audio_projection, min(PROJECTION_FRAMES, clip.frames)
    windows = _empty(clip, some, sizes.positions, sizes.in_channels)
    yield _stage("audio projection", projection, windows, calls=ceil(clip.frames / some))
    reference_net = on_shapes(lambda: ReferenceNet(clip.config.unet), clip.dtype)
    yield _stage(
        "reference net",
        reference_net,
        _latents(clip),
        lambda latents: reference_net.features_and_output(latents, _level())[1],
    )


def _sampling(clip: PlannedClip) -> Iterator[Stage]:
    unet = on_shapes(lambda: DenoisingUNet(clip.config.unet), clip.dtype)
    with torch.device("meta"):
        reference_net = ReferenceNet(clip.config.unet).to(clip.dtype)
    keys = unet.project_reference(reference_net(_latents(clip), _level()))
    windows = clip.job.sampling.windows(clip.frames)
    frames, calls = len(windows[0]), len(windows) * clip.job.sampling.steps
    noisy, audio = _latents(clip, frames), clip.config.audio_projection
    tokens = _empty(clip, frames, audio.queries, audio.out_channels)
    drawn = _empty(clip, 1, clip.config.unet.block_channels[0], *noisy.shape[2:])
    yield _stage(
        "unet: with conditions",
        unet,
        noisy,
        lambda x: unet(x, _level(), tokens, keys, drawn),
        calls,
    )
    if clip.job.sampling.guidance_scale > NO_GUIDANCE:
        yield _stage("unet: without", unet, noisy, lambda x: unet(x, _level(), None, None), calls)


def _drawn_frames(clip: PlannedClip) -> int:
    """A face that stays where it is is drawn once."""
    return clip.frames if clip.job.strategy.needs_track else 1


def _finishing(clip: PlannedClip) -> Stage:
    vae, some = (
        on_shapes(make_vae, clip.dtype),
        min(clip.job.manner.frames_per_vae_call, clip.frames),
    )
    coded = _latents(clip).expand(some, -1, -1, -1)
    return _stage("vae: decode", vae, coded, vae.decode_images, ceil(clip.frames / some))


def _stage(
    name: str,
    network: nn.Module,
    given: Tensor,
    work: Callable[[Tensor], Tensor] | None = None,
    calls: int = 1,
) -> Stage:
    call = work or network
    cost = measure(lambda: call(given))
    tensors = [*network.parameters(), *network.buffers()]
    return Stage(
        name=name,
        takes=tuple(given.shape),
        gives=tuple(cost.output.shape),
        calls=calls,
        flops=cost.flops * calls,
        weight_bytes=sum(tensor.numel() * tensor.element_size() for tensor in tensors),
        working_bytes=cost.peak_bytes,
    )


def on_shapes(make: Callable[[], Network], dtype: torch.dtype = torch.float32) -> Network:
    """A network without numbers, on PyTorch's meta device."""
    with torch.device("meta"):
        network = make()
    return (
        network.to("meta", dtype).requires_grad_(False).eval()
    )  # some libraries make a tensor elsewhere all the same


def make_vae() -> Vae:
    """The public VAE's sizes, with whatever numbers in it."""
    return Vae(require("diffusers").AutoencoderKL(**VAE_SIZES))


def make_speech_encoder() -> SpeechEncoder:
    """The public speech encoder's sizes, with whatever numbers in it."""
    transformers = require("transformers")
    return SpeechEncoder(transformers.Wav2Vec2Model(transformers.Wav2Vec2Config()))


def _latents(clip: PlannedClip, frames: int | None = None) -> Tensor:
    """Latents of the portrait, or of a window of `frames`."""
    time = () if frames is None else (frames,)
    sides = (clip.job.height // LATENT_PIXELS, clip.job.width // LATENT_PIXELS)
    return _empty(clip, 1, LATENT_CHANNELS, *time, *sides)


def _empty(clip: PlannedClip, *shape: int) -> Tensor:
    return torch.empty(shape, dtype=clip.dtype, device="meta")


def _level() -> Tensor:
    return torch.zeros(1, device="meta")
