"""What a live preset takes: evaluations, arithmetic, delay, and time beside the network.

    python -m benchmarks.step [--record]                  # counts, on any machine
    python -m benchmarks.step --device cuda [--record]    # times of a GPU, full size

The first counts arithmetic on shapes alone and times a null network on one thread of the CPU. The
second runs networks of the published sizes with random numbers in them.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.harness import Value, finish, result
from benchmarks.step_costs import (
    FRAME_RATE_HZ,
    LOOK_AHEAD_FRAMES,
    Arithmetic,
    FrameCost,
    frame_cost,
    published_cost,
    published_evaluations,
)
from benchmarks.step_gpu import DTYPES, GpuTimes, measure_gpu
from benchmarks.step_overhead import SMALL_SIDE, Overhead, count_evaluations, measure_overhead
from engine.stream.schedule import evaluations_per_frame
from engine.vexpress.presets import PRESETS, Preset, choose_preset

GIGA = 1e9
FRAME_MS = 1000 / FRAME_RATE_HZ
PUBLISHED_NAME = "as published"


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetReport:
    """What was counted and measured of one preset."""

    preset: Preset
    evaluations: float  # counted while the real stream ran
    cost: FrameCost
    small: Overhead  # on latents of no size: Python and launches
    real: Overhead  # on the preset's own latents

    @property
    def latency_frames(self) -> int:
        """How many frames later than a frame's own sound the last of its conditions is known."""
        return self.preset.schedule.delay_frames + LOOK_AHEAD_FRAMES

    def values(self) -> dict[str, Value]:
        """All of it, flat."""
        return {
            "evaluations_per_frame": self.evaluations,
            "gflop_per_frame": self.cost.total / GIGA,
            "latency_frames": self.latency_frames,
            "unet_conditional_gflop": self.cost.unet_conditional / GIGA,
            "unet_unconditional_gflop": self.cost.unet_unconditional / GIGA,
            "decode_gflop": self.cost.decode / GIGA,
            "speech_gflop": self.cost.speech / GIGA,
            "audio_projection_gflop": self.cost.audio_projection / GIGA,
            "overhead_ms": self.small.median_ms,
            "overhead_step_kernel_ms": self.small.step_ms,
            "overhead_real_size_ms": self.real.median_ms,
            "operations": self.small.operations,
            "allocations": self.small.allocations,
        }


def report_of(preset: Preset, arithmetic: Arithmetic, chunks: int) -> PresetReport:
    """Count and measure one preset. Raises `AssertionError` if two ways of counting differ."""
    counted, stated = count_evaluations(preset), evaluations_per_frame(preset.schedule)
    if counted != stated:
        raise AssertionError(f"{preset.name}: {counted} evaluations a frame, stated {stated}")
    return PresetReport(
        preset=preset,
        evaluations=counted,
        cost=frame_cost(preset, arithmetic),
        small=measure_overhead(preset, SMALL_SIDE, chunks),
        real=measure_overhead(preset, preset.latent_side, max(chunks // 10, 5)),
    )


def print_costs(reports: Sequence[PresetReport], published: FrameCost) -> None:
    """Two tables for people."""
    table = _table(
        "For each frame that leaves, GFLOP",
        ("evaluations", "UNet", "UNet without", "decode", "speech", "tokens", "in all", "latency"),
    )
    for report in reports:
        row = (report.preset.name, f"{report.evaluations:g}", *_parts(report.cost))
        table.add_row(*row, f"{report.latency_frames} frames")
    row = (PUBLISHED_NAME, f"{published_evaluations():g}", *_parts(published))
    table.add_row(*row, "the clip")
    Console(width=110).print(table)
    table = _table(
        "For each chunk beside the network, on one thread of the CPU",
        ("ms", "of it step kernel", "ms on real latents", "operations", "allocations"),
    )
    for report in reports:
        table.add_row(
            report.preset.name,
            f"{report.small.median_ms:.2f}",
            f"{report.small.step_ms:.2f}",
            f"{report.real.median_ms:.2f}",
            str(report.small.operations),
            str(report.small.allocations),
        )
    Console(width=110).print(table)


def print_gpu(times: Sequence[GpuTimes]) -> None:
    """What the GPU took."""
    table = _table(
        "For each chunk, ms on the GPU",
        ("backend", "UNet", "decode", "beside", "in all", "real time"),
    )
    for one in times:
        table.add_row(
            one.preset.name,
            one.backend,
            f"{one.unet_ms:.1f}",
            f"{one.decode_ms:.1f}",
            f"{one.beside_ms:.1f}",
            f"{one.chunk_ms:.1f}",
            f"{one.chunk_ms / (one.preset.schedule.chunk_frames * FRAME_MS):.2f}",
        )
    Console(width=110).print(table)


def count_all(presets: Sequence[Preset], chunks: int) -> dict[str, Mapping[str, Value]]:
    """Count, measure, print; the values of every preset and of the published program."""
    torch.set_num_threads(1)
    arithmetic = Arithmetic()
    reports = [report_of(preset, arithmetic, chunks) for preset in presets]
    published = published_cost(arithmetic)
    print_costs(reports, published)
    values: dict[str, Mapping[str, Value]] = {r.preset.name: r.values() for r in reports}
    values[PUBLISHED_NAME] = {
        "evaluations_per_frame": published_evaluations(),
        "gflop_per_frame": published.total / GIGA,
    }
    return values


def time_all(
    presets: Sequence[Preset], backends: Sequence[str], dtype: str
) -> dict[str, Mapping[str, Value]]:
    """Time on the GPU, print; the values of every preset and backend."""
    times = [measure_gpu(preset, backend, dtype) for preset in presets for backend in backends]
    print_gpu(times)
    return {f"{one.preset.name} {one.backend}": one.values() for one in times}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="benchmarks.step", description=__doc__)
    parser.add_argument("--preset", action="append", help="one of them, repeatable; else all")
    parser.add_argument("--chunks", type=int, default=300, help="chunks to take the median of")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument(
        "--backend", action="append", help="of the runner, repeatable; else eager and compiled"
    )
    parser.add_argument("--dtype", choices=tuple(DTYPES), default="float16")
    parser.add_argument("--record", action="store_true", help="append to benchmarks/results")
    options = parser.parse_args(arguments)
    presets = [choose_preset(name) for name in options.preset or [p.name for p in PRESETS]]
    if options.device == "cpu":
        finish(result("step", count_all(presets, options.chunks)), record=options.record)
        return 0
    if not torch.cuda.is_available():
        parser.error("--device cuda: PyTorch finds no CUDA GPU here; without it counts are printed")
    backends = options.backend or ["eager", "inductor", "inductor+graph"]
    name = torch.cuda.get_device_name()
    values = time_all(presets, backends, options.dtype) | {"gpu": {"name": name}}
    finish(result("step-gpu", values), record=options.record)
    return 0


def _table(title: str, headings: Sequence[str]) -> Table:
    table = Table(title=title)
    table.add_column("")
    for heading in headings:
        table.add_column(heading, justify="right")
    return table


def _parts(cost: FrameCost) -> tuple[str, ...]:
    unet = (cost.unet_conditional, cost.unet_unconditional)
    parts = (*unet, cost.decode, cost.speech, cost.audio_projection, cost.total)
    return tuple(f"{part / GIGA:.1f}" for part in parts)


if __name__ == "__main__":
    sys.exit(main())
