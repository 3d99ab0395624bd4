"""The denoising UNet once more, written as plainly as possible from published tensors.

Frames stay a dimension, the portrait's features are repeated for every frame, attention is spelled
out. It shares no layer with the engine: what both give is compared in float64.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from engine.vexpress.blocks import sinusoid
from engine.vexpress.config import UNetConfig


@dataclass
class PlainUNet:
    """Published tensors by published names."""

    config: UNetConfig
    tensors: Mapping[str, Tensor]

    def __call__(
        self,
        latents: Tensor,
        timesteps: Tensor,
        audio: Tensor,
        banks: Mapping[str, Tensor],
        kps_features: Tensor,
        weights: tuple[float, float],
    ) -> Tensor:
        """As the engine's network; `timesteps` [b], `banks` of as many items as `latents`."""
        self.audio, self.banks, self.weights = audio, banks, weights
        waves = sinusoid(timesteps, self.config.block_channels[0]).to(latents.dtype)
        hidden = functional.silu(self.linear("time_embedding.linear_1", waves))
        self.time = self.linear("time_embedding.linear_2", hidden)
        x = self.conv("conv_in", latents) + kps_features
        skips = [x]
        levels = len(self.config.block_channels)
        for level in range(levels):
            for index in range(self.config.layers_per_block):
                x = self.layer(f"down_blocks.{level}", index, x, level)
                skips.append(x)
            if level < levels - 1:
                x = self.conv(f"down_blocks.{level}.downsamplers.0.conv", x, stride=2)
                skips.append(x)
        x = self.resnet("mid_block.resnets.0", x)
        x = self.transformer("mid_block.attentions.0", x, self.config.heads[-1])
        x = self.motion("mid_block.motion_modules.0", x)
        x = self.resnet("mid_block.resnets.1", x)
        for block in range(levels):
            for index in range(self.config.layers_per_block + 1):
                x = torch.cat([x, skips.pop()], dim=1)
                x = self.layer(f"up_blocks.{block}", index, x, levels - 1 - block)
            if block < levels - 1:
                size = (x.shape[2], *skips[-1].shape[-2:])
                x = functional.interpolate(x, size=size, mode="nearest")
                x = self.conv(f"up_blocks.{block}.upsamplers.0.conv", x)
        x = functional.silu(self.group_norm("conv_norm_out", x, self.config.norm_eps))
        return self.conv("conv_out", x)

    def layer(self, block: str, index: int, x: Tensor, level: int) -> Tensor:
        x = self.resnet(f"{block}.resnets.{index}", x)
        if self.config.attends[level]:
            x = self.transformer(f"{block}.attentions.{index}", x, self.config.heads[level])
        return self.motion(f"{block}.motion_modules.{index}", x)

    def resnet(self, name: str, x: Tensor) -> Tensor:
        eps = self.config.norm_eps
        y = self.conv(f"{name}.conv1", functional.silu(self.group_norm(f"{name}.norm1", x, eps)))
        time = self.linear(f"{name}.time_emb_proj", functional.silu(self.time))
        y = y + time[:, :, None, None, None]
        y = self.conv(f"{name}.conv2", functional.silu(self.group_norm(f"{name}.norm2", y, eps)))
        if f"{name}.conv_shortcut.weight" in self.tensors:
            x = self.conv(f"{name}.conv_shortcut", x)
        return x + y

    def transformer(self, name: str, x: Tensor, heads: int) -> Tensor:
        batch, channels, frames, height, width = x.shape
        y = self.conv(f"{name}.proj_in", self.group_norm(f"{name}.norm", x, 1e-6))
        y = y.permute(0, 2, 3, 4, 1).reshape(batch * frames, height * width, channels)
        bank = self.banks[name].repeat_interleave(frames, dim=0)
        block = f"{name}.transformer_blocks.0"
        seen = self.layer_norm(f"{block}.norm1", y)
        y = y + self.attention(f"{block}.attn1", seen, seen, heads)
        seen = self.layer_norm(f"{block}.norm1_5", y)
        y = y + self.weights[0] * self.attention(f"{block}.attn1_5", seen, bank, heads)
        seen = self.layer_norm(f"{block}.norm2", y)
        y = y + self.weights[1] * self.attention(f"{block}.attn2", seen, self.audio, heads)
        y = y + self.feed_forward(f"{block}.ff", self.layer_norm(f"{block}.norm3", y))
        y = y.reshape(batch, frames, height, width, channels).permute(0, 4, 1, 2, 3)
        return x + self.conv(f"{name}.proj_out", y)

    def motion(self, name: str, x: Tensor) -> Tensor:
        batch, channels, frames, height, width = x.shape
        name += ".temporal_transformer"
        block = f"{name}.transformer_blocks.0"
        y = self.group_norm(f"{name}.norm", x, 1e-6).permute(0, 3, 4, 2, 1)
        y = self.linear(f"{name}.proj_in", y.reshape(-1, frames, channels))
        for index in range(self.config.motion.attentions):
            inner = f"{block}.attention_blocks.{index}"
            seen = self.layer_norm(f"{block}.norms.{index}", y)
            seen = seen + self.tensors[f"{inner}.pos_encoder.pe"][:, :frames]
            y = y + self.attention(inner, seen, seen, self.config.motion.heads)
        y = y + self.feed_forward(f"{block}.ff", self.layer_norm(f"{block}.ff_norm", y))
        y = self.linear(f"{name}.proj_out", y).reshape(batch, height, width, frames, channels)
        return x + y.permute(0, 4, 3, 1, 2)

    def attention(self, name: str, x: Tensor, context: Tensor, heads: int) -> Tensor:
        parts = [self.linear(f"{name}.to_q", x)]
        parts += [self.linear(f"{name}.to_{part}", context) for part in "kv"]
        q, k, v = (part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in parts)  # type: ignore[no-untyped-call]
        chances = (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])).softmax(dim=-1)
        return self.linear(f"{name}.to_out.0", (chances @ v).transpose(1, 2).flatten(2))

    def feed_forward(self, name: str, x: Tensor) -> Tensor:
        value, gate = self.linear(f"{name}.net.0.proj", x).chunk(2, dim=-1)
        return self.linear(f"{name}.net.2", value * functional.gelu(gate))

    def linear(self, name: str, x: Tensor) -> Tensor:
        return functional.linear(
            x, self.tensors[f"{name}.weight"], self.tensors.get(f"{name}.bias")
        )

    def layer_norm(self, name: str, x: Tensor) -> Tensor:
        weight, bias = self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"]
        return functional.layer_norm(x, weight.shape, weight, bias, 1e-5)

    def group_norm(self, name: str, x: Tensor, eps: float) -> Tensor:
        weight, bias = self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"]
        normed = [
            functional.group_norm(frame, self.config.norm_groups, weight, bias, eps)
            for frame in x.unbind(2)
        ]
        return torch.stack(normed, dim=2)

    def conv(self, name: str, x: Tensor, stride: int = 1) -> Tensor:
        """A convolution of every frame."""
        weight, bias = self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"]
        folded = x.transpose(1, 2).flatten(0, 1)
        y = functional.conv2d(folded, weight, bias, stride, padding=weight.shape[-1] // 2)
        return y.unflatten(0, (-1, x.shape[2])).transpose(1, 2)  # type: ignore[no-any-return, no-untyped-call]
