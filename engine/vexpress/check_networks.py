"""Golden runners of the networks and their parts; `NETWORK_KINDS` names them."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.vexpress.check_parts import PART_KINDS
from engine.vexpress.checkpoints import (
    SAFETENSORS,
    load_audio_projection,
    load_denoising_unet,
    load_guider,
    load_reference_net,
)
from engine.vexpress.config import AudioProjectionConfig, GuiderConfig, UNetConfig
from engine.vexpress.denoiser import DenoisingUNet
from engine.vexpress.goldens import (
    Comparison,
    Golden,
    GoldenError,
    Runner,
    compare_all,
    read_described,
)
from engine.vexpress.reference_keys import ReferenceFeatures
from engine.vexpress.taps import Taps
from engine.vexpress.transformer import AttentionWeights

BANK = "bank"


def check_reference_net(golden: Golden) -> Iterator[Comparison]:
    """One pass over a portrait's latents."""
    path = golden_weights(golden, "reference_net")
    config = unet_config(path)
    for case in golden.cases:
        name, dtype = case["name"], golden.dtype(case["name"])
        network = load_reference_net(config, path, dtype)
        inputs = golden.inputs(name)
        with torch.inference_mode():
            features, output = network.features_and_output(
                inputs["latents"].to(dtype),
                torch.tensor([case["timestep"]]),
                inputs["encoder_hidden_states"].to(dtype),
            )
        ours = {f"{BANK}/{path}": x for path, x in features.items()} | {"sample": output}
        yield from compare_all(golden, name, ours)


def check_denoising_unet(golden: Golden) -> Iterator[Comparison]:
    """One pass over a window, with and without guidance."""
    path, motion_path = (
        golden_weights(golden, "denoising_unet"),
        golden_weights(golden, "motion_module"),
    )
    config = unet_config(path)
    for case in golden.cases:
        name, dtype = case["name"], golden.dtype(case["name"])
        network = load_denoising_unet(config, path, motion_path, dtype)
        ours = _predict(network, case, golden.inputs(name), dtype)
        yield from compare_all(golden, name, ours)


def check_guider(golden: Golden) -> Iterator[Comparison]:
    """Features of drawn face points."""
    path = golden_weights(golden, "v_kps_guider")
    config = GuiderConfig.from_mapping(read_described(path)[0])
    for case in golden.cases:
        name, dtype = case["name"], golden.dtype(case["name"])
        with torch.inference_mode():
            images = golden.inputs(name)["kps_images"].to(dtype)
            features = load_guider(config, path, dtype)(images)
        yield from compare_all(golden, name, {"kps_features": features})


def check_audio_projection(golden: Golden) -> Iterator[Comparison]:
    """Audio tokens of single frames."""
    path = golden_weights(golden, "audio_projection")
    config = AudioProjectionConfig.from_mapping(read_described(path)[0])
    for case in golden.cases:
        name, dtype = case["name"], golden.dtype(case["name"])
        with torch.inference_mode():
            windows = golden.inputs(name)["frame_audio_embeddings"].to(dtype)
            tokens = load_audio_projection(config, path, dtype)(windows)
        yield from compare_all(golden, name, {"tokens": tokens})


def unet_config(path: Path) -> UNetConfig:
    """The configuration that a golden weights file carries."""
    meta = read_described(path)[0]
    if "unet" not in meta:
        raise GoldenError(f"{path.name}: carries no UNet configuration")
    return UNetConfig.from_mapping(meta["unet"])


def golden_weights(golden: Golden, network: str) -> Path:
    """The weights of `network` that belong to a golden: named by it, or by its configuration."""
    name = golden.meta.get("weights") or f"{network}_{golden.meta.get('config')}"
    path = golden.weights_path(name + SAFETENSORS)
    if not path.is_file():
        raise GoldenError(f"{golden.path.name}: needs {path}")
    return path


NETWORK_KINDS: dict[str, Runner] = {
    "reference_net": check_reference_net,
    "denoising_unet": check_denoising_unet,
    "v_kps_guider": check_guider,
    "audio_projection": check_audio_projection,
    **PART_KINDS,
}


def _predict(
    network: DenoisingUNet,
    case: Mapping[str, Any],
    inputs: Mapping[str, Tensor],
    dtype: torch.dtype,
) -> dict[str, Tensor]:
    """The velocity and, by the names of the stored ones, what flowed between the blocks."""
    floats = {key: x.to(dtype) for key, x in inputs.items() if x.is_floating_point()}
    features = ReferenceFeatures(
        {key.removeprefix(BANK + "/"): x for key, x in floats.items() if key.startswith(BANK)}
    )
    if case["do_unconditional_forward"]:
        features = features.zeros()
    if case["do_classifier_free_guidance"]:
        features = features.with_unconditional()
    weights = AttentionWeights(case["reference_attention_weight"], case["audio_attention_weight"])
    with torch.inference_mode(), Taps(network, frames=floats["sample"].shape[2]) as taps:
        prediction = network(
            floats["sample"],
            inputs["timestep"],
            floats["encoder_hidden_states"],
            features,
            floats.get("kps_features"),
            weights,
        )
    return taps.tensors | {"noise_pred": prediction}
