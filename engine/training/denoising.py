"""Train the denoiser of mouth motion on what the mouth network hears, which stays as it is.

Every window is taken through the noise levels of the run-time ladder. Its history is true, true
with noise, or what the network made itself, so that errors do not add up.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import sqrt
from pathlib import Path

import torch
from torch import Tensor

from engine.portrait.motion_denoiser import SCHEDULE, MotionNetwork, motion_ladder
from engine.portrait.motion_unet import WINDOW_FRAMES, MotionUnet
from engine.stream.ladder import CLEAN_TIMESTEP
from engine.training.crops import START_FRAMES, Batch
from engine.training.loop import Log, Pace, train
from engine.training.losses import LossWeights, mouth_loss

_USUAL_HISTORY = SCHEDULE.history_frames


@dataclass(frozen=True, slots=True, kw_only=True)
class DenoiserPlan:
    """How long and how hard to train."""

    pace: Pace = field(
        default_factory=lambda: Pace(steps=160, learning_rate=2e-3, weight_decay=0.02)
    )
    windows: int = 4  # of every crop
    usual_share: float = 0.6  # of windows that have the history of run time; others less
    start_share: float = 0.06  # of windows that begin with the stream
    own_share: float = 0.6  # of windows whose history the network made itself
    # Of second looks at what the first one gave, not at the truth. Those taught with the truth
    # take noise for news: r falls with every step that is taken.
    own_step_share: float = 1.0
    history_noise: float = 0.25  # at most, in standard deviations
    # Progressive conditional dropout: windows that are not told what was heard, only what it
    # foretells, in stages. (0.2, 0.4, 0.6) was tried and did not help.
    unheard_shares: tuple[float, ...] = (0.0,)
    loss: LossWeights = field(
        default_factory=lambda: LossWeights(speed=0.3, acceleration=0.3, seam=0.3, likeness=3.0)
    )


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows of motion. `new` frames are to be denoised, the others are history."""

    rows: Tensor  # [windows, 32, ROW]
    truth: Tensor  # [windows, 9, 32] standard deviations
    known: Tensor  # [windows, 32], 0 where the truth is not known
    new: Tensor  # [windows, 32] bool


def unheard_share(plan: DenoiserPlan, step: int) -> float:
    """The share of windows that are not told what was heard, in the stage of a step."""
    stages = plan.unheard_shares
    return stages[min(step * len(stages) // plan.pace.steps, len(stages) - 1)]


def cut_windows(
    network: MotionNetwork, batch: Batch, plan: DenoiserPlan, chance: torch.Generator, step: int = 0
) -> Windows:
    """Windows at random places of crops, some with less history, some at the start of a stream."""
    features, mouth, known = batch
    with torch.no_grad():
        heard, _ = network.mouth.listen(features, network.mouth.start(len(features)))
        foretold = network.to_latents(network.mouth.tell(heard))
    count = len(features) * plan.windows
    crop = torch.arange(len(features)).repeat_interleave(plan.windows)[:, None]
    last = mouth.shape[1] - WINDOW_FRAMES
    first = torch.randint(START_FRAMES, last + 1, (count, 1), generator=chance)
    place = first + torch.arange(WINDOW_FRAMES)
    told = torch.rand(count, 1, 1, generator=chance) >= unheard_share(plan, step)
    rows = network.unet.row(foretold[crop, place], heard[crop, place] * told)
    truth = network.to_latents(mouth[crop, place])
    weight = known[crop, place].clone()
    history = torch.randint(0, _USUAL_HISTORY + 1, (count, 1), generator=chance)
    usual = torch.rand(count, 1, generator=chance) < plan.usual_share
    history = torch.where(usual, _USUAL_HISTORY, history)
    early = torch.randint(1, _USUAL_HISTORY + 1, (count, 1), generator=chance)
    starts = torch.rand(count, 1, generator=chance) < plan.start_share
    frames = torch.arange(WINDOW_FRAMES)
    before = (frames < early) & starts  # of the stream
    rows = torch.where(before[..., None], network.silence(), rows)
    truth = torch.where(before[..., None], network.anchor().transpose(1, 2), truth)
    return Windows(rows, truth.transpose(1, 2), weight * ~before, frames >= history)


class Denoising:
    """One training step's looks at windows."""

    def __init__(self, network: MotionNetwork, plan: DenoiserPlan, chance: torch.Generator) -> None:
        self._network, self._plan, self._chance = network, plan, chance
        self._levels = [(rung.timestep, rung.signal) for rung in motion_ladder().rungs]

    def loss(self, windows: Windows) -> Tensor:
        """The mean loss over the levels of the ladder."""
        noise = torch.randn(windows.truth.shape, generator=self._chance)
        history, own = self._history(windows)
        # The seam to true history counts; that to the network's own is not what truth did.
        edge = windows.new.roll(-1, 1) & ~windows.new & ~own
        known = windows.known * (windows.new | edge)
        total, clean = windows.truth.new_zeros(()), windows.truth
        for level, (timestep, signal) in enumerate(self._levels):
            if level:
                given = self._share(len(noise), self._plan.own_step_share)
                clean = torch.where(given[..., None], clean.detach(), windows.truth)
            clean = self._look(windows, history, (timestep, signal), (clean, noise))
            total = total + self._cost(windows, clean, known, edge)
        return total / len(self._levels)

    def _history(self, windows: Windows) -> tuple[Tensor, Tensor]:
        """What is shown as history [windows, 9, 32], and where the network made it [windows, 1]."""
        own = self._share(len(windows.truth), self._plan.own_share)
        made = self._generate(windows)
        size = torch.rand(len(made), 1, 1, generator=self._chance) * self._plan.history_noise
        shaken = windows.truth + size * torch.randn(made.shape, generator=self._chance)
        return torch.where(own[..., None], made, shaken), own

    @torch.no_grad()
    def _generate(self, windows: Windows) -> Tensor:
        """Windows made from sound alone."""
        whole = Windows(windows.rows, windows.truth, windows.known, torch.ones_like(windows.new))
        noise = torch.randn(windows.truth.shape, generator=self._chance)
        clean = windows.truth
        for level in self._levels:
            clean = self._look(whole, clean, level, (clean, noise))
        return clean

    def _look(
        self,
        windows: Windows,
        history: Tensor,
        level: tuple[int, float],
        parts: tuple[Tensor, Tensor],
    ) -> Tensor:
        """What the network takes for clean, of (clean, noise) mixed at a level."""
        (timestep, signal), (clean, noise) = level, parts
        new = windows.new[:, None]
        noisy = sqrt(signal) * clean + sqrt(1 - signal) * noise
        times = torch.where(windows.new, timestep, CLEAN_TIMESTEP)
        seen: Tensor = self._network.unet(torch.where(new, noisy, history), times, windows.rows)
        return seen

    def _cost(self, windows: Windows, clean: Tensor, known: Tensor, edge: Tensor) -> Tensor:
        whole = torch.where(windows.new[:, None], clean, windows.truth).transpose(1, 2)
        guess = self._network.to_mouth(whole)
        truth = self._network.to_mouth(windows.truth.transpose(1, 2))
        weights = self._plan.loss
        total = mouth_loss(guess, truth, known, self._network.spread, weights)
        jump = ((guess - truth) / self._network.spread).diff(dim=1).square().mean(-1)
        at_seam = (edge[:, :-1] * windows.known[:, :-1] * windows.known[:, 1:]).to(jump.dtype)
        return total + weights.seam * (jump * at_seam).sum() / at_seam.sum().clamp(min=1)

    def _share(self, count: int, share: float) -> Tensor:
        return torch.rand(count, 1, generator=self._chance) < share


def train_denoiser(
    network: MotionNetwork,
    plan: DenoiserPlan,
    draw: Callable[[int], Batch],
    log: Log,
    file: Path | None = None,
) -> MotionNetwork:
    """The network with its denoiser trained; `draw` gives the crops of a step."""
    torch.manual_seed(plan.pace.seed)
    network.mouth.eval().requires_grad_(requires_grad=False)

    def loss_of(step: int) -> Tensor:
        chance = torch.Generator().manual_seed(plan.pace.seed * plan.pace.steps + step)
        windows = cut_windows(network, draw(step), plan, chance, step)
        return Denoising(network, plan, chance).loss(windows)

    kept = train(plan.pace, network.unet, loss_of, log, file)
    assert isinstance(kept, MotionUnet)
    network.unet = kept
    return network.eval()
