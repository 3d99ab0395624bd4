"""The latent cross-fade in one launch, in Triton; the grid is (planes, parts of a plane)."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from kernels.triton_planes import at, place_of, term

_PIXELS = 1024  # of one program


def crossfade(
    old: Tensor, new: Tensor, weights: Tensor, noise: Tensor, coefficients: Tensor
) -> Tensor:
    """See `kernels.crossfade.crossfade`."""
    batch, channels, frames, height, width = old.shape
    faded = torch.empty(old.shape, dtype=torch.float32, device=old.device)
    tensors = (old, new, noise, faded)
    grid = (batch * channels * frames, triton.cdiv(height * width, _PIXELS))
    # Without fused multiply-adds the twin rounds like the reference.
    _kernel[grid](
        *tensors,
        tuple(tensor.stride() for tensor in tensors),
        *(weights, weights.stride(0), coefficients, coefficients.stride()),
        *(channels, frames, height * width, width),
        PIXELS=_PIXELS,
        enable_fp_fusion=False,
    )
    return faded


@triton.jit
def _kernel(
    old: tl.tensor,
    new: tl.tensor,
    noise: tl.tensor,
    faded: tl.tensor,
    strides: tl.tuple,
    weights: tl.tensor,
    weight_stride: int,
    coefficients: tl.tensor,
    coefficient_strides: tl.tuple,
    channels: int,
    frames: int,
    size: int,
    width: int,
    PIXELS: tl.constexpr,
) -> None:
    plane = tl.program_id(0).to(tl.int64)
    pixel = tl.program_id(1) * PIXELS + tl.arange(0, PIXELS)
    real = pixel < size
    place = place_of(plane, pixel, channels, frames, width)
    weight = tl.load(weights + place[2] * weight_stride)
    coefficients += place[2] * coefficient_strides[0]
    signal_root = tl.load(coefficients)
    noise_root = tl.load(coefficients + coefficient_strides[1])
    before = tl.load(at(old, strides[0], place), mask=real).to(tl.float32)
    after = tl.load(at(new, strides[1], place), mask=real).to(tl.float32)
    drawn = tl.load(at(noise, strides[2], place), mask=real).to(tl.float32)
    original = term(1 - weight, before) + term(weight, after)
    noisy = term(signal_root, original) + term(noise_root, drawn)
    tl.store(at(faded, strides[3], place), noisy, mask=real)
