"""The audio projection: speech features around a frame -> the frame's audio tokens."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.vexpress.blocks import split_heads
from engine.vexpress.config import AudioProjectionConfig


class LatentAttention(nn.Module):
    """Latents look at speech features and at themselves."""

    def __init__(self, config: AudioProjectionConfig) -> None:
        super().__init__()
        inner = config.heads * config.head_size
        self.heads = config.heads
        self.audio_norm = nn.LayerNorm(config.width)
        self.latent_norm = nn.LayerNorm(config.width)
        self.query = nn.Linear(config.width, inner, bias=False)
        self.key_value = nn.Linear(config.width, 2 * inner, bias=False)
        self.out = nn.Linear(inner, config.width, bias=False)

    def forward(self, audio: Tensor, latents: Tensor) -> Tensor:
        """`audio` [m, rows, width], `latents` [m, queries, width] -> [m, queries, width]."""
        audio, latents = self.audio_norm(audio), self.latent_norm(latents)
        keys, values = self.key_value(torch.cat([audio, latents], dim=1)).chunk(2, dim=-1)
        mixed = functional.scaled_dot_product_attention(
            split_heads(self.query(latents), self.heads),
            split_heads(keys, self.heads),
            split_heads(values, self.heads),
        )
        out: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return out


class LatentFeedForward(nn.Module):
    """Normalise, widen, exact GELU, narrow; no biases."""

    def __init__(self, width: int, factor: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.expand = nn.Linear(width, factor * width, bias=False)
        self.contract = nn.Linear(factor * width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[m, queries, width] -> the same shape."""
        out: Tensor = self.contract(functional.gelu(self.expand(self.norm(x))))
        return out


class LatentLayer(nn.Module):
    """One round of listening and thinking."""

    def __init__(self, config: AudioProjectionConfig) -> None:
        super().__init__()
        self.attention = LatentAttention(config)
        self.feed_forward = LatentFeedForward(config.width, config.feed_forward_factor)

    def forward(self, audio: Tensor, latents: Tensor) -> Tensor:
        """`audio` [m, rows, width], `latents` [m, queries, width] -> new latents."""
        latents = latents + self.attention(audio, latents)
        out: Tensor = latents + self.feed_forward(latents)
        return out


class AudioProjection(nn.Module):
    """A few learned queries read the rows of speech features that surround one frame."""

    def __init__(self, config: AudioProjectionConfig) -> None:
        super().__init__()
        self.latents = nn.Parameter(
            torch.randn(1, config.queries, config.width) / config.width**0.5
        )
        self.positions = nn.Embedding(config.positions, config.in_channels)
        self.proj_in = nn.Linear(config.in_channels, config.width)
        self.layers = nn.ModuleList(LatentLayer(config) for _ in range(config.depth))
        self.proj_out = nn.Linear(config.width, config.out_channels)
        self.norm_out = nn.LayerNorm(config.out_channels)

    def forward(self, frame_audio_embeddings: Tensor) -> Tensor:
        """Windows [m, rows, in channels], one a frame -> tokens [m, queries, out channels]."""
        frames, rows, _ = frame_audio_embeddings.shape
        if rows > self.positions.num_embeddings:
            raise ValueError(
                f"{rows} rows of speech features a frame: this projection has "
                f"{self.positions.num_embeddings} positions"
            )
        audio = self.proj_in(frame_audio_embeddings + self.positions.weight[:rows])
        latents = self.latents.expand(frames, -1, -1)
        for layer in self.layers:
            latents = layer(audio, latents)
        out: Tensor = self.norm_out(self.proj_out(latents))
        return out
