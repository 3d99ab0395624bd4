"""Arithmetic of a live preset, counted on shapes alone: nothing is computed."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from engine.stream.schedule import Call, Schedule
from engine.vexpress.audio_frontend import SAMPLE_RATE_HZ
from engine.vexpress.config import PUBLISHED, ModelConfig
from engine.vexpress.convert import make_networks
from engine.vexpress.denoiser import DenoisingUNet
from engine.vexpress.extra import require
from engine.vexpress.images import LATENT_PIXELS
from engine.vexpress.key_map import NetworkKind
from engine.vexpress.metering import count_flops
from engine.vexpress.plan import make_speech_encoder, make_vae, on_shapes
from engine.vexpress.presets import Decoder, Preset
from engine.vexpress.reference_keys import ReferenceKeys
from engine.vexpress.reference_net import ReferenceNet
from engine.vexpress.sampling import LATENT_CHANNELS, NO_GUIDANCE, Sampling
from engine.vexpress.vae import Vae

FRAME_RATE_HZ = 25
PAST_S, FUTURE_S = 0.96, 0.08  # of sound that the speech encoder hears around a chunk
# The encoder's 80 ms, and the two frames to each side whose features a frame is shown.
LOOK_AHEAD_FRAMES = round(FUTURE_S * FRAME_RATE_HZ) + 2
PUBLISHED_SIZE = 512
LATE_CHUNK = 1000  # long after any beginning


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameCost:
    """Floating-point operations for each frame that leaves; a multiply-add counts as two."""

    unet_conditional: float
    unet_unconditional: float = 0.0  # the second half of guidance
    decode: float
    speech: float = 0.0
    audio_projection: float = 0.0
    guider: float = 0.0  # of a constant pose: none, it is drawn once a session

    @property
    def total(self) -> float:
        """All of it."""
        unet = self.unet_conditional + self.unet_unconditional
        return unet + self.decode + self.speech + self.audio_projection + self.guider


class Arithmetic:
    """Counts what one call of a network takes; every shape once."""

    def __init__(self, config: ModelConfig = PUBLISHED) -> None:
        self._config = config
        self._known: dict[Hashable, int] = {}

    def unet(self, size: int, frames: int, *, conditional: bool) -> int:
        """One look at `frames` frames of `size` x `size` pixels."""
        side, key = size // LATENT_PIXELS, ("unet", size, frames, conditional)
        return self._once(key, self._unet_call(side, frames, conditional=conditional))

    def decode(self, decoder: Decoder, size: int) -> int:
        """One frame from latents to pixels."""
        side = size // LATENT_PIXELS

        def call() -> Tensor:
            return on_shapes(lambda: make_decoder(decoder)).decode_images(
                _empty(1, LATENT_CHANNELS, side, side)
            )

        return self._once(("decode", decoder, size), call)

    def speech(self, samples: int) -> int:
        """One call of the speech encoder."""
        return self._once(
            ("speech", samples), lambda: on_shapes(make_speech_encoder)(_empty(samples))
        )

    def audio_projection(self, frames: int) -> int:
        """Audio tokens of some frames."""
        sizes = self._config.audio_projection
        make = make_networks(self._config)[NetworkKind.AUDIO_PROJECTION]
        windows = (frames, sizes.positions, sizes.in_channels)
        return self._once(("projection", frames), lambda: on_shapes(make)(_empty(*windows)))

    def guider(self, size: int) -> int:
        """One drawing of a face's points; a live pose takes one a frame."""
        make = make_networks(self._config)[NetworkKind.V_KPS_GUIDER]
        return self._once(("guider", size), lambda: on_shapes(make)(_empty(1, 3, 1, size, size)))

    @cached_property
    def _unet(self) -> DenoisingUNet:
        return on_shapes(lambda: DenoisingUNet(self._config.unet))

    @cached_property
    def _reference_net(self) -> ReferenceNet:
        return on_shapes(lambda: ReferenceNet(self._config.unet))

    def _unet_call(self, side: int, frames: int, *, conditional: bool) -> Callable[[], Tensor]:
        noisy = _empty(1, LATENT_CHANNELS, frames, side, side)
        levels = _empty(1, frames)
        if not conditional:
            return lambda: self._unet(noisy, levels, None, None)
        audio, first = self._config.audio_projection, self._config.unet.block_channels[0]
        keys = self._portrait(side)
        tokens = _empty(frames, audio.queries, audio.out_channels)
        drawn = _empty(1, first, frames, side, side)
        return lambda: self._unet(noisy, levels, tokens, keys, drawn)

    @torch.no_grad()
    def _portrait(self, side: int) -> ReferenceKeys:
        """Of a session, not of a call."""
        features = self._reference_net(_empty(1, LATENT_CHANNELS, side, side), _empty(1))
        return self._unet.project_reference(features)

    def _once(self, key: Hashable, call: Callable[[], object]) -> int:
        if key not in self._known:
            self._known[key] = count_flops(call)
        return self._known[key]


def make_decoder(decoder: Decoder) -> Vae:
    """A decoder of the published sizes, with whatever numbers in it."""
    if decoder is Decoder.TINY:
        return Vae(require("diffusers").AutoencoderTiny())  # its own sizes are the published ones
    return make_vae()


def heard_samples(schedule: Schedule) -> int:
    """Sound that the speech encoder is given for every chunk."""
    seconds = PAST_S + schedule.chunk_frames / FRAME_RATE_HZ + FUTURE_S
    return round(seconds * SAMPLE_RATE_HZ)


def frame_cost(preset: Preset, arithmetic: Arithmetic) -> FrameCost:
    """What a preset takes for each frame in the long run."""
    calls, chunk = preset.schedule.calls(LATE_CHUNK), preset.schedule.chunk_frames

    def unet(some: list[Call], *, conditional: bool) -> float:
        counts = [
            arithmetic.unet(preset.size, len(c.levels), conditional=conditional) for c in some
        ]
        return sum(counts) / chunk

    return FrameCost(
        unet_conditional=unet(list(calls), conditional=True),
        unet_unconditional=unet([call for call in calls if call.guided], conditional=False),
        decode=arithmetic.decode(preset.decoder, preset.size),
        speech=arithmetic.speech(heard_samples(preset.schedule)) / chunk,
        audio_projection=arithmetic.audio_projection(chunk) / chunk,
    )


def published_evaluations(sampling: Sampling | None = None) -> float:
    """UNet evaluations a frame of the published program in a long clip."""
    sampling = sampling or Sampling()
    size = sampling.window
    shown = size.frames / (size.frames - size.overlap)
    return sampling.steps * shown * (1 + (sampling.guidance_scale > NO_GUIDANCE))


def published_cost(arithmetic: Arithmetic) -> FrameCost:
    """What the published program takes for a frame of a long clip.

    It computes attention to zeros in the unconditional half, which costs as much as to anything.
    """
    frames = Sampling().window.frames
    one = arithmetic.unet(PUBLISHED_SIZE, frames, conditional=True) / frames
    half = published_evaluations() / 2
    return FrameCost(
        unet_conditional=half * one,
        unet_unconditional=half * one,
        decode=arithmetic.decode(Decoder.KL, PUBLISHED_SIZE),
    )


def _empty(*shape: int) -> Tensor:
    return torch.empty(shape, device="meta")
