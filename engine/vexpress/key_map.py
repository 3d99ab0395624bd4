"""Published parameter names <-> ours: one to one, in both directions, for every network.

The rules rewrite one of our names into the published one. The opposite direction is a table made
from the network's own names, so no key is ever guessed: `KeyMap` knows each by both names.
"""

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType

from torch import nn

Rules = tuple[tuple[str, str], ...]  # regular expression on our name, replacement


class NetworkKind(StrEnum):
    """The trained networks, by the names of their published files."""

    REFERENCE_NET = "reference_net"
    DENOISING_UNET = "denoising_unet"
    V_KPS_GUIDER = "v_kps_guider"
    AUDIO_PROJECTION = "audio_projection"


MOTION_FILE = "motion_module"  # a file of its own, with parameters of the denoising UNet
MOTION_MARK = "motion_module"  # in every published key of a motion module, and in no other

# Keys that published files may carry beyond the network: the ReferenceNet came from a Stable
# Diffusion UNet whose output norm it does not have.
TOLERATED: Mapping[NetworkKind, str] = {NetworkKind.REFERENCE_NET: r"conv_norm_out\.(weight|bias)"}

_ATTENTION: Rules = (
    (r"\.query\.", ".to_q."),
    (r"\.key\.", ".to_k."),
    (r"\.value\.", ".to_v."),
    (r"_attention\.out\.", "_attention.to_out.0."),
    (r"\.feed_forward\.expand\.", ".ff.net.0.proj."),
    (r"\.feed_forward\.contract\.", ".ff.net.2."),
)
_UNET: Rules = (
    (r"^backbone\.", ""),
    (r"^norm_out\.", "conv_norm_out."),
    (r"^time_embedding\.linear_in\.", "time_embedding.linear_1."),
    (r"^time_embedding\.linear_out\.", "time_embedding.linear_2."),
    (r"\.residual\.norm_in\.", ".residual.norm1."),
    (r"\.residual\.conv_in\.", ".residual.conv1."),
    (r"\.residual\.time\.", ".residual.time_emb_proj."),
    (r"\.residual\.norm_out\.", ".residual.norm2."),
    (r"\.residual\.conv_out\.", ".residual.conv2."),
    (r"\.residual\.shortcut\.", ".residual.conv_shortcut."),
    (r"^mid_block\.residual\.", "mid_block.resnets.1."),
    (r"^mid_block\.layer\.", "mid_block.layers.0."),
    (r"\.layers\.(\d+)\.residual\.", r".resnets.\1."),
    (r"\.layers\.(\d+)\.spatial\.block\.", r".attentions.\1.transformer_blocks.0."),
    (r"\.layers\.(\d+)\.spatial\.", r".attentions.\1."),
    (r"\.downsample\.", ".downsamplers.0."),
    (r"\.upsample\.", ".upsamplers.0."),
)
_MOTION: Rules = (
    (r"\.layers\.(\d+)\.temporal\.", r".motion_modules.\1.temporal_transformer."),
    (r"(_transformer)\.block\.attentions\.", r"\1.transformer_blocks.0.attention_blocks."),
    (r"(_transformer)\.block\.feed_norm\.", r"\1.transformer_blocks.0.ff_norm."),
    (r"(_transformer)\.block\.", r"\1.transformer_blocks.0."),
    (r"(attention_blocks\.\d+)\.out\.", r"\1.to_out.0."),
    (r"\.positions$", ".pos_encoder.pe"),
)
_REFERENCE_BLOCK: Rules = (
    (r"\.self_norm\.", ".norm1."),
    (r"\.self_attention\.", ".attn1."),
    (r"\.context_norm\.", ".norm2."),
    (r"\.context_attention\.", ".attn2."),
    (r"\.feed_norm\.", ".norm3."),
)
_DENOISING_BLOCK: Rules = (
    (r"\.self_norm\.", ".norm1."),
    (r"\.self_attention\.", ".attn1."),
    (r"\.reference_norm\.", ".norm1_5."),
    (r"\.reference_attention\.", ".attn1_5."),
    (r"\.audio_norm\.", ".norm2."),
    (r"\.audio_attention\.", ".attn2."),
    (r"\.feed_norm\.", ".norm3."),
)
_AUDIO_PROJECTION: Rules = (
    (r"^positions\.", "pos_emb."),
    (r"\.attention\.audio_norm\.", ".0.norm1."),
    (r"\.attention\.latent_norm\.", ".0.norm2."),
    (r"\.attention\.query\.", ".0.to_q."),
    (r"\.attention\.key_value\.", ".0.to_kv."),
    (r"\.attention\.out\.", ".0.to_out."),
    (r"\.feed_forward\.norm\.", ".1.0."),
    (r"\.feed_forward\.expand\.", ".1.1."),
    (r"\.feed_forward\.contract\.", ".1.3."),
)
# What gives a file away, the surest sign first: a part of a key that only this one has.
_MARKS = (
    (".norm1_5.", NetworkKind.DENOISING_UNET),
    ("pos_emb.weight", NetworkKind.AUDIO_PROJECTION),
    ("blocks.0.attentions.0.transformer_blocks.0.norm1.", NetworkKind.REFERENCE_NET),
    ("encoder.conv_in.", "a VAE"),
    ("wav2vec2.", "a wav2vec2 encoder"),
    ("text_model.", "a text encoder"),
)
RULES: Mapping[NetworkKind, Rules] = {
    NetworkKind.REFERENCE_NET: _UNET + _ATTENTION + _REFERENCE_BLOCK,
    NetworkKind.DENOISING_UNET: _UNET + _MOTION + _ATTENTION + _DENOISING_BLOCK,
    NetworkKind.V_KPS_GUIDER: (),
    NetworkKind.AUDIO_PROJECTION: _AUDIO_PROJECTION,
}


def published_name(kind: NetworkKind, name: str) -> str:
    """The published name of our parameter or buffer `name`, or of a path that ends in a dot."""
    for pattern, replacement in RULES[kind]:
        name = re.sub(pattern, replacement, name)
    return name


def recognise(keys: Iterable[str]) -> str | None:
    """The published file that has keys like these; none when it is none of them."""
    known = set(keys)
    if known and all(MOTION_MARK in key for key in known):
        return MOTION_FILE
    for mark, name in _MARKS:
        if any(mark in key for key in known):
            return name
    return None


class KeyMap:
    """Both names and the shape of every tensor of a network, or of the part of one at `path`.

    Published names of a part start where the published path of the part ends.
    """

    def __init__(self, kind: NetworkKind, network: nn.Module, path: str = "") -> None:
        state = network.state_dict()
        start = published_name(kind, path)
        self.kind = kind
        self.own_names = MappingProxyType(
            {published_name(kind, path + name).removeprefix(start): name for name in state}
        )
        self.shapes = MappingProxyType(
            {public: tuple(state[name].shape) for public, name in self.own_names.items()}
        )
        if len(self.own_names) != len(state):
            raise AssertionError(f"two parameters of {kind} share one published name")

    def missing(self, keys: Iterable[str]) -> list[str]:
        """Published keys of the network that are not among `keys`."""
        return sorted(self.own_names.keys() - set(keys))

    def surplus(self, keys: Iterable[str]) -> list[str]:
        """Keys that the network has no place for, without those known to be harmless."""
        extra = sorted(set(keys) - self.own_names.keys())
        tolerated = TOLERATED.get(self.kind)
        return [key for key in extra if tolerated is None or not re.fullmatch(tolerated, key)]
