"""The ReferenceNet: a portrait's latents -> features for every attention layer of the UNet."""

from dataclasses import dataclass

from torch import Tensor, nn

from engine.vexpress.backbone import Backbone, LayerPlan, make_residual, transformer_sizes
from engine.vexpress.blocks import TimeEmbedding
from engine.vexpress.config import UNetConfig
from engine.vexpress.reference_keys import ReferenceFeatures
from engine.vexpress.transformer import ReferenceTransformer


@dataclass(frozen=True, slots=True)
class _Tapping:
    """What a layer looks at, and where it leaves its features."""

    context: Tensor | None  # [b, tokens, context channels]; none: zeros
    features: dict[str, Tensor]


class ReferenceLayer(nn.Module):
    """A residual block and, on most levels, a spatial transformer whose features are kept."""

    def __init__(self, config: UNetConfig, plan: LayerPlan) -> None:
        super().__init__()
        self.path = plan.path
        self.residual = make_residual(config, plan.in_channels, plan.out_channels)
        self.spatial = (
            ReferenceTransformer(transformer_sizes(config, plan)) if plan.attends else None
        )

    def forward(self, x: Tensor, time: Tensor, seen: _Tapping) -> Tensor:
        """[b, in channels, h, w] -> [b, out channels, h, w]."""
        x = self.residual(x, time)
        if self.spatial is not None:
            x, seen.features[self.path] = self.spatial(x, seen.context)
        return x


class ReferenceNet(nn.Module):
    """A UNet of single images. Only its features matter; its output is thrown away."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        first = config.block_channels[0]
        self.conv_in = nn.Conv2d(config.in_channels, first, 3, padding=1)
        self.time_embedding = TimeEmbedding(first, config.time_channels)
        self.backbone = Backbone(config, lambda plan: ReferenceLayer(config, plan))
        self.conv_out = nn.Conv2d(first, config.out_channels, 3, padding=1)

    def forward(
        self, latents: Tensor, timestep: Tensor, context: Tensor | None = None
    ) -> ReferenceFeatures:
        """Features of `latents` [b, 4, h, w] at `timestep` [b] or [1] (published: always 0).

        Without a `context` [b, tokens, context channels] it counts as zeros, as published.
        """
        return self.features_and_output(latents, timestep, context)[0]

    def features_and_output(
        self, latents: Tensor, timestep: Tensor, context: Tensor | None = None
    ) -> tuple[ReferenceFeatures, Tensor]:
        """The features, and what the UNet as such would answer [b, 4, h, w]."""
        time = self.time_embedding(timestep.expand(latents.shape[0]))
        seen = _Tapping(context, {})
        x = self.backbone(self.conv_in(latents), time, seen)
        return ReferenceFeatures(seen.features), self.conv_out(x)
