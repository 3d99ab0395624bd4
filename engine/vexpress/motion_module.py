"""Motion modules: the only place of the model where frames see each other."""

import math

import torch
from torch import Tensor, nn

from engine.vexpress.blocks import LONGEST_PERIOD, Attention, FeedForward
from engine.vexpress.config import MotionConfig
from engine.vexpress.transformer import WRAPPER_EPS


class TemporalAttention(Attention):
    """Self-attention over frames; keys, queries and values carry the place in the window."""

    positions: Tensor

    def __init__(self, channels: int, config: MotionConfig) -> None:
        super().__init__(channels, config.heads)
        self.register_buffer("positions", positional_table(config.max_frames, channels))

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """[sequences, frames, channels] -> the same shape."""
        return super().forward(x + self.positions[:, : x.shape[1]], context)


class TemporalBlock(nn.Module):
    """Temporal attentions one after another, then a feed-forward."""

    def __init__(self, channels: int, config: MotionConfig) -> None:
        super().__init__()
        count = config.attentions
        self.norms = nn.ModuleList(nn.LayerNorm(channels) for _ in range(count))
        self.attentions = nn.ModuleList(TemporalAttention(channels, config) for _ in range(count))
        self.feed_norm = nn.LayerNorm(channels)
        self.feed_forward = FeedForward(channels)

    def forward(self, x: Tensor) -> Tensor:
        """[sequences, frames, channels] -> the same shape."""
        for norm, attention in zip(self.norms, self.attentions, strict=True):
            x = x + attention(norm(x))
        out: Tensor = x + self.feed_forward(self.feed_norm(x))
        return out


class MotionModule(nn.Module):
    """Every pixel's sequence of frames through a transformer, added to the input."""

    def __init__(self, channels: int, norm_groups: int, config: MotionConfig) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(norm_groups, channels, eps=WRAPPER_EPS)
        self.proj_in = nn.Linear(channels, channels)
        self.block = TemporalBlock(channels, config)
        self.proj_out = nn.Linear(channels, channels)
        # A new module changes nothing: training starts from a model of single frames.
        for parameter in self.proj_out.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """[b * frames, channels, h, w] -> the same shape."""
        items, channels, height, width = x.shape
        pixels = self.norm(x).reshape(items // frames, frames, channels, height * width)
        sequences = pixels.permute(0, 3, 1, 2).reshape(-1, frames, channels)
        sequences = self.proj_out(self.block(self.proj_in(sequences)))
        pixels = sequences.reshape(items // frames, height * width, frames, channels)
        out: Tensor = x + pixels.permute(0, 2, 3, 1).reshape(x.shape)
        return out


def positional_table(frames: int, channels: int) -> Tensor:
    """[1, frames, channels] float32: sines on even channels, cosines on odd ones."""
    position = torch.arange(frames, dtype=torch.float32)[:, None]
    even = torch.arange(0, channels, 2, dtype=torch.float32)
    angles = position * torch.exp(even * (-math.log(LONGEST_PERIOD) / channels))
    return torch.stack([angles.sin(), angles.cos()], dim=-1).reshape(1, frames, channels)
