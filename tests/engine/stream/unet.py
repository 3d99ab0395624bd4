"""The denoising UNet as a function of named tensors, reference keys flattened."""

import torch
from torch import Tensor

from engine.stream.executors import Function
from engine.vexpress.blocks import KeysValues
from engine.vexpress.config import UNetConfig
from engine.vexpress.denoiser import DenoisingUNet
from engine.vexpress.reference_keys import ReferenceKeys
from tests.engine.vexpress.tiny import make_inputs


def flatten(keys: ReferenceKeys) -> dict[str, Tensor]:
    """As in `reference.down_blocks.0.attentions.0.keys`."""
    return {
        f"reference.{path}.{part}": tensor
        for path, both in keys.items()
        for part, tensor in both._asdict().items()
    }


def window_call(network: DenoisingUNet, paths: tuple[str, ...]) -> Function:
    """One call of a window, the reference keys under their flat names."""

    def call(**given: Tensor) -> Tensor:
        layers = {
            path: KeysValues(given[f"reference.{path}.keys"], given[f"reference.{path}.values"])
            for path in paths
        }
        velocity: Tensor = network(
            given["latents"],
            given["timesteps"],
            given["audio_tokens"],
            ReferenceKeys(layers),
            given["kps_features"],
        )
        return velocity

    return call


def window_inputs(
    network: DenoisingUNet, config: UNetConfig, shape: tuple[int, int, int, int], seed: int
) -> dict[str, Tensor]:
    """Random inputs for `shape`: batch, frames, height, width of latents."""
    inputs = make_inputs(config, shape, seed)
    with torch.no_grad():
        keys = network.project_reference(inputs.reference)
    return {
        "latents": inputs.latents,
        "timesteps": inputs.timesteps,
        "audio_tokens": inputs.audio,
        "kps_features": inputs.kps_features,
        **flatten(keys),
    }


def reference_paths(inputs: dict[str, Tensor]) -> tuple[str, ...]:
    """The layers whose keys are among the inputs."""
    return tuple(
        name.removeprefix("reference.").removesuffix(".keys")
        for name in inputs
        if name.endswith(".keys")
    )
