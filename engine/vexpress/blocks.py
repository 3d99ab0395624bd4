"""The small parts that every network here is made of.

Frames are folded into the batch: a map is [m, channels, height, width] with m = batch * frames,
frames running fastest. Only the motion modules unfold it.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.stream.attention import attend, require_attention
from engine.stream.backends import AttentionKind

LONGEST_PERIOD = 10_000.0


class KeysValues(NamedTuple):
    """What an attention looks at, already projected: [groups, heads, tokens, head size] each."""

    keys: Tensor
    values: Tensor


class Attention(nn.Module):
    """Multi-head attention: no mask, no normalisation, no residual; a bias at the output only."""

    def __init__(self, channels: int, heads: int, context_channels: int | None = None) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(channels, channels, bias=False)
        self.key = nn.Linear(context_channels or channels, channels, bias=False)
        self.value = nn.Linear(context_channels or channels, channels, bias=False)
        self.out = nn.Linear(channels, channels)
        self.kind = AttentionKind.SDPA

    def project(self, context: Tensor) -> KeysValues:
        """Keys and values of `context` [groups, tokens, context channels]."""
        return KeysValues(
            split_heads(self.key(context), self.heads), split_heads(self.value(context), self.heads)
        )

    def attend(self, x: Tensor, seen: KeysValues) -> Tensor:
        """Let `x` [m, n, channels] look at `seen`, whose groups are shared by m / groups items.

        Items of one group are laid end to end on the query axis, so that keys and values of a
        portrait serve all frames without a copy.
        """
        query = self.query(x).reshape(seen.keys.shape[0], -1, x.shape[-1])
        query = split_heads(query, self.heads)
        mixed = attend(query, seen.keys, seen.values, self.kind)
        out: Tensor = self.out(mixed.transpose(1, 2).reshape(x.shape))
        return out

    def blind(self) -> Tensor:
        """The output [channels] for a context of zeros: no bias but the last, so only that."""
        return self.out.bias

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """`x` [m, n, channels] looks at `context` [groups, tokens, c], without one at itself."""
        return self.attend(x, self.project(x if context is None else context))


def use_attention(network: nn.Module, kind: AttentionKind) -> None:
    """Let every attention of `network` be computed by `kind`.

    Raises `BackendUnavailableError` if it is not installed; `choose_attention` says beforehand.
    """
    require_attention(kind)
    for module in network.modules():
        if isinstance(module, Attention):
            module.kind = kind


class FeedForward(nn.Module):
    """The gated linear unit with an exact GELU (GEGLU), four times as wide inside."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.expand = nn.Linear(channels, 8 * channels)
        self.contract = nn.Linear(4 * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """[m, n, channels] -> [m, n, channels]."""
        value, gate = self.expand(x).chunk(2, dim=-1)
        out: Tensor = self.contract(value * functional.gelu(gate))
        return out


class TimeEmbedding(nn.Module):
    """Noise levels as waves, then two linear layers."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.linear_in = nn.Linear(channels, out_channels)
        self.linear_out = nn.Linear(out_channels, out_channels)

    def forward(self, timesteps: Tensor) -> Tensor:
        """[m] -> [m, out channels], in the data type of the weights."""
        waves = sinusoid(timesteps, self.channels).to(self.linear_in.weight.dtype)
        out: Tensor = self.linear_out(functional.silu(self.linear_in(waves)))
        return out


class ResidualBlock(nn.Module):
    """Two normalised convolutions, the time embedding added between them."""

    def __init__(
        self, in_channels: int, out_channels: int, time_channels: int, groups: int, eps: float
    ) -> None:
        super().__init__()
        self.norm_in = nn.GroupNorm(groups, in_channels, eps=eps)
        self.conv_in = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.time = nn.Linear(time_channels, out_channels)
        self.norm_out = nn.GroupNorm(groups, out_channels, eps=eps)
        self.conv_out = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.shortcut: nn.Module = nn.Identity()
        if in_channels != out_channels:
            self.shortcut = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """`x` [m, in channels, h, w], `time` [m, time channels] -> [m, out channels, h, w]."""
        y = self.conv_in(functional.silu(self.norm_in(x)))
        y = y + self.time(functional.silu(time))[:, :, None, None]
        y = self.conv_out(functional.silu(self.norm_out(y)))
        out: Tensor = self.shortcut(x) + y
        return out


class Downsample(nn.Module):
    """Half the height and width, rounded up."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """[m, channels, h, w] -> [m, channels, ceil(h / 2), ceil(w / 2)]."""
        out: Tensor = self.conv(x)
        return out


class Upsample(nn.Module):
    """Grow to a given size by repeating pixels; twice the size unless halving had rounded up."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        """[m, channels, h, w] -> [m, channels, *size]."""
        out: Tensor = self.conv(functional.interpolate(x, size=size, mode="nearest"))
        return out


def sinusoid(timesteps: Tensor, channels: int) -> Tensor:
    """[m] -> [m, channels] float32: cosines, then sines, from period 2 pi to 10 000 times that."""
    half = channels // 2
    steps = torch.arange(half, dtype=torch.float32, device=timesteps.device)
    angles = timesteps.float()[:, None] * torch.exp(-math.log(LONGEST_PERIOD) * steps / half)
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


def split_heads(tokens: Tensor, heads: int) -> Tensor:
    """[groups, tokens, channels] -> [groups, heads, tokens, head size]."""
    return tokens.reshape(*tokens.shape[:2], heads, -1).transpose(1, 2)


def fold_frames(clip: Tensor) -> Tensor:
    """[b, channels, frames, h, w] -> [b * frames, channels, h, w]."""
    return clip.transpose(1, 2).flatten(0, 1)


def unfold_frames(maps: Tensor, frames: int) -> Tensor:
    """[b * frames, channels, h, w] -> [b, channels, frames, h, w]."""
    return maps.reshape(-1, frames, *maps.shape[1:]).transpose(1, 2)
