"""Sizes of the V-Express networks, as values; nothing about them is written anywhere else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Self

from engine.api import AvatarError

GUIDER_SCALE = 8  # image pixels per latent pixel, in each direction

# Settings of a Stable Diffusion 1.5 UNet configuration that this architecture has built in.
# A configuration that says otherwise describes another network.
BUILT_IN: Mapping[str, Any] = {
    "act_fn": "silu",
    "center_input_sample": False,
    "downsample_padding": 1,
    "flip_sin_to_cos": True,
    "freq_shift": 0,
    "mid_block_scale_factor": 1,
}
WITH_ATTENTION, WITHOUT_ATTENTION = "CrossAttn{}Block2D", "{}Block2D"


class ConfigError(AvatarError):
    """A configuration that does not describe a network of this architecture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionConfig:
    """Sizes of the motion modules, the same at every level."""

    heads: int = 8
    attentions: int = 2
    max_frames: int = 32  # length of the positional table


@dataclass(frozen=True, slots=True, kw_only=True)
class UNetConfig:
    """Sizes shared by the ReferenceNet and the denoising UNet. Tuples have one entry a level."""

    in_channels: int = 4
    out_channels: int = 4
    block_channels: tuple[int, ...] = (320, 640, 1280, 1280)
    attends: tuple[bool, ...] = (True, True, True, False)  # has spatial transformers
    heads: tuple[int, ...] = (8, 8, 8, 8)
    layers_per_block: int = 2  # going down; one more going up
    context_channels: int = 768  # of an audio token
    norm_groups: int = 32
    norm_eps: float = 1e-5
    motion: MotionConfig = field(default_factory=MotionConfig)

    def __post_init__(self) -> None:
        if len({len(self.block_channels), len(self.attends), len(self.heads)}) != 1:
            raise ConfigError(
                f"{len(self.block_channels)} channel counts, {len(self.attends)} block types and "
                f"{len(self.heads)} head counts: expected one of each for every level"
            )
        for channels, heads in zip(self.block_channels, self.heads, strict=True):
            for name, divisor in (
                ("attention heads", heads),
                ("motion heads", self.motion.heads),
                ("norm groups", self.norm_groups),
            ):
                if channels % divisor:
                    raise ConfigError(f"{channels} channels do not divide into {divisor} {name}")

    @property
    def time_channels(self) -> int:
        """Channels of the time embedding."""
        return 4 * self.block_channels[0]

    @classmethod
    def from_mapping(cls, settings: Mapping[str, Any], motion: MotionConfig | None = None) -> Self:
        """Read a UNet `config.json` of the Stable Diffusion 1.5 family.

        Its `attention_head_dim` is, despite the name, the number of heads.
        """
        _check_built_in(settings)
        try:
            channels = tuple(int(count) for count in settings["block_out_channels"])
            return cls(
                in_channels=int(settings["in_channels"]),
                out_channels=int(settings["out_channels"]),
                block_channels=channels,
                attends=_attending_levels(settings, len(channels)),
                heads=_per_level(settings["attention_head_dim"], len(channels)),
                layers_per_block=int(settings["layers_per_block"]),
                context_channels=int(settings["cross_attention_dim"]),
                norm_groups=int(settings.get("norm_num_groups", 32)),
                norm_eps=float(settings.get("norm_eps", 1e-5)),
                motion=motion or MotionConfig(),
            )
        except KeyError as error:
            raise ConfigError(f"the UNet configuration lacks {error}") from error
        except (TypeError, ValueError) as error:
            raise ConfigError(f"the UNet configuration is not readable: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class GuiderConfig:
    """Sizes of the V-Kps guider."""

    block_channels: tuple[int, ...] = (16, 32, 96, 256)
    out_channels: int = 320

    def __post_init__(self) -> None:
        steps = list(pairwise(self.block_channels))
        if 2 ** len(steps) != GUIDER_SCALE:
            raise ConfigError(
                f"{len(steps)} guider blocks shrink an image by {2 ** len(steps)}, "
                f"latents are {GUIDER_SCALE} times smaller"
            )

    @classmethod
    def from_mapping(cls, settings: Mapping[str, Any]) -> Self:
        """Read `block_out_channels` and `out_channels`."""
        try:
            channels = tuple(int(count) for count in settings["block_out_channels"])
            return cls(block_channels=channels, out_channels=int(settings["out_channels"]))
        except KeyError as error:
            raise ConfigError(f"the guider configuration lacks {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioProjectionConfig:
    """Sizes of the audio projection."""

    width: int = 768
    depth: int = 4
    heads: int = 12
    head_size: int = 64
    queries: int = 5  # audio tokens a frame
    positions: int = 10  # rows of speech features a frame, at most
    in_channels: int = 768
    out_channels: int = 768
    feed_forward_factor: int = 4

    @classmethod
    def from_mapping(cls, settings: Mapping[str, Any]) -> Self:
        """Read the published names of these sizes."""
        try:
            return cls(
                width=int(settings["dim"]),
                depth=int(settings["depth"]),
                heads=int(settings["heads"]),
                head_size=int(settings["dim_head"]),
                queries=int(settings["num_queries"]),
                positions=int(settings["max_seq_len"]),
                in_channels=int(settings["embedding_dim"]),
                out_channels=int(settings["output_dim"]),
                feed_forward_factor=int(settings["ff_mult"]),
            )
        except KeyError as error:
            raise ConfigError(f"the audio projection's configuration lacks {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """Sizes of all trained networks; they must fit each other."""

    unet: UNetConfig = field(default_factory=UNetConfig)
    guider: GuiderConfig = field(default_factory=GuiderConfig)
    audio_projection: AudioProjectionConfig = field(default_factory=AudioProjectionConfig)

    def __post_init__(self) -> None:
        if self.guider.out_channels != self.unet.block_channels[0]:
            raise ConfigError(
                f"the guider gives {self.guider.out_channels} channels, "
                f"the UNet takes {self.unet.block_channels[0]}"
            )
        if self.audio_projection.out_channels != self.unet.context_channels:
            raise ConfigError(
                f"audio tokens have {self.audio_projection.out_channels} channels, "
                f"the UNet takes {self.unet.context_channels}"
            )

    @classmethod
    def from_mapping(cls, settings: Mapping[str, Any]) -> Self:
        """Read sections `unet`, `guider` and `audio_projection`; one left out is as published."""
        unknown = sorted(settings.keys() - {"unet", "guider", "audio_projection"})
        if unknown:
            raise ConfigError(f"unknown sections: {', '.join(unknown)}")
        published = cls()
        return cls(
            unet=UNetConfig.from_mapping(settings["unet"])
            if "unet" in settings
            else published.unet,
            guider=GuiderConfig.from_mapping(settings["guider"])
            if "guider" in settings
            else published.guider,
            audio_projection=AudioProjectionConfig.from_mapping(settings["audio_projection"])
            if "audio_projection" in settings
            else published.audio_projection,
        )


PUBLISHED = ModelConfig()


def _check_built_in(settings: Mapping[str, Any]) -> None:
    for name, value in BUILT_IN.items():
        if settings.get(name, value) != value:
            raise ConfigError(f"{name} is {settings[name]!r}; this architecture has {value!r}")


def _per_level(value: int | Sequence[int], levels: int) -> tuple[int, ...]:
    if isinstance(value, int):
        return (value,) * levels
    return tuple(int(item) for item in value)


def _attending_levels(settings: Mapping[str, Any], levels: int) -> tuple[bool, ...]:
    """Which levels have attention; without a word about it, all but the lowest."""
    down = settings.get("down_block_types")
    if down is None:
        return (True,) * (levels - 1) + (False,)
    kinds = {WITH_ATTENTION.format("Down"): True, WITHOUT_ATTENTION.format("Down"): False}
    if not set(down) <= set(kinds):
        raise ConfigError(f"down_block_types {list(down)}: expected {list(kinds)} only")
    attends = tuple(kinds[name] for name in down)
    mirrored = [
        (WITH_ATTENTION if attend else WITHOUT_ATTENTION).format("Up") for attend in attends[::-1]
    ]
    if list(settings.get("up_block_types", mirrored)) != mirrored:
        raise ConfigError(f"up_block_types {settings['up_block_types']}: expected {mirrored}")
    return attends
