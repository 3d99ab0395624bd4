"""Times of one preset's chunk on a GPU: published sizes, random numbers, CUDA events.

Random weights take as long as trained ones: nothing in the networks depends on their numbers.
"""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from benchmarks.harness import Value
from benchmarks.step_costs import LATE_CHUNK, make_decoder
from benchmarks.step_overhead import median_ms, open_null_stream
from engine.stream.runner import Runner, open_runner
from engine.stream.runner_settings import RunnerSettings
from engine.vexpress.blocks import KeysValues
from engine.vexpress.config import PUBLISHED, ModelConfig
from engine.vexpress.denoiser import DenoisingUNet
from engine.vexpress.presets import Preset
from engine.vexpress.reference_keys import ReferenceKeys
from engine.vexpress.reference_net import ReferenceNet
from engine.vexpress.sampling import LATENT_CHANNELS
from engine.vexpress.vae import Vae

DTYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16}
SETTLING_RUNS, RUNS = 5, 30
_KEYS, _VALUES = "keys", "values"


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuTimes:
    """Medians of one chunk in the long run."""

    preset: Preset
    backend: str  # that ran, which `auto` does not tell beforehand
    unet_ms: float  # all calls of the chunk, with and without conditions
    decode_ms: float  # all frames of the chunk
    beside_ms: float  # the stream around a null network, which waits for nothing of these
    peak_bytes: int
    prepare_s: float  # compiling and capturing

    @property
    def chunk_ms(self) -> float:
        """One after the other; the speech encoder is small and not in it."""
        return self.unet_ms + self.decode_ms + self.beside_ms

    def values(self) -> dict[str, Value]:
        """All of it, flat."""
        return {
            "unet_ms": self.unet_ms,
            "decode_ms": self.decode_ms,
            "beside_ms": self.beside_ms,
            "chunk_ms": self.chunk_ms,
            "peak_mib": self.peak_bytes / 2**20,
            "prepare_s": self.prepare_s,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """The networks of a preset as pure functions of named tensors, and what to feed them."""

    unet: DenoisingUNet
    vae: Vae
    inputs: Mapping[str, Tensor]  # of a call with conditions; `latents` and `levels` come first
    coded: Tensor  # latents of a chunk's frames, as the decoder takes them

    def conditional(self, **given: Tensor) -> Tensor:
        """The velocity under all conditions."""
        velocity: Tensor = self.unet(
            given["latents"],
            given["levels"],
            given["tokens"],
            reference_of(given),
            given["drawn"],
        )
        return velocity

    def unconditional(self, **given: Tensor) -> Tensor:
        """The velocity without any."""
        velocity: Tensor = self.unet(given["latents"], given["levels"], None, None)
        return velocity

    def decode(self, **given: Tensor) -> Tensor:
        """Pictures of a chunk."""
        return self.vae.decode_images(given["coded"])


def reference_of(given: Mapping[str, Tensor]) -> ReferenceKeys:
    """The portrait's keys and values out of flat names, which dots and slashes do not fit."""
    paths = sorted({name.partition("__")[2] for name in given if name.startswith(f"{_KEYS}__")})
    return ReferenceKeys(
        {
            path.replace("_at_", "."): KeysValues(
                given[f"{_KEYS}__{path}"], given[f"{_VALUES}__{path}"]
            )
            for path in paths
        }
    )


def flat_reference(keys: ReferenceKeys) -> dict[str, Tensor]:
    """The same under names that arguments may have."""
    return {
        f"{kind}__{path.replace('.', '_at_')}": part
        for path, pair in keys.items()
        for kind, part in zip((_KEYS, _VALUES), pair, strict=True)
    }


@torch.no_grad()
def make_workload(
    preset: Preset,
    dtype: torch.dtype,
    device: torch.device | str,
    config: ModelConfig = PUBLISHED,
) -> Workload:
    """Networks of `config` with random numbers, on the device."""

    def place(make: Callable[[], nn.Module]) -> Any:
        with torch.device(device):
            network = make()
        return network.to(device, dtype).requires_grad_(False).eval()

    def random(*shape: int) -> Tensor:
        return torch.randn(shape, dtype=dtype, device=device)

    frames, side = preset.schedule.window_frames, preset.latent_side
    unet = place(lambda: DenoisingUNet(config.unet))
    reference_net = place(lambda: ReferenceNet(config.unet))
    level = torch.zeros(1, device=device)
    keys = unet.project_reference(reference_net(random(1, LATENT_CHANNELS, side, side), level))
    audio = config.audio_projection
    inputs = {
        "latents": random(1, LATENT_CHANNELS, frames, side, side),
        "levels": torch.full((1, frames), 999, device=device),
        "tokens": random(frames, audio.queries, audio.out_channels),
        "drawn": random(1, config.unet.block_channels[0], frames, side, side),
        **flat_reference(keys),
    }
    return Workload(
        unet=unet,
        vae=place(lambda: make_decoder(preset.decoder)),
        inputs=inputs,
        coded=random(preset.schedule.chunk_frames, LATENT_CHANNELS, side, side),
    )


def measure_gpu(preset: Preset, backend: str, dtype: str) -> GpuTimes:
    """Time one preset by one backend of the runner."""
    torch.cuda.reset_peak_memory_stats()
    load = make_workload(preset, DTYPES[dtype], "cuda")
    calls = preset.schedule.calls(LATE_CHUNK)
    guided = sum(call.guided for call in calls)
    names: dict[str, tuple[Callable[..., Tensor], Mapping[str, Tensor], nn.Module]] = {
        "unet": (load.conditional, load.inputs, load.unet),
        "decode": (load.decode, {"coded": load.coded}, load.vae),
    }
    if guided:
        plain = {name: load.inputs[name] for name in ("latents", "levels")}
        names["free"] = (load.unconditional, plain, load.unet)
    timed = {
        name: _time(function, inputs, RunnerAsked(preset.name, backend, weights))
        for name, (function, inputs, weights) in names.items()
    }
    return GpuTimes(
        preset=preset,
        backend=timed["unet"].backend,
        unet_ms=len(calls) * timed["unet"].median_ms + guided * _ms_of(timed.get("free")),
        decode_ms=timed["decode"].median_ms,
        beside_ms=_beside_ms(preset),
        peak_bytes=torch.cuda.max_memory_allocated(),
        prepare_s=sum(one.prepare_s for one in timed.values()),
    )


class RunnerAsked(NamedTuple):
    """What a runner is wanted for."""

    label: str
    backend: str
    weights: nn.Module


class Timed(NamedTuple):
    """One network at work."""

    backend: str
    median_ms: float
    prepare_s: float


def open_asked(
    function: Callable[..., Tensor], inputs: Mapping[str, Tensor], asked: RunnerAsked
) -> Runner:
    """A runner as it is used live, without the checks of a CPU."""
    settings = RunnerSettings(
        label=asked.label, backend=asked.backend, weights=(asked.weights,), checking=False
    )
    return open_runner(function, inputs, settings)


def _time(
    function: Callable[..., Tensor], inputs: Mapping[str, Tensor], asked: RunnerAsked
) -> Timed:
    runner = open_asked(function, inputs, asked)
    report = runner.report
    return Timed(report.used, event_median_ms(runner.run), report.compile_s + report.capture_s)


def event_median_ms(run: Callable[[], object]) -> float:
    """By CUDA events around each run, all of them in the queue before the first is read."""
    for _ in range(SETTLING_RUNS):
        run()
    make: Callable[..., Any] = torch.cuda.Event
    marks = [make(enable_timing=True) for _ in range(RUNS + 1)]
    marks[0].record()
    for mark in marks[1:]:
        run()
        mark.record()
    torch.cuda.synchronize()
    return statistics.median(float(before.elapsed_time(after)) for before, after in pairwise(marks))


def _beside_ms(preset: Preset) -> float:
    opened = open_null_stream(preset, preset.latent_side, "cuda")

    def push() -> None:
        opened.push()
        torch.cuda.synchronize()

    return median_ms(push, RUNS, time.perf_counter)


def _ms_of(timed: Timed | None) -> float:
    return 0.0 if timed is None else timed.median_ms
