"""The mouth network: paints what lies between lips, from their shape and one look at the person."""

from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

FULL, HALF, QUARTER = 24, 64, 96  # channels at a half, a quarter, an eighth of the crop's side
_SHAPE_CHANNELS = 4  # colour and opening
_SEAM_PIXELS = 5  # what is hidden reaches two pixels over the lips
_COARSE_PIXELS = 8
_LITTLE = 1e-3

Features: TypeAlias = tuple[
    Tensor, Tensor
]  # [batch, 64, ..] and [batch, 96, ..], a quarter and an eighth of the size


def _convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride, 1)


class ReferenceEncoder(nn.Module):
    """One look at a person's mouth; its features are kept per portrait."""

    def __init__(self) -> None:
        super().__init__()
        self.first = _convolution(4 * _SHAPE_CHANNELS, 32)
        self.to_32 = _convolution(32, HALF, 2)
        self.to_16 = _convolution(HALF, QUARTER, 2)
        self.wide = nn.Linear(QUARTER, QUARTER)  # colour and light, wherever they were seen
        self.give_32 = nn.Conv2d(HALF, HALF, 1)
        self.give_16 = nn.Conv2d(QUARTER, QUARTER, 1)

    def forward(self, still: Tensor) -> Features:
        """Features of a still [batch, 4, height, width]: colour -0.5..0.5 and opening 0..1."""
        x = functional.pixel_unshuffle(still, 2)
        half = functional.relu(self.to_32(functional.relu(self.first(x))))
        quarter = functional.relu(self.to_16(half))
        wide = self.wide(quarter.mean((2, 3)))[..., None, None]
        return self.give_32(half), self.give_16(quarter) + wide


class Painter(nn.Module):
    """A small UNet from lips without a mouth to the mouth."""

    def __init__(self) -> None:
        super().__init__()
        self.first = _convolution(4 * _SHAPE_CHANNELS, FULL)
        self.to_32 = _convolution(FULL, HALF, 2)
        self.to_16 = _convolution(HALF, QUARTER, 2)
        self.deep = nn.ModuleList(_convolution(QUARTER, QUARTER) for _ in range(3))
        self.up_half = nn.Conv2d(QUARTER, HALF, 1)
        self.mix_half = _convolution(HALF, HALF)
        self.up_first = nn.Conv2d(HALF, FULL, 1)
        self.mix_first = _convolution(FULL, FULL)
        self.last = _convolution(FULL, 12)

    def forward(self, lips: Tensor, half_seen: Tensor, quarter_seen: Tensor) -> Tensor:
        """The mouth [batch, 3, ..] of lips [batch, 4, ..] that are hidden where open."""
        relu = functional.relu
        first = relu(self.first(functional.pixel_unshuffle(lips, 2)))
        half = relu(self.to_32(first))
        deep = relu(self.to_16(half)) + quarter_seen
        for layer in self.deep:
            deep = deep + relu(layer(deep))
        x = half + half_seen + functional.interpolate(self.up_half(deep), scale_factor=2.0)
        x = half + relu(self.mix_half(relu(x)))
        x = relu(first + functional.interpolate(self.up_first(x), scale_factor=2.0))
        x = self.last(relu(self.mix_first(x)))
        return lips[:, :3] + functional.pixel_shuffle(x, 2)


class PaintedMouthNetwork(nn.Module):
    """Both parts."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = ReferenceEncoder()
        self.painter = Painter()

    def forward(self, lips: Tensor, still: Tensor) -> Tensor:
        """The mouth [batch, 3, height, width] between lips, of the person in `still`."""
        return torch.as_tensor(self.painter(lips, *self.encoder(still)))


@dataclass(frozen=True, slots=True)
class Seen:
    """What the network kept of one portrait."""

    half: Tensor
    quarter: Tensor


def hide_opening(colour: Tensor, opening: Tensor) -> Tensor:
    """Input [batch, 4, ...]: colour [batch, 3, ...] without its opening [batch, 1, ...], and it.

    Where closed lips met they leave a dark seam along the opening: it is hidden, too. In their
    place stands the colour of what lies around.
    """
    hidden = functional.max_pool2d(opening, _SEAM_PIXELS, 1, _SEAM_PIXELS // 2)
    shown = colour * (1 - hidden)
    sums = functional.avg_pool2d(torch.cat([shown, 1 - hidden], 1), _COARSE_PIXELS)
    sums = functional.avg_pool2d(sums, 5, 1, 2, count_include_pad=False)
    around = sums[:, :3] / (sums[:, 3:] + _LITTLE)
    around = functional.interpolate(around, scale_factor=float(_COARSE_PIXELS), mode="bilinear")
    return torch.cat([shown + around * hidden, opening], 1)
