"""The noise levels of a few-step schedule, as a ladder whose rungs are taken from the top.

`signal` is the share of the clean latents' variance at a noise level (alpha bar). With a zero
terminal signal-to-noise ratio the top rung's is exactly zero, so nothing divides by it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from engine.api import AvatarError

CLEAN_TIMESTEP = 0  # how finished frames are told to the network
WHOLE_SIGNAL = 1.0
COSINE_OFFSET = 0.008


class LadderError(AvatarError):
    """Noise levels that do not descend, or that the table of signals does not have."""


@dataclass(frozen=True, slots=True)
class Rung:
    """One noise level, and the signal that a step from it leads to."""

    timestep: int
    signal: float
    next_signal: float


@dataclass(frozen=True, slots=True)
class Ladder:
    """`rungs` from the noisiest down; `rest` is where finished frames stay."""

    rungs: tuple[Rung, ...]
    rest: Rung

    def __post_init__(self) -> None:
        levels = [rung.timestep for rung in self.rungs]
        if not levels or sorted(set(levels), reverse=True) != levels:
            raise LadderError(f"noise levels {levels}: expected falling ones, at least one")

    @property
    def steps(self) -> int:
        """Network calls from noise to a clean frame."""
        return len(self.rungs)

    def rung(self, level: int) -> Rung:
        """The rung of a level; the level after the last one is that of finished frames."""
        return self.rest if level == self.steps else self.rungs[level]

    @classmethod
    def climb(
        cls, signals: Sequence[float], timesteps: Sequence[int], stride: int | None = None
    ) -> "Ladder":
        """A ladder of `timesteps`, the highest first; `signals` has one entry a training step.

        A step leads to the next of the timesteps and the last one to a clean frame. With a
        `stride` it leads so many training steps down, as DDIM does it in the published program,
        which need not be the next timestep of the list (../vexpress SPEC, section 12).
        """
        outside = [t for t in timesteps if not 0 <= t < len(signals)]
        if outside:
            raise LadderError(f"noise levels {outside}: expected 0 to {len(signals) - 1}")
        below = [t - stride for t in timesteps] if stride else [*timesteps, -1][1:]
        rungs = tuple(
            Rung(timestep, signals[timestep], signals[after] if after >= 0 else WHOLE_SIGNAL)
            for timestep, after in zip(timesteps, below, strict=True)
        )
        shown = signals[CLEAN_TIMESTEP]
        return cls(rungs, Rung(CLEAN_TIMESTEP, shown, shown))


def cosine_signals(count: int) -> tuple[float, ...]:
    """The signals of `count` levels, falling along a squared cosine to zero at the last.

    After Nichol and Dhariwal, "Improved Denoising Diffusion Probabilistic Models" (2021),
    equation 17, shifted so that the last level has no signal at all.
    """

    def curve(level: float) -> float:
        return math.cos((level + COSINE_OFFSET) / (1 + COSINE_OFFSET) * math.pi / 2) ** 2

    first = curve(1 / count)
    return (*(curve((index + 1) / count) / first for index in range(count - 1)), 0.0)


def spread_timesteps(count: int, steps: int) -> tuple[int, ...]:
    """`steps` of `count` noise levels, evenly, with the highest one first ("trailing")."""
    if not 1 <= steps <= count:
        raise LadderError(f"{steps} steps: expected 1 to {count}")
    return tuple(round(count - index * count / steps) - 1 for index in range(steps))
