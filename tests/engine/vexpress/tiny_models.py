"""A model folder in the published layout whose networks have a few thousand numbers."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderTiny
from safetensors.torch import save_file
from transformers import Wav2Vec2Config, Wav2Vec2Model

from engine.vexpress.config import ModelConfig, MotionConfig
from engine.vexpress.convert import make_networks
from engine.vexpress.key_map import MOTION_FILE, MOTION_MARK, NetworkKind
from tests.engine.vexpress.tiny import TINY as OTHER_MOTION
from tests.engine.vexpress.tiny import published_state, randomise

SIZES = "sizes.json"
# Sizes of motion modules are stored nowhere, so they are the published ones.
TINY = replace(OTHER_MOTION, unet=replace(OTHER_MOTION.unet, motion=MotionConfig()))
# Two levels instead of four: in real time on one slow core.
FAST = replace(
    TINY,
    unet=replace(
        TINY.unet, block_channels=(8, 16), attends=(True, False), heads=(1, 2), norm_groups=4
    ),
)


def write_model_folder(folder: Path, vae: Path, config: ModelConfig = TINY) -> None:
    """Fill `folder` with small networks of `config`, `vae` among them."""
    trained = folder / "v-express"
    trained.mkdir(parents=True)
    for index, (kind, make) in enumerate(make_networks(config).items()):
        network = make()
        randomise(network, seed=index)
        tensors = published_state(kind, network)
        if kind is NetworkKind.DENOISING_UNET:
            motion = {key: x for key, x in tensors.items() if MOTION_MARK in key}
            tensors = {key: x for key, x in tensors.items() if key not in motion}
            torch.save(motion, trained / f"{MOTION_FILE}.bin")
            torch.save(tensors, trained / f"{kind}.bin")
        else:
            save_file(
                {key: x.contiguous() for key, x in tensors.items()},
                trained / f"{kind}.safetensors",
            )
    shutil.copytree(vae, folder / "sd-vae-ft-mse")
    make_tiny_vae().save_pretrained(folder / "taesd")
    _make_speech_encoder().save_pretrained(folder / "wav2vec2-base-960h")
    (folder / SIZES).write_text(json.dumps(_sizes(config)))


def make_tiny_vae(channels: int = 8) -> Any:
    """A small autoencoder with random weights; its pictures are nearly grey."""
    torch.manual_seed(6)
    make: Any = AutoencoderTiny
    return make(
        encoder_block_out_channels=(channels,) * 4,
        decoder_block_out_channels=(channels,) * 4,
        num_encoder_blocks=(1,) * 4,
        num_decoder_blocks=(1,) * 4,
    )


def _make_speech_encoder() -> Wav2Vec2Model:
    torch.manual_seed(5)
    return Wav2Vec2Model(
        Wav2Vec2Config(
            hidden_size=TINY.audio_projection.in_channels,
            num_attention_heads=2,
            num_hidden_layers=1,
            intermediate_size=12,
            conv_dim=(6,) * 7,
            num_conv_pos_embeddings=8,
            num_conv_pos_embedding_groups=2,
        )
    )


def _sizes(config: ModelConfig) -> dict[str, object]:
    """A configuration in the published words."""
    unet, guider, projection = config.unet, config.guider, config.audio_projection
    return {
        "unet": {
            "in_channels": unet.in_channels,
            "out_channels": unet.out_channels,
            "block_out_channels": unet.block_channels,
            "attention_head_dim": unet.heads,
            "layers_per_block": unet.layers_per_block,
            "cross_attention_dim": unet.context_channels,
            "norm_num_groups": unet.norm_groups,
        },
        "guider": {
            "block_out_channels": guider.block_channels,
            "out_channels": guider.out_channels,
        },
        "audio_projection": {
            "dim": projection.width,
            "depth": projection.depth,
            "heads": projection.heads,
            "dim_head": projection.head_size,
            "num_queries": projection.queries,
            "max_seq_len": projection.positions,
            "embedding_dim": projection.in_channels,
            "output_dim": projection.out_channels,
            "ff_mult": projection.feed_forward_factor,
        },
    }
