"""The shape both UNets share: four levels down, a middle, four levels up, skips across.

What a layer is, and what it looks at, differs; `make_layer` and `seen` carry the difference.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from engine.vexpress.blocks import Downsample, ResidualBlock, Upsample
from engine.vexpress.config import UNetConfig
from engine.vexpress.transformer import TransformerSizes


@dataclass(frozen=True, slots=True)
class LayerPlan:
    """Where a layer stands and how large it is."""

    path: str  # published path of its spatial transformer, whether it has one or not
    in_channels: int
    out_channels: int
    level: int
    attends: bool


MakeLayer = Callable[[LayerPlan], nn.Module]


def make_residual(config: UNetConfig, in_channels: int, out_channels: int) -> ResidualBlock:
    """A residual block of this UNet."""
    return ResidualBlock(
        in_channels, out_channels, config.time_channels, config.norm_groups, config.norm_eps
    )


def transformer_sizes(config: UNetConfig, plan: LayerPlan) -> TransformerSizes:
    """Sizes of the spatial transformer of a layer."""
    return TransformerSizes(
        channels=plan.out_channels,
        heads=config.heads[plan.level],
        context_channels=config.context_channels,
        norm_groups=config.norm_groups,
    )


class DownBlock(nn.Module):
    """One level on the way down; every layer's output is also a skip."""

    def __init__(self, layers: list[nn.Module], downsample: Downsample | None) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.downsample = downsample

    def forward(self, x: Tensor, time: Tensor, seen: Any) -> tuple[Tensor, list[Tensor]]:
        """[m, c, h, w] -> the next level's map, and this level's skips in order."""
        skips = []
        for layer in self.layers:
            x = layer(x, time, seen)
            skips.append(x)
        if self.downsample is not None:
            x = self.downsample(x)
            skips.append(x)
        return x, skips


class MidBlock(nn.Module):
    """The lowest place: one layer and one more residual block."""

    def __init__(self, layer: nn.Module, residual: ResidualBlock) -> None:
        super().__init__()
        self.layer = layer
        self.residual = residual

    def forward(self, x: Tensor, time: Tensor, seen: Any) -> Tensor:
        """[m, c, h, w] -> the same shape."""
        out: Tensor = self.residual(self.layer(x, time, seen), time)
        return out


class UpBlock(nn.Module):
    """One level on the way up; every layer takes the newest skip and removes it."""

    def __init__(self, layers: list[nn.Module], upsample: Upsample | None) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.upsample = upsample

    def forward(self, x: Tensor, skips: list[Tensor], time: Tensor, seen: Any) -> Tensor:
        """[m, c, h, w] -> the map of the level above, as large as that level's next skip."""
        for layer in self.layers:
            x = layer(torch.cat([x, skips.pop()], dim=1), time, seen)
        if self.upsample is not None:
            height, width = skips[-1].shape[-2:]
            x = self.upsample(x, (height, width))
        return x


class Backbone(nn.Module):
    """All levels, from the first convolution's output to the last convolution's input."""

    def __init__(self, config: UNetConfig, make_layer: MakeLayer) -> None:
        super().__init__()
        lowest, last = config.block_channels[-1], len(config.block_channels) - 1
        self.down_blocks = nn.ModuleList(
            DownBlock(
                [make_layer(plan) for plan in plans],
                Downsample(config.block_channels[level]) if level < last else None,
            )
            for level, plans in enumerate(plan_down(config))
        )
        middle = LayerPlan("mid_block.attentions.0", lowest, lowest, last, attends=True)
        self.mid_block = MidBlock(make_layer(middle), make_residual(config, lowest, lowest))
        self.up_blocks = nn.ModuleList(
            UpBlock(
                [make_layer(plan) for plan in plans],
                Upsample(plans[-1].out_channels) if block < last else None,
            )
            for block, plans in enumerate(plan_up(config))
        )

    def forward(self, x: Tensor, time: Tensor, seen: Any) -> Tensor:
        """`x` [m, first channels, h, w], `time` [m, time channels] -> the shape of `x`."""
        skips = [x]
        for block in self.down_blocks:
            x, more = block(x, time, seen)
            skips += more
        x = self.mid_block(x, time, seen)
        for block in self.up_blocks:
            x = block(x, skips, time, seen)
        return x


def plan_down(config: UNetConfig) -> Iterator[list[LayerPlan]]:
    """The layers of each level on the way down."""
    channels = config.block_channels[0]
    for level, out_channels in enumerate(config.block_channels):
        plans = []
        for index in range(config.layers_per_block):
            path = f"down_blocks.{level}.attentions.{index}"
            plans.append(
                LayerPlan(path, channels, out_channels, level, attends=config.attends[level])
            )
            channels = out_channels
        yield plans


def plan_up(config: UNetConfig) -> Iterator[list[LayerPlan]]:
    """The layers of each block on the way up; each takes a skip beside its input."""
    skips = _skip_channels(config)
    channels = config.block_channels[-1]
    levels = range(len(config.block_channels))
    for block, level in enumerate(reversed(levels)):
        out_channels, attends = config.block_channels[level], config.attends[level]
        plans = []
        for index in range(config.layers_per_block + 1):
            path = f"up_blocks.{block}.attentions.{index}"
            plans.append(
                LayerPlan(path, channels + skips.pop(), out_channels, level, attends=attends)
            )
            channels = out_channels
        yield plans


def _skip_channels(config: UNetConfig) -> list[int]:
    skips = [config.block_channels[0]]
    for level, channels in enumerate(config.block_channels):
        outputs = config.layers_per_block + (level < len(config.block_channels) - 1)
        skips += [channels] * outputs
    return skips
