"""What a good mouth is, as one number to minimise. All on [batch, frames, 9] in centimetres."""

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.portrait.channels import Channel

# What an error of one standard deviation costs in each channel, in the order of `Channel`.
CHANNEL_WEIGHTS = (1.0, 1.3, 1.5, 1.0, 0.7, 0.4, 0.1, 0.4, 0.4)

_SHUT_CM = 0.1
_STILL = 0.3  # of a usual standard deviation: a mouth that moves less has no amplitude to match
_LIPS = (Channel.UPPER_LIP_UP, Channel.LOWER_LIP_DOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class LossWeights:
    """What each part of the loss counts."""

    place: float = 1.0  # squared error of every channel
    opening: float = 1.0  # squared error of the lip opening
    speed: float = 0.7  # squared error of the change from frame to frame
    acceleration: float = 0.0  # squared error of the change of that change
    seam: float = 0.0  # squared error of the step from history to the first new frame
    shut: float = 1.0  # an open mouth where the true lips touch
    amplitude: float = 0.1  # a timid mouth
    likeness: float = 0.25  # one minus correlation of opening and width, whatever their amplitude


def mouth_loss(
    guess: Tensor, truth: Tensor, known: Tensor, scale: Tensor, weights: LossWeights
) -> Tensor:
    """The loss; known [batch, frames] is 0 where the truth is not known, scale [9] a usual std."""
    gap, true_gap = guess[..., _LIPS].sum(-1), truth[..., _LIPS].sum(-1)
    gap_scale = scale[list(_LIPS)].sum()
    off = (guess - truth) / scale
    cost = guess.new_tensor(CHANNEL_WEIGHTS)
    shut = torch.relu(gap - _SHUT_CM) * (true_gap < _SHUT_CM)
    total = weights.place * _mean((off**2 * cost).mean(-1), known)
    total = total + weights.opening * _mean(((gap - true_gap) / gap_scale) ** 2, known)
    total = total + weights.shut * _mean((shut / gap_scale) ** 2, known)
    pairs = known[:, 1:] * known[:, :-1]
    total = total + weights.speed * _mean((off.diff(dim=1) ** 2 * cost).mean(-1), pairs)
    if weights.acceleration:
        triples = pairs[:, 1:] * pairs[:, :-1]
        bend = (off.diff(n=2, dim=1) ** 2 * cost).mean(-1)
        total = total + weights.acceleration * _mean(bend, triples)
    wide, true_wide = guess[..., Channel.MOUTH_WIDE], truth[..., Channel.MOUTH_WIDE]
    wide_scale = scale[Channel.MOUTH_WIDE]
    for one, other in (
        (gap / gap_scale, true_gap / gap_scale),
        (wide / wide_scale, true_wide / wide_scale),
    ):
        total = total + _shape_loss(one, other, known, weights)
    return total


def _shape_loss(guess: Tensor, truth: Tensor, known: Tensor, weights: LossWeights) -> Tensor:
    """Amplitude and likeness of curves [batch, frames] in usual standard deviations."""
    share = known / known.sum(1, keepdim=True).clamp(min=1)
    guess = guess - (guess * share).sum(1, keepdim=True)
    truth = truth - (truth * share).sum(1, keepdim=True)
    spread = ((guess**2 * share).sum(1) + 1e-4).sqrt()
    true_spread = ((truth**2 * share).sum(1) + 1e-4).sqrt()
    moving = (true_spread > _STILL).to(guess.dtype)
    likeness = (guess * truth * share).sum(1) / (spread * true_spread)
    timid = torch.relu(1 - spread / true_spread) ** 2
    return ((weights.likeness * (1 - likeness) + weights.amplitude * timid) * moving).mean()


def _mean(values: Tensor, known: Tensor) -> Tensor:
    return (values * known).sum() / known.sum().clamp(min=1)
