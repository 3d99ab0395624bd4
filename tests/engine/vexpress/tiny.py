"""Networks of a few thousand numbers, none of them zero, and what to feed them."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.vexpress.backbone import plan_down, plan_up
from engine.vexpress.config import (
    AudioProjectionConfig,
    GuiderConfig,
    ModelConfig,
    MotionConfig,
    UNetConfig,
)
from engine.vexpress.key_map import KeyMap, NetworkKind
from engine.vexpress.reference_keys import ReferenceFeatures
from engine.vexpress.transformer import AttentionWeights

TINY_UNET = UNetConfig(
    block_channels=(8, 16, 16, 24),
    heads=(2, 4, 2, 4),
    layers_per_block=1,
    context_channels=12,
    norm_groups=4,
    motion=MotionConfig(heads=4, max_frames=6),
)
TINY = ModelConfig(
    unet=TINY_UNET,
    guider=GuiderConfig(block_channels=(4, 4, 6, 8), out_channels=8),
    audio_projection=AudioProjectionConfig(
        width=16, depth=2, heads=2, head_size=4, in_channels=10, out_channels=12
    ),
)


def randomise(network: nn.Module, seed: int = 0) -> None:
    """Fill every parameter, so that no layer is silent."""
    source = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            noise = torch.randn(parameter.shape, generator=source, dtype=parameter.dtype)
            scale = 0.5 if parameter.ndim == 1 else 1.5 / parameter[0].numel() ** 0.5
            parameter.copy_(noise * scale + ("norm" in name and name.endswith("weight")))


def published_state(kind: NetworkKind, network: nn.Module) -> dict[str, Tensor]:
    """A network's tensors as the published file of that kind has them."""
    state = network.state_dict()
    return {key: state[own] for key, own in KeyMap(kind, network).own_names.items()}


@dataclass(frozen=True)
class Inputs:
    """One call of the denoising UNet."""

    latents: Tensor
    timesteps: Tensor
    audio: Tensor
    reference: ReferenceFeatures
    kps_features: Tensor
    weights: AttentionWeights


def make_inputs(
    config: UNetConfig,
    shape: tuple[int, int, int, int],
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
) -> Inputs:
    """Random inputs for `shape`: batch, frames, height, width."""
    batch, frames, height, width = shape
    source = torch.Generator().manual_seed(seed)

    def noise(*sizes: int) -> Tensor:
        return torch.randn(sizes, generator=source, dtype=dtype)

    features = {}
    for path, level, channels in attending_layers(config):
        h, w = height, width
        for _ in range(level):
            h, w = (h + 1) // 2, (w + 1) // 2
        features[path] = noise(batch, h * w, channels)
    return Inputs(
        latents=noise(batch, config.in_channels, frames, height, width),
        timesteps=torch.randint(0, 1000, (batch,), generator=source),
        audio=noise(batch * frames, 5, config.context_channels),
        reference=ReferenceFeatures(features),
        kps_features=noise(batch, config.block_channels[0], frames, height, width),
        weights=AttentionWeights(0.95, 2.0),
    )


def attending_layers(config: UNetConfig) -> list[tuple[str, int, int]]:
    """Path, level and channels of every layer with reference features."""
    plans = [plan for plans in (*plan_down(config), *plan_up(config)) for plan in plans]
    layers = [(plan.path, plan.level, plan.out_channels) for plan in plans if plan.attends]
    lowest = len(config.block_channels) - 1
    return [*layers, ("mid_block.attentions.0", lowest, config.block_channels[-1])]
