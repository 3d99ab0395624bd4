"""Inputs on which every implementation must agree with the reference."""

from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor

from kernels.reference import Guided, Prediction, Stepped

FLOATS = (torch.float32, torch.float16, torch.bfloat16)
SIZES = ((8, 10), (7, 5), (1, 1), (2, 3))
# No signal and fresh, history, history that is re-noised, half way, no noise left.
TABLE = torch.tensor(
    [
        [0, 1, 0.6, 0.8, 0, 0],
        [0.6, 0.8, 1, 0, 1, 0],
        [0.6, 0.8, 0.8, 0.6, 1, 0],
        [0.5, 0.75, 0.9, 0.4, 0, 1],
        [1, 0, 1, 0, 0, 0],
    ]
)


class Step(NamedTuple):
    """Arguments of `denoise_step`."""

    latents: Tensor
    guided: Guided
    clean: Tensor
    noise: Tensor
    coefficients: Tensor


class Fade(NamedTuple):
    """Arguments of `crossfade`."""

    old: Tensor
    new: Tensor
    weights: Tensor
    noise: Tensor
    coefficients: Tensor


class Paste(NamedTuple):
    """Arguments of `paste`."""

    canvas: Tensor
    patch: Tensor
    matrix: Tensor
    mask: Tensor


def images(dtype: torch.dtype, size: tuple[int, int], device: str) -> Tensor:
    """Two pictures [2, 3, height, width] that do not lie row by row, some of it out of range."""
    drawn = torch.randn((2, *size, 3), generator=_generator())
    return drawn.to(device, dtype).permute(0, 3, 1, 2)


def step(dtype: torch.dtype, guided: bool, prediction: Prediction, device: str) -> Step:
    """Latents with strides of many kinds; NaN and infinity where they are not used."""
    generator = _generator()

    def drawn(*order: int) -> Tensor:
        shape = torch.empty(2, 2, 5, 3, 7, device="meta").permute(order).shape
        values = torch.randn(shape, generator=generator).to(device, dtype)
        return values.permute(*(order.index(axis) for axis in range(5)))

    clean, noise = drawn(0, 2, 1, 3, 4), drawn(4, 3, 2, 1, 0)
    clean[:, :, [0, 3, 4]] = torch.nan
    noise[:, :, [0, 1, 4]] = torch.inf
    free = drawn(0, 1, 2, 4, 3) if guided else None
    said = Guided(drawn(0, 2, 3, 4, 1), free, 2.5, prediction)
    return Step(drawn(0, 1, 2, 3, 4), said, clean, noise, TABLE.to(device))


def fade(dtype: torch.dtype, device: str) -> Fade:
    """Two windows of five frames, with NaN where a weight is zero."""
    first = step(dtype, False, Prediction.VELOCITY, device)
    old, new = first.latents, first.guided.predicted
    new[:, :, 0] = torch.nan
    old[:, :, 4] = torch.inf
    weights = torch.tensor([0, 0.25, 0.5, 0.7, 1], device=device)
    table = torch.tensor([[1.0, 0], [1, 0], [0.8, 0.6], [0.6, 0.8], [1, 0]], device=device)
    return Fade(old, new, weights, first.noise, table)


def pastes(device: str) -> list[Paste]:
    """Turned, enlarged, half outside, wholly outside and edge-on; bytes and floats."""
    generator = _generator()
    matrices = [
        [[0.41, 0.07, -1.3], [-0.06, 0.43, -1.7]],
        [[1.0, 0, 3], [0, 1, 4]],
        [[1.0, 0, -90], [0, 1, -90]],
        [[1.0, 1, -15], [1, 1, -15]],
    ]
    made = []
    for matrix, dtype in product(matrices, (torch.uint8, torch.float32)):
        canvas = torch.randint(0, 256, (3, 20, 33), generator=generator).byte().permute(1, 2, 0)
        patch = torch.randint(0, 256, (9, 8, 3), generator=generator).to(dtype)
        mask = torch.rand((8, 9), generator=generator).T
        parts = (canvas, patch, torch.tensor(matrix), mask)
        made.append(Paste(*(part.to(device) for part in parts)))
    return made


def empty_out(latents: Tensor) -> Stepped:
    """Results to write into, of memory that holds NaN."""
    blank = torch.full(latents.shape, torch.nan, device=latents.device)
    return Stepped(blank, blank.clone())


def assert_same_bytes(found: Tensor, expected: Tensor) -> None:
    """Equal, but for rounding of values that lie at a half: one more or less, and rarely."""
    apart = (found.int() - expected.int()).abs()
    assert found.shape == expected.shape
    assert found.dtype == torch.uint8
    assert int(apart.max()) <= 1
    assert int((apart > 0).sum()) <= 1 + found.numel() // 1000


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(5)
