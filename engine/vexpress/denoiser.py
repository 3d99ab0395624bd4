"""The denoising UNet: noisy latents of a window of frames -> the velocity towards clean ones."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from engine.vexpress.backbone import Backbone, LayerPlan, make_residual, transformer_sizes
from engine.vexpress.blocks import Attention, TimeEmbedding, fold_frames, unfold_frames
from engine.vexpress.config import UNetConfig
from engine.vexpress.motion_module import MotionModule
from engine.vexpress.reference_keys import ReferenceFeatures, ReferenceKeys, project_reference
from engine.vexpress.transformer import AttentionWeights, Conditions, DenoisingTransformer


@dataclass(frozen=True, slots=True)
class _Window:
    """What the layers of one call look at."""

    frames: int
    audio: Tensor | None  # [b * frames, tokens, context channels]
    reference: ReferenceKeys | None
    weights: AttentionWeights


class DenoisingLayer(nn.Module):
    """A residual block, on most levels a spatial transformer, and a motion module."""

    def __init__(self, config: UNetConfig, plan: LayerPlan) -> None:
        super().__init__()
        self.path = plan.path
        self.residual = make_residual(config, plan.in_channels, plan.out_channels)
        self.spatial = (
            DenoisingTransformer(transformer_sizes(config, plan)) if plan.attends else None
        )
        self.temporal = MotionModule(plan.out_channels, config.norm_groups, config.motion)

    def forward(self, x: Tensor, time: Tensor, seen: _Window) -> Tensor:
        """[b * frames, in channels, h, w] -> [b * frames, out channels, h, w]."""
        x = self.residual(x, time)
        if self.spatial is not None:
            reference = None if seen.reference is None else seen.reference[self.path]
            x = self.spatial(x, Conditions(seen.audio, reference, seen.weights))
        out: Tensor = self.temporal(x, seen.frames)
        return out


class DenoisingUNet(nn.Module):
    """Self, reference, audio and temporal attention in the UNet of Stable Diffusion 1.5."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        first = config.block_channels[0]
        self.conv_in = nn.Conv2d(config.in_channels, first, 3, padding=1)
        self.time_embedding = TimeEmbedding(first, config.time_channels)
        self.backbone = Backbone(config, lambda plan: DenoisingLayer(config, plan))
        self.norm_out = nn.GroupNorm(config.norm_groups, first, eps=config.norm_eps)
        self.conv_out = nn.Conv2d(first, config.out_channels, 3, padding=1)

    def forward(
        self,
        latents: Tensor,
        timesteps: Tensor,
        audio_tokens: Tensor | None,
        reference: ReferenceFeatures | ReferenceKeys | None,
        kps_features: Tensor | None = None,
        weights: AttentionWeights | None = None,
    ) -> Tensor:
        """Predict the velocity [b, 4, frames, h, w] of `latents` [b, 4, frames, h, w].

        `timesteps` is [1], [b] or [b, frames]: each frame may have its own noise level.
        `audio_tokens` [b * frames, 5, c] run over frames fastest; `kps_features` are
        [b, first channels, frames, h, w]. A missing `audio_tokens`, `reference` or
        `kps_features` counts as zeros, which is what the unconditional half of guidance takes;
        leaving it out saves its attention. Batch item i of `reference` belongs to item i of
        `latents`; a single one serves all.
        """
        batch, _, frames, _, _ = latents.shape
        self._check(latents, audio_tokens, kps_features)
        if isinstance(reference, ReferenceFeatures):
            reference = self.project_reference(reference)
        time = self.time_embedding(_per_frame(timesteps, batch, frames))
        x = self.conv_in(fold_frames(latents))
        if kps_features is not None:
            x = x + fold_frames(kps_features)
        seen = _Window(frames, audio_tokens, reference, weights or AttentionWeights())
        x = self.backbone(x, time, seen)
        x = self.conv_out(functional.silu(self.norm_out(x)))
        return unfold_frames(x, frames)

    def project_reference(self, features: ReferenceFeatures) -> ReferenceKeys:
        """Keys and values of a portrait's features, to be computed once and passed ever after."""
        return project_reference(features, self.reference_attentions())

    def reference_attentions(self) -> Mapping[str, Attention]:
        """Published layer path -> the attention that reads the portrait there."""
        return {
            layer.path: layer.spatial.block.reference_attention
            for layer in self.modules()
            if isinstance(layer, DenoisingLayer) and layer.spatial is not None
        }

    def _check(
        self, latents: Tensor, audio_tokens: Tensor | None, kps_features: Tensor | None
    ) -> None:
        """Shapes only: nothing here waits for a device."""
        batch, _, frames, height, width = latents.shape
        if frames > self.config.motion.max_frames:
            raise ValueError(
                f"{frames} frames: a window has at most {self.config.motion.max_frames}"
            )
        if audio_tokens is not None and audio_tokens.shape[0] != batch * frames:
            raise ValueError(
                f"audio tokens of {audio_tokens.shape[0]} frames for {batch} x {frames} frames"
            )
        expected = (batch, self.config.block_channels[0], frames, height, width)
        if kps_features is not None and kps_features.shape != expected:
            raise ValueError(f"kps features {tuple(kps_features.shape)}: expected {expected}")


def _per_frame(timesteps: Tensor, batch: int, frames: int) -> Tensor:
    """[1], [b] or [b, frames] -> [b * frames]."""
    if timesteps.ndim == 1:
        timesteps = timesteps[:, None]
    return timesteps.expand(batch, frames).reshape(-1)
