"""Golden runners of single parts whose weights are stored in the golden file itself."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from engine.vexpress.blocks import (
    Downsample,
    ResidualBlock,
    TimeEmbedding,
    Upsample,
    fold_frames,
    sinusoid,
    unfold_frames,
)
from engine.vexpress.checkpoints import fill
from engine.vexpress.config import MotionConfig
from engine.vexpress.goldens import Comparison, Golden, GoldenError, Runner, compare_all
from engine.vexpress.key_map import NetworkKind
from engine.vexpress.motion_module import MotionModule
from engine.vexpress.transformer import (
    AttentionWeights,
    Conditions,
    DenoisingBlock,
    DenoisingTransformer,
    ReferenceBlock,
    ReferenceTransformer,
    TransformerSizes,
)

Tensors = Mapping[str, Tensor]
Part = TypeVar("Part", bound=nn.Module)

WEIGHTS = "in/weight"
TEMPORAL = "temporal_transformer."
RESIDUAL_EPS = 1e-5
NORM_GROUPS = 32
LAYER = "down_blocks.0.layers.0."  # any place will do: a part's names do not depend on it


def check_transformer_block(golden: Golden) -> Iterator[Comparison]:
    """One transformer block alone, as the ReferenceNet and as the UNet has it."""
    block = golden.meta["block"]
    sizes = TransformerSizes(
        channels=block["dim"],
        heads=block["heads"],
        context_channels=block["cross_attention_dim"],
        norm_groups=NORM_GROUPS,
    )
    for case in golden.cases:
        name = case["name"]
        tensors, inputs = _as(golden, name, WEIGHTS), _inputs(golden, name)
        with torch.inference_mode():
            if case["mode"] == "write":
                ours = _write_block(sizes, tensors, inputs)
            else:
                ours = _read_block(sizes, tensors, inputs, case)
        yield from compare_all(golden, name, ours)


def check_motion_module(golden: Golden) -> Iterator[Comparison]:
    """One motion module alone, for windows of several lengths."""
    meta = golden.meta
    if meta["num_transformer_block"] != 1 or meta["temporal_attention_dim_div"] != 1:
        raise GoldenError(f"{golden.path.name}: another kind of motion module")
    config = MotionConfig(
        heads=meta["num_attention_heads"],
        attentions=len(meta["attention_block_types"]),
        max_frames=meta["temporal_position_encoding_max_len"],
    )
    for case in golden.cases:
        name = case["name"]
        tensors, x = _as(golden, name, WEIGHTS), _inputs(golden, name)["hidden_states"]
        module = _part(
            NetworkKind.DENOISING_UNET,
            lambda: MotionModule(meta["in_channels"], NORM_GROUPS, config),
            {key.removeprefix(TEMPORAL): tensor for key, tensor in tensors.items()},
            LAYER + "temporal.",
        )
        with torch.inference_mode():
            out = unfold_frames(module(fold_frames(x), x.shape[2]), x.shape[2])
        yield from compare_all(golden, name, {"hidden_states": out})


def check_blocks(golden: Golden) -> Iterator[Comparison]:
    """Residual blocks, resampling, transformers and time embedding, each alone."""
    for case in golden.cases:
        name, block = case["name"], case["block"]
        if block not in _BLOCKS:
            raise GoldenError(f"{golden.path.name}: {block} is not known")
        tensors = _as(golden, name, f"{WEIGHTS}/{block}")
        with torch.inference_mode():
            ours = _BLOCKS[block](tensors, _inputs(golden, name), {**golden.meta, **case})
        yield from compare_all(golden, name, ours)


PART_KINDS: dict[str, Runner] = {
    "blocks": check_blocks,
    "motion_module": check_motion_module,
    "transformer_block": check_transformer_block,
}


def _residual(tensors: Tensors, inputs: Tensors, _case: Mapping[str, Any]) -> dict[str, Tensor]:
    out_channels, in_channels = tensors["conv1.weight"].shape[:2]
    time_channels = tensors["time_emb_proj.weight"].shape[1]
    block = _part(
        NetworkKind.DENOISING_UNET,
        lambda: ResidualBlock(in_channels, out_channels, time_channels, NORM_GROUPS, RESIDUAL_EPS),
        tensors,
        LAYER + "residual.",
    )
    x = inputs["hidden_states"]
    time = inputs["temb"].repeat_interleave(x.shape[2], dim=0)
    return {"out": unfold_frames(block(fold_frames(x), time), x.shape[2])}


def _reading(tensors: Tensors, inputs: Tensors, case: Mapping[str, Any]) -> dict[str, Tensor]:
    transformer = _part(
        NetworkKind.DENOISING_UNET,
        lambda: DenoisingTransformer(_stated_sizes(tensors, case)),
        tensors,
        LAYER + "spatial.",
    )
    reference = transformer.block.reference_attention.project(inputs["bank"])
    seen = Conditions(inputs["encoder_hidden_states"], reference, _weights_of(case))
    x = inputs["hidden_states"]
    return {"out": unfold_frames(transformer(fold_frames(x), seen), x.shape[2])}


def _writing(tensors: Tensors, inputs: Tensors, case: Mapping[str, Any]) -> dict[str, Tensor]:
    transformer = _part(
        NetworkKind.REFERENCE_NET,
        lambda: ReferenceTransformer(_stated_sizes(tensors, case)),
        tensors,
        LAYER + "spatial.",
    )
    out, feature = transformer(inputs["hidden_states"], inputs["encoder_hidden_states"])
    return {"out": out, "bank": feature}


def _downsample(tensors: Tensors, inputs: Tensors, _case: Mapping[str, Any]) -> dict[str, Tensor]:
    channels, kind = tensors["conv.weight"].shape[0], NetworkKind.DENOISING_UNET
    part = _part(kind, lambda: Downsample(channels), tensors, "down_blocks.0.downsample.")
    x = inputs["hidden_states"]
    return {"out": unfold_frames(part(fold_frames(x)), x.shape[2])}


def _upsample(tensors: Tensors, inputs: Tensors, case: Mapping[str, Any]) -> dict[str, Tensor]:
    channels, kind = tensors["conv.weight"].shape[0], NetworkKind.DENOISING_UNET
    part = _part(kind, lambda: Upsample(channels), tensors, "up_blocks.0.upsample.")
    x = inputs["hidden_states"]
    doubled = [x.shape[2], 2 * x.shape[3], 2 * x.shape[4]]
    _, height, width = case.get("output_size") or doubled
    return {"out": unfold_frames(part(fold_frames(x), (height, width)), x.shape[2])}


def _time(tensors: Tensors, inputs: Tensors, _case: Mapping[str, Any]) -> dict[str, Tensor]:
    out_channels, channels = tensors["linear_1.weight"].shape
    part = _part(
        NetworkKind.DENOISING_UNET,
        lambda: TimeEmbedding(channels, out_channels),
        tensors,
        "time_embedding.",
    )
    timesteps = inputs["timesteps"]
    waves = {f"sinusoid{width}": sinusoid(timesteps, width) for width in (channels, 320)}
    return {"emb": part(timesteps), **waves}


_BLOCKS: Mapping[str, Callable[[Tensors, Tensors, Mapping[str, Any]], dict[str, Tensor]]] = {
    "resnet3d": _residual,
    "resnet3d_same": _residual,
    "transformer3d": _reading,
    "transformer2d": _writing,
    "downsample3d": _downsample,
    "upsample3d": _upsample,
    "time_embedding": _time,
}


def _write_block(sizes: TransformerSizes, tensors: Tensors, inputs: Tensors) -> dict[str, Tensor]:
    path = LAYER + "spatial.block."
    block = _part(NetworkKind.REFERENCE_NET, lambda: ReferenceBlock(sizes), tensors, path)
    out, feature = block(inputs["hidden_states"], inputs["encoder_hidden_states"])
    return {"hidden_states": out, "bank": feature}


def _read_block(
    sizes: TransformerSizes, tensors: Tensors, inputs: Tensors, case: Mapping[str, Any]
) -> dict[str, Tensor]:
    path = LAYER + "spatial.block."
    block = _part(NetworkKind.DENOISING_UNET, lambda: DenoisingBlock(sizes), tensors, path)
    bank = inputs["bank"]
    if case["do_classifier_free_guidance"]:
        bank = torch.cat([torch.zeros_like(bank), bank])
    reference, weights = block.reference_attention.project(bank), _weights_of(case)
    seen = Conditions(inputs["encoder_hidden_states"], reference, weights)
    x = inputs["hidden_states"]
    ours = {"hidden_states": block(x, seen), "raw/attn1": block.self_attention(block.self_norm(x))}
    x = x + ours["raw/attn1"]
    ours["raw/attn1_5"] = block.look_at_reference(x, reference)
    x = x + weights.reference * ours["raw/attn1_5"]
    ours["raw/attn2"] = block.listen(x, seen.audio)
    x = x + weights.audio * ours["raw/attn2"]
    ours["raw/ff"] = block.feed_forward(block.feed_norm(x))
    return ours


def _stated_sizes(tensors: Tensors, meta: Mapping[str, Any]) -> TransformerSizes:
    """Sizes of a wrapper: what the weights do not show, the file says in words."""
    words = meta["configs"]["transformer"]
    heads, groups = re.search(r"(\d+) heads", words), re.search(r"(\d+) groups", words)
    if heads is None:
        raise GoldenError(f"no number of heads in {words!r}")
    return TransformerSizes(
        channels=tensors["proj_in.weight"].shape[0],
        heads=int(heads[1]),
        context_channels=tensors["transformer_blocks.0.attn2.to_k.weight"].shape[1],
        norm_groups=int(groups[1]) if groups else NORM_GROUPS,
    )


def _weights_of(case: Mapping[str, Any]) -> AttentionWeights:
    return AttentionWeights(case["reference_attention_weight"], case["audio_attention_weight"])


def _part(kind: NetworkKind, make: Callable[[], Part], tensors: Tensors, path: str) -> Part:
    return fill(kind, make, tensors, "the golden's own weights", path)


def _as(golden: Golden, case: str, prefix: str) -> dict[str, Tensor]:
    """Weights below `prefix` in the type that the case is stored in."""
    return {key: x.to(golden.dtype(case)) for key, x in golden.section(prefix).items()}


def _inputs(golden: Golden, case: str) -> dict[str, Tensor]:
    """Inputs of a case, numbers with a fraction in the type that its outputs are stored in."""
    dtype = golden.dtype(case)
    return {
        key: x.to(dtype) if x.is_floating_point() else x for key, x in golden.inputs(case).items()
    }
