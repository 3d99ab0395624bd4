"""The denoising UNet behind runners: one for each width of window, with and without conditions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from engine.stream.denoise import Look
from engine.stream.runner import Runner, open_runner
from engine.stream.runner_settings import RunnerSettings
from engine.stream.schedule import Schedule
from engine.vexpress.blocks import KeysValues
from engine.vexpress.denoiser import DenoisingUNet
from engine.vexpress.reference_keys import ReferenceKeys
from engine.vexpress.transformer import AttentionWeights
from kernels.step import Guided

AUDIO, KPS, REFERENCE = "audio", "kps", "reference"  # names of inputs


class Settings(Protocol):
    """How a part of the model is captured."""

    def __call__(self, part: str, *modules: nn.Module) -> RunnerSettings:
        """Settings for `part`, which computes with the weights of `modules`."""
        ...


@dataclass(frozen=True, slots=True)
class Width:
    """One shape that is captured."""

    frames: int
    guided: bool


def widths(schedule: Schedule) -> tuple[Width, ...]:
    """Every width that a schedule ever asks for, the widest first."""
    chunks = range(8 * schedule.steps)  # far past any beginning
    calls = [call for chunk in chunks for call in schedule.calls(chunk)]
    found = {Width(len(call.levels), guided=call.guided) for call in calls}
    return tuple(sorted(found, key=lambda width: (-width.frames, not width.guided)))


def flatten_keys(keys: ReferenceKeys) -> dict[str, Tensor]:
    """The keys and values of all layers, by names that a runner takes."""
    return {
        f"{REFERENCE}.{path}.{part}": tensor
        for path, pair in keys.items()
        for part, tensor in zip(KeysValues._fields, pair, strict=True)
    }


def gather_keys(tensors: Mapping[str, Tensor]) -> ReferenceKeys:
    """The inverse of `flatten_keys`; other names are left out."""
    paths = {name.split(".", 1)[1].rsplit(".", 1)[0] for name in tensors if _is_key(name)}
    return ReferenceKeys(
        {
            path: KeysValues(
                *(tensors[f"{REFERENCE}.{path}.{part}"] for part in KeysValues._fields)
            )
            for path in paths
        }
    )


def in_slots(keyframes: tuple[ReferenceKeys, ...], slots: int) -> ReferenceKeys:
    """Keys of up to `slots` pictures of a person, in a shape that does not tell how many.

    A slot that is free holds the first picture again. Each picture as often as any other gives the
    same attention as each once, since this attention looks at nothing else; one picture in all
    slots is exactly that picture.
    """
    if not 1 <= len(keyframes) <= slots:
        raise ValueError(f"{len(keyframes)} keyframes for {slots} slots: expected 1 to {slots}")
    filled = [*keyframes, *[keyframes[0]] * (slots - len(keyframes))]
    return ReferenceKeys(
        {
            path: KeysValues(
                *(torch.cat([one[path][part] for one in filled], dim=2) for part in (0, 1))
            )
            for path in keyframes[0]
        }
    )


class UNetRunners:
    """What computes: the network, captured once, for all visitors in turn."""

    def __init__(
        self, unet: DenoisingUNet, schedule: Schedule, example: "Example", how: Settings
    ) -> None:
        self._with: dict[int, Runner] = {}
        self._without: dict[int, Runner] = {}
        for width in widths(schedule):
            inputs = _example(unet, width.frames, example)
            if width.frames not in self._with:
                self._with[width.frames] = open_runner(
                    _conditional(unet), inputs, how(f"{width.frames} frames", unet)
                )
            if width.guided:
                free = {name: inputs[name] for name in ("latents", "timesteps", *_WEIGHTS)}
                self._without[width.frames] = open_runner(
                    _unconditional(unet), free, how(f"{width.frames} frames unconditional", unet)
                )

    @property
    def all(self) -> tuple[Runner, ...]:
        """Every runner."""
        return (*self._with.values(), *self._without.values())

    def predict(self, look: Look, seen: "Seen") -> Tensor:
        """The velocity with all conditions; holds until the next call of this width."""
        frames = look.latents.shape[2]
        runner, constants = self._with[frames], seen.constants(frames)
        fixed = {name: constants[name] for name in constants.keys() - look.conditions.keys()}
        runner.keep(seen.token, **fixed)
        (velocity,) = runner.run(
            latents=look.latents, timesteps=look.timesteps, **dict(look.conditions)
        )
        return velocity

    def predict_free(self, look: Look, seen: "Seen") -> Tensor:
        """The velocity without conditions."""
        runner = self._without[look.latents.shape[2]]
        runner.keep(seen.token, **seen.weights)
        (velocity,) = runner.run(latents=look.latents, timesteps=look.timesteps)
        return velocity


@dataclass(frozen=True, slots=True)
class Seen:
    """What one visitor's frames look at from beginning to end."""

    token: tuple[str, float]  # names it
    keys: Mapping[str, Tensor]  # as `flatten_keys` gives them
    kps: Tensor  # [1, channels, 1, h, w]
    weights: Mapping[str, Tensor]  # of reference and audio, single numbers

    def constants(self, frames: int) -> dict[str, Tensor]:
        """Inputs of a runner that do not change from call to call, unless conditions say so."""
        kps = self.kps.expand(-1, -1, frames, -1, -1)
        return {**self.keys, KPS: kps, **self.weights}


@dataclass(frozen=True, slots=True)
class Example:
    """Inputs of the right shapes and types, whatever is in them."""

    seen: Seen
    audio: Tensor  # [1, tokens, channels] of one frame


@dataclass(frozen=True, slots=True)
class SessionNetwork:
    """The network of one visitor, as the streaming core wants it."""

    runners: UNetRunners
    seen: Seen
    guidance_scale: float

    def __call__(self, look: Look) -> Guided:
        """Predict velocities, with guidance where the schedule asks for it."""
        predicted = self.runners.predict(look, self.seen)
        if not look.guided:
            return Guided(predicted)
        return Guided(predicted, self.runners.predict_free(look, self.seen), self.guidance_scale)


_WEIGHTS = ("reference_weight", "audio_weight")


def attention_weights(weights: AttentionWeights, like: Tensor) -> dict[str, Tensor]:
    """Attention weights as inputs of a runner."""
    pairs = zip(_WEIGHTS, (weights.reference, weights.audio), strict=True)
    return {name: torch.as_tensor(value).to(like.device, like.dtype) for name, value in pairs}


def _conditional(unet: DenoisingUNet) -> Callable[..., Tensor]:
    def call(**tensors: Tensor) -> Tensor:
        dtype = unet.conv_in.weight.dtype
        velocity: Tensor = unet(
            tensors["latents"].to(dtype),
            tensors["timesteps"],
            tensors[AUDIO],
            gather_keys(tensors),
            tensors[KPS],
            AttentionWeights(*(tensors[name] for name in _WEIGHTS)),
        )
        return velocity

    return call


def _unconditional(unet: DenoisingUNet) -> Callable[..., Tensor]:
    def call(**tensors: Tensor) -> Tensor:
        dtype = unet.conv_in.weight.dtype
        weights = AttentionWeights(*(tensors[name] for name in _WEIGHTS))
        noisy = tensors["latents"].to(dtype)
        velocity: Tensor = unet(noisy, tensors["timesteps"], None, None, None, weights)
        return velocity

    return call


def _example(unet: DenoisingUNet, frames: int, example: "Example") -> dict[str, Tensor]:
    device, (height, width) = unet.conv_in.weight.device, example.seen.kps.shape[-2:]
    shape = (1, unet.config.in_channels, frames, height, width)
    return {
        "latents": torch.zeros(shape, device=device),
        "timesteps": torch.zeros(1, frames, dtype=torch.long, device=device),
        AUDIO: example.audio.expand(frames, -1, -1),
        **example.seen.constants(frames),
    }


def _path(name: str) -> str:
    return name.rpartition(".")[0]


def _is_key(name: str) -> bool:
    return name.startswith(f"{REFERENCE}.")
