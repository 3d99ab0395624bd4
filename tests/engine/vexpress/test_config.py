"""Sizes read from files, and sizes that no network of this architecture has."""

from typing import Any

import pytest

from engine.vexpress.config import PUBLISHED, ConfigError, GuiderConfig, ModelConfig, UNetConfig

STABLE_DIFFUSION: dict[str, Any] = {
    "act_fn": "silu",
    "attention_head_dim": 8,
    "block_out_channels": [320, 640, 1280, 1280],
    "center_input_sample": False,
    "cross_attention_dim": 768,
    "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
    "downsample_padding": 1,
    "flip_sin_to_cos": True,
    "freq_shift": 0,
    "in_channels": 4,
    "layers_per_block": 2,
    "mid_block_scale_factor": 1,
    "norm_eps": 1e-05,
    "norm_num_groups": 32,
    "out_channels": 4,
    "sample_size": 64,
    "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3,
}


def test_the_stable_diffusion_configuration_is_the_published_one() -> None:
    assert UNetConfig.from_mapping(STABLE_DIFFUSION) == PUBLISHED.unet


def test_head_counts_may_differ_from_level_to_level() -> None:
    config = UNetConfig.from_mapping({**STABLE_DIFFUSION, "attention_head_dim": [5, 10, 20, 20]})
    assert config.heads == (5, 10, 20, 20)


def test_without_block_types_only_the_lowest_level_has_no_attention() -> None:
    settings = {key: x for key, x in STABLE_DIFFUSION.items() if "block_types" not in key}
    assert UNetConfig.from_mapping(settings) == PUBLISHED.unet


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"act_fn": "gelu"}, "act_fn is 'gelu'; this architecture has 'silu'"),
        ({"attention_head_dim": 7}, "320 channels do not divide into 7 attention heads"),
        ({"attention_head_dim": [8, 8]}, "2 head counts"),
        ({"norm_num_groups": 48}, "48 norm groups"),
        ({"down_block_types": ["DownEncoderBlock2D"] * 4}, "down_block_types"),
        ({"up_block_types": ["UpBlock2D"] * 4}, "up_block_types"),
        ({"in_channels": "four"}, "not readable"),
    ],
)
def test_other_networks_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        UNetConfig.from_mapping({**STABLE_DIFFUSION, **change})


def test_a_missing_setting_is_named() -> None:
    settings = {key: x for key, x in STABLE_DIFFUSION.items() if key != "layers_per_block"}
    with pytest.raises(ConfigError, match="layers_per_block"):
        UNetConfig.from_mapping(settings)


def test_networks_that_do_not_fit_each_other_are_refused() -> None:
    with pytest.raises(ConfigError, match="guider gives 64 channels, the UNet takes 320"):
        ModelConfig(guider=GuiderConfig(out_channels=64))
    with pytest.raises(ConfigError, match="guider blocks shrink an image by 4"):
        GuiderConfig(block_channels=(8, 8, 8))


def test_sections_left_out_are_as_published() -> None:
    assert ModelConfig.from_mapping({"unet": STABLE_DIFFUSION}) == PUBLISHED
    with pytest.raises(ConfigError, match="unknown sections: motion"):
        ModelConfig.from_mapping({"motion": {}})
