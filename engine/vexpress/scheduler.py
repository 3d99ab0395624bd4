"""The noise schedule and its solver: DDIM on velocities, from pure noise to none.

`signal[t]` is the share of the clean picture's variance at noise level t (alpha bar). It ends at
exactly zero, so nothing here divides by it.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from engine.api import AvatarError


class SchedulerError(AvatarError):
    """A number of steps that the schedule cannot take."""


class BetaSchedule(StrEnum):
    """How noise grows; the published weights were trained on `scaled_linear`."""

    LINEAR = "linear"
    SCALED_LINEAR = "scaled_linear"


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseConfig:
    """The published schedule."""

    training_steps: int = 1000
    beta_start: float = 0.00085
    beta_end: float = 0.012
    schedule: BetaSchedule = BetaSchedule.SCALED_LINEAR
    zero_terminal_signal: bool = True


class Stepped(NamedTuple):
    """One step of the solver."""

    previous: Tensor  # the latents at the next, lower noise level
    original: Tensor  # what the clean latents look like from here


class Scheduler:
    """Tables of one schedule. They stay on the CPU; single values mix with any device."""

    def __init__(self, config: NoiseConfig | None = None) -> None:
        self.config = config or NoiseConfig()
        self.betas = _betas(self.config)
        self.signal = torch.cumprod(1 - self.betas, dim=0)  # [training steps] float32
        self.final_signal = torch.ones(())

    def timesteps(self, steps: int, *, refuse_surplus: bool = False) -> tuple[int, ...]:
        """Noise levels of `steps` steps, the highest first ("trailing" spacing).

        Rounding gives some counts one level too many, below zero. It is left out, or the count
        refused.
        """
        total = self.config.training_steps
        if not 1 <= steps <= total:
            raise SchedulerError(f"{steps} steps: expected 1 to {total}")
        levels = np.round(np.arange(total, 0, -total / steps)).astype(int) - 1
        if len(levels) > steps and refuse_surplus:
            raise SchedulerError(
                f"{steps} steps: the published schedule gives {len(levels)}, take another number"
            )
        return tuple(int(level) for level in levels[:steps])

    def step(self, latents: Tensor, velocity: Tensor, timestep: int, steps: int) -> Stepped:
        """Go down one of `steps` equal steps from `timestep`; all shapes are the same."""
        signal = self.signal[timestep]
        below = timestep - self.config.training_steps // steps
        next_signal = self.signal[below] if below >= 0 else self.final_signal
        original = signal**0.5 * latents - (1 - signal) ** 0.5 * velocity
        noise = signal**0.5 * velocity + (1 - signal) ** 0.5 * latents
        return Stepped(next_signal**0.5 * original + (1 - next_signal) ** 0.5 * noise, original)

    def add_noise(self, clean: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """Noisy latents of `clean` [b, ...] at `timesteps` [b], as in training."""
        signal = self._shares(timesteps, clean)
        return signal**0.5 * clean + (1 - signal) ** 0.5 * noise

    def velocity(self, clean: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """What the network should say to those noisy latents."""
        signal = self._shares(timesteps, clean)
        return signal**0.5 * noise - (1 - signal) ** 0.5 * clean

    def _shares(self, timesteps: Tensor, like: Tensor) -> Tensor:
        shares = self.signal.to(like.device)[timesteps].to(like.dtype)
        return shares.reshape(-1, *[1] * (like.ndim - 1))


def _betas(config: NoiseConfig) -> Tensor:
    """[training steps] float32."""
    if config.schedule is BetaSchedule.LINEAR:
        betas = torch.linspace(config.beta_start, config.beta_end, config.training_steps)
    else:
        roots = (config.beta_start**0.5, config.beta_end**0.5)
        betas = torch.linspace(*roots, config.training_steps) ** 2
    return _without_terminal_signal(betas) if config.zero_terminal_signal else betas


def _without_terminal_signal(betas: Tensor) -> Tensor:
    """Shift and scale the signal's root so that it starts as before and ends at zero.

    After Lin et al., "Common Diffusion Noise Schedules and Sample Steps are Flawed" (2024).
    """
    roots = torch.cumprod(1 - betas, dim=0).sqrt()
    first, last = roots[0].clone(), roots[-1].clone()
    signal = ((roots - last) * (first / (first - last))) ** 2
    return 1 - torch.cat([signal[:1], signal[1:] / signal[:-1]])
