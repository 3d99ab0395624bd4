"""What each way to compute a kernel costs, and how far it is from the reference.

    python -m benchmarks.kernels [--rounds 15] [--record]

Milliseconds are per frame of 512x512 pixels, or of its latents of 64x64. All ways of a kernel take
turns in one run on one thread; "ratio" is over the reference. Times are the least of all rounds:
on a shared machine the others measure the neighbours. What the public function runs is "chosen";
with a GPU that is measured there too, and is the Triton twin.
"""

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from benchmarks import kernel_rivals as rivals
from benchmarks.harness import Value, finish, result
from kernels import reference
from kernels.crossfade import crossfade
from kernels.i420 import rgb_bytes_to_i420, rgb_to_i420
from kernels.paste import paste
from kernels.reference import Guided
from kernels.step import denoise_step

_FRAMES = 16
_SIDE = 512
_CHOSEN = "chosen"


@dataclass(frozen=True, slots=True)
class Contest:
    """One kernel: ways by name, the reference first, and the frames of one call."""

    name: str
    ways: Mapping[str, Callable[[], Tensor]]
    frames: int = 1


@dataclass(frozen=True, slots=True)
class Row:
    """What one way took, and how it differs from the reference."""

    kernel: str
    way: str
    ms_per_frame: float
    ratio: float
    largest_difference: float  # levels of a byte, or the latents' own units
    share_apart: float  # of bytes or numbers that differ by more than 1e-5


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kernels", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="calls of each way")
    parser.add_argument("--record", action="store_true", help="append to benchmarks/results/")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    rows: list[Row] = []
    for device in ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]:
        for contest in contests(device):
            rows += compare(contest, options.rounds, device)
    show(rows)
    values: dict[str, Value] = {"rounds": options.rounds}
    for row in rows:
        values[f"{row.kernel}/{row.way}/ms_per_frame"] = row.ms_per_frame
        values[f"{row.kernel}/{row.way}/ratio"] = row.ratio
    finish(result("kernels", values), record=options.record)
    return 0


def contests(device: str) -> list[Contest]:
    """Every kernel on `device`; the rivals know the CPU only."""
    rivals_too = device == "cpu"
    found = [*_pictures(device, rivals_too), *_latents(device, rivals_too)]
    return [*found, *(_paste(device, rivals_too, texture) for texture in ("smooth", "noise"))]


def compare(contest: Contest, rounds: int, device: str) -> list[Row]:
    """Time all ways in turn."""
    expected = next(iter(contest.ways.values()))()
    apart = {name: (way() - expected.float()).abs() for name, way in contest.ways.items()}
    spent_ms: dict[str, list[float]] = {name: [] for name in contest.ways}
    for _ in range(rounds):
        for name, way in contest.ways.items():
            begun_s = time.perf_counter()
            way()
            if device == "cuda":
                torch.cuda.synchronize()
            spent_ms[name].append((time.perf_counter() - begun_s) * 1000 / contest.frames)
    least_ms = {name: min(times) for name, times in spent_ms.items()}
    base_ms = next(iter(least_ms.values()))
    return [
        Row(
            f"{contest.name} ({device})",
            name,
            least_ms[name],
            least_ms[name] / base_ms,
            float(apart[name].max()),
            float((apart[name] > 1e-5).float().mean()),  # noqa: PLR2004 (rounding of float32)
        )
        for name in contest.ways
    ]


def show(rows: list[Row]) -> None:
    """Print a table."""
    table = Table(title="Kernels, one frame")
    for heading in ("kernel", "way", "ms", "ratio", "largest difference", "share apart"):
        table.add_column(heading, justify="left" if heading in ("kernel", "way") else "right")
    for row in rows:
        numbers = (f"{row.ms_per_frame:.4f}", f"{row.ratio:.3f}", f"{row.largest_difference:.2g}")
        table.add_row(row.kernel, row.way, *numbers, f"{row.share_apart:.2g}")
    Console().print(table)


def _pictures(device: str, rivals_too: bool) -> list[Contest]:
    generator = torch.Generator().manual_seed(0)
    floats = (torch.rand((1, 3, _SIDE, _SIDE), generator=generator) * 2.2 - 1.1).to(device)
    pictures = torch.randint(0, 256, (1, _SIDE, _SIDE, 3), generator=generator).byte().to(device)
    found = []
    for name, images in (("i420", floats), ("i420 from float16", floats.half())):
        ways = {"reference": reference.rgb_to_i420, _CHOSEN: rgb_to_i420}
        if rivals_too:
            ways |= {"product": rivals.i420_product, "opencv": rivals.i420_opencv}
        found.append(Contest(name, _bound(ways, images)))
    byte_ways: dict[str, Callable[[Tensor], Tensor]] = {
        "reference": reference.rgb_bytes_to_i420,
        _CHOSEN: rgb_bytes_to_i420,
    }
    if rivals_too:
        byte_ways["opencv"] = rivals.i420_bytes_opencv
    return [*found, Contest("i420 from bytes", _bound(byte_ways, pictures))]


def _latents(device: str, rivals_too: bool) -> list[Contest]:
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randn((5, 1, 4, _FRAMES, _SIDE // 8, _SIDE // 8), generator=generator)
    latents, predicted, free, clean, noise = drawn.to(device)
    angles = torch.linspace(0.1, 1.4, _FRAMES)
    levels = [angles.cos(), angles.sin(), (angles - 0.1).cos(), (angles - 0.1).sin()]
    history = (torch.arange(_FRAMES) < _FRAMES // 4).float()
    table = torch.stack([*levels, history, 0 * history], dim=1).to(device)
    guided = Guided(predicted, free, 2.0)
    steps = {"reference": reference.denoise_step, _CHOSEN: denoise_step}
    fades = {"reference": reference.crossfade, _CHOSEN: crossfade}
    if rivals_too:
        steps["fused products"] = rivals.step_fused_products
        fades["lerp"] = rivals.crossfade_lerp
    weights = torch.linspace(0, 1, _FRAMES).to(device)

    def stepped(name: str) -> Callable[[], Tensor]:
        return lambda: steps[name](latents, guided, clean, noise, table).next

    def faded(name: str) -> Callable[[], Tensor]:
        return lambda: fades[name](latents, predicted, weights, noise, table[:, 2:4])

    return [
        Contest("step", {name: stepped(name) for name in steps}, _FRAMES),
        Contest("crossfade", {name: faded(name) for name in fades}, _FRAMES),
    ]


def _paste(device: str, rivals_too: bool, texture: str) -> Contest:
    noise = np.random.default_rng(0).integers(0, 256, (_SIDE, _SIDE, 3), dtype=np.uint8)
    drawn = noise if texture == "noise" else np.asarray(cv2.GaussianBlur(noise, (0, 0), 2))
    patch = torch.from_numpy(drawn).to(device)
    line = 1 - torch.linspace(-1, 1, _SIDE).abs()
    mask = (torch.minimum(line[:, None], line) * 5).clamp(0, 1).to(device)
    canvas = torch.full((720, 1280, 3), 128, dtype=torch.uint8).to(device)
    turn = 1.4 * torch.tensor([0.995, 0.0998])
    matrix = torch.stack([turn, turn.flip(0) * torch.tensor([-1, 1])])
    matrix = torch.hstack([matrix, torch.tensor([[-500.0], [-100.0]])]).to(device)
    ways = {"reference": reference.paste, _CHOSEN: paste}
    if rivals_too:
        ways |= {"gathered": rivals.paste_gathered, "numpy": rivals.paste_numpy}
        ways["opencv"] = rivals.paste_opencv

    def pasted(name: str) -> Callable[[], Tensor]:
        def once() -> Tensor:
            target = canvas.clone()
            ways[name](target, patch, matrix, mask)
            return target

        return once

    return Contest(f"paste, {texture}", {name: pasted(name) for name in ways})


def _bound(
    ways: Mapping[str, Callable[[Tensor], Tensor]], images: Tensor
) -> dict[str, Callable[[], Tensor]]:
    def bound(way: Callable[[Tensor], Tensor]) -> Callable[[], Tensor]:
        return lambda: way(images)

    return {name: bound(way) for name, way in ways.items()}


if __name__ == "__main__":
    sys.exit(main())
