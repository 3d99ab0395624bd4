"""From noise to latents: in every step all windows are asked, then all frames go down together."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

import torch
from torch import Tensor

from engine.api import AvatarError
from engine.vexpress.denoiser import DenoisingUNet
from engine.vexpress.reference_keys import ReferenceFeatures
from engine.vexpress.scheduler import Scheduler
from engine.vexpress.transformer import AttentionWeights
from engine.vexpress.windows import WindowSize, count_windows, cover, cover_folded

NO_GUIDANCE = 1.0  # up to this scale no unconditional pass is needed
LATENT_CHANNELS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How a clip is sampled; the published defaults."""

    steps: int = 25
    guidance_scale: float = 3.5
    window: WindowSize = field(default_factory=WindowSize)
    weights: AttentionWeights = field(default_factory=lambda: AttentionWeights(0.95, 3.0))
    folded: bool = False  # windows beyond the end are folded back, as published
    refuse_surplus_levels: bool = False  # so are step counts that rounding spoils

    def __post_init__(self) -> None:
        if not self.guidance_scale >= 0:
            raise AvatarError(f"guidance scale {self.guidance_scale}: expected 0 or more")

    def windows(self, frames: int) -> tuple[tuple[int, ...], ...]:
        """The windows of a clip, the same at every step."""
        return (cover_folded if self.folded else cover)(frames, self.window)


@dataclass(frozen=True, slots=True)
class FrameConditions:
    """What some frames follow, each its own."""

    audio_tokens: Tensor  # [frames, tokens, channels]
    kps_features: Tensor  # [1, channels, frames, h, w]


@dataclass(frozen=True, slots=True)
class ClipConditions:
    """What a clip's frames follow; the network takes one window of it at a time."""

    reference: ReferenceFeatures  # [1, n, channels] per layer
    audio_tokens: Tensor  # [frames, tokens, channels]
    kps_features: Tensor  # [1, channels, frames, h, w]

    def of(self, frames: list[int] | slice) -> FrameConditions:
        """What these frames follow; of a slice it shares the clip's memory."""
        return FrameConditions(self.audio_tokens[frames], self.kps_features[:, :, frames])


def initial_noise(frames: int, height: int, width: int, seed: int) -> Tensor:
    """A clip's noise [1, 4, frames, height, width], sizes in latents; drawn on the CPU."""
    source = torch.Generator().manual_seed(seed)
    return torch.randn(1, LATENT_CHANNELS, frames, height, width, generator=source)


class GuidedNetwork:
    """The network with guidance and with the portrait that all frames look at."""

    def __init__(
        self, unet: DenoisingUNet, reference: ReferenceFeatures, sampling: Sampling
    ) -> None:
        self._unet, self._sampling = unet, sampling
        weight = unet.conv_in.weight
        self._device, self._dtype = weight.device, weight.dtype
        with torch.inference_mode():
            features = reference.to(self._device, self._dtype)
            self._reference = unet.project_reference(features)

    def velocity(self, latents: Tensor, level: int, seen: FrameConditions) -> Tensor:
        """The guided prediction for the frames of one window [1, 4, frames, h, w].

        Of the type of `latents`, and where they are.
        """
        here = latents.to(self._device, self._dtype)
        timestep = torch.tensor([level], device=self._device)
        weights = self._sampling.weights
        conditional = self._unet(
            here,
            timestep,
            seen.audio_tokens.to(self._device, self._dtype),
            self._reference,
            seen.kps_features.to(self._device, self._dtype),
            weights,
        )
        scale = self._sampling.guidance_scale
        if scale > NO_GUIDANCE:
            # Zeros in place of every condition: the network skips what they would be read by.
            free = self._unet(here, timestep, None, None, None, weights)
            conditional = free + scale * (conditional - free)
        out: Tensor = conditional.to(latents.device, latents.dtype)
        return out


class ClipSampler:
    """One clip, one network, one way to sample."""

    def __init__(
        self,
        unet: DenoisingUNet,
        scheduler: Scheduler,
        conditions: ClipConditions,
        sampling: Sampling,
    ) -> None:
        self._network = GuidedNetwork(unet, conditions.reference, sampling)
        self._scheduler = scheduler
        self._conditions, self._sampling = conditions, sampling

    @torch.inference_mode()
    def run(
        self, noise: Tensor, show: Callable[[int, int], None] = lambda _done, _total: None
    ) -> Iterator[Tensor]:
        """Yield the latents [1, 4, frames, h, w] after each step, where `noise` is.

        `show` hears how many of how many calls are done; each call is one window in one step.
        """
        sampling, latents = self._sampling, noise
        levels = self._scheduler.timesteps(
            sampling.steps, refuse_surplus=sampling.refuse_surplus_levels
        )
        windows = sampling.windows(noise.shape[2])
        step = self._step_folded if sampling.folded else self._step
        calls = count(1)
        total = len(levels) * len(windows)
        for level in levels:
            latents = step(latents, level, windows, lambda: show(next(calls), total))
            yield latents

    def velocity(self, latents: Tensor, window: Sequence[int], level: int) -> Tensor:
        """The guided prediction for the frames of one window, float32, where `latents` are."""
        frames = list(window)
        return self._network.velocity(latents[:, :, frames], level, self._conditions.of(frames))

    def _step(
        self,
        latents: Tensor,
        level: int,
        windows: Sequence[Sequence[int]],
        show: Callable[[], None],
    ) -> Tensor:
        """Average what all windows say of a frame, then go down one step."""
        counts = count_windows(latents.shape[2], windows)
        mean = torch.zeros_like(latents)
        for window in windows:
            shares = latents.new_tensor([counts[frame] for frame in window])
            said = self.velocity(latents, window, level) / shares[:, None, None]
            mean[:, :, list(window)] += said
            show()
        return self._scheduler.step(latents, mean, level, self._sampling.steps).previous

    def _step_folded(
        self,
        latents: Tensor,
        level: int,
        windows: Sequence[Sequence[int]],
        show: Callable[[], None],
    ) -> Tensor:
        """The published order, which matters where a window holds a frame twice.

        A frame goes down as soon as its last window has spoken, and again, from that alone, each
        time that window speaks of it once more.
        """
        counts = count_windows(latents.shape[2], windows)
        spoken = [0] * len(counts)
        sums, lower = torch.zeros_like(latents), latents.clone()
        for window in windows:
            said = self.velocity(latents, window, level)
            for frame in set(window):
                spoken[frame] += 1
            for place, frame in enumerate(window):
                sums[:, :, frame] += said[:, :, place] / counts[frame]
                if spoken[frame] == counts[frame]:
                    lower[:, :, frame] = self._scheduler.step(
                        latents[:, :, frame], sums[:, :, frame], level, self._sampling.steps
                    ).previous
                    sums[:, :, frame] = 0
            show()
        return lower
