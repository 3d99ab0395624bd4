"""RGB to I420 in one pass, in Triton: a program turns some 2x2 blocks of one frame."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from kernels import reference

# In products the tensor comes first: interpreted, `constexpr * tensor` would be a constexpr.
_RED, _GREEN, _BLUE = (
    tl.constexpr(share) for share in (reference.RED, reference.GREEN, reference.BLUE)
)
_LUMA_MIDDLE, _LUMA_SWING = (
    tl.constexpr(reference.LUMA_MIDDLE),
    tl.constexpr(reference.LUMA_SWING),
)
_CHROMA_MIDDLE = tl.constexpr(reference.CHROMA_MIDDLE)
_BLUE_SWING, _RED_SWING = tl.constexpr(reference.BLUE_SWING), tl.constexpr(reference.RED_SWING)
_BLOCKS = 256  # 2x2 blocks of one program


def rgb_to_i420(images: Tensor) -> Tensor:
    """See `kernels.i420.rgb_to_i420`."""
    frames, _, height, width = images.shape
    half_height, half_width = -(-height // 2), -(-width // 2)
    size = (height * width + 2 * half_height * half_width,)
    planes = torch.empty((frames, *size), dtype=torch.uint8, device=images.device)
    grid = (triton.cdiv(half_height * half_width, _BLOCKS), frames)
    # Without fused multiply-adds the twin rounds like the reference.
    _kernel[grid](
        *(images, images.stride(), planes, height, width),
        BLOCKS=_BLOCKS,
        enable_fp_fusion=False,
    )
    return planes


@triton.jit
def _kernel(
    images: tl.tensor,
    strides: tl.tuple,
    planes: tl.tensor,
    height: int,
    width: int,
    BLOCKS: tl.constexpr,
) -> None:
    half_width = (width + 1) // 2
    count = (height + 1) // 2 * half_width
    block = tl.program_id(0) * BLOCKS + tl.arange(0, BLOCKS)
    frame = tl.program_id(1).to(tl.int64)
    row, column = 2 * (block // half_width), 2 * (block % half_width)
    images += frame * strides[0]
    planes += frame * (height * width + 2 * count)
    real = block < count
    red = tl.zeros((BLOCKS,), tl.float32)
    green = tl.zeros((BLOCKS,), tl.float32)
    blue = tl.zeros((BLOCKS,), tl.float32)
    pixels = tl.zeros((BLOCKS,), tl.float32)
    for place in tl.static_range(4):
        y, x = row + place // 2, column + place % 2
        seen = real & (y < height) & (x < width)
        pixel = images + y * strides[2] + x * strides[3]
        r = _clamped(pixel, seen)
        g = _clamped(pixel + strides[1], seen)
        b = _clamped(pixel + 2 * strides[1], seen)
        luma = r * _RED + g * _GREEN + b * _BLUE
        tl.store(planes + y * width + x, _byte(luma * _LUMA_SWING + _LUMA_MIDDLE), mask=seen)
        red, green, blue = red + r, green + g, blue + b
        pixels += seen.to(tl.float32)
    pixels = tl.maximum(pixels, 1.0)
    red, green, blue = red / pixels, green / pixels, blue / pixels
    luma = red * _RED + green * _GREEN + blue * _BLUE
    chroma = planes + height * width + block
    tl.store(chroma, _byte((blue - luma) * _BLUE_SWING + _CHROMA_MIDDLE), mask=real)
    tl.store(chroma + count, _byte((red - luma) * _RED_SWING + _CHROMA_MIDDLE), mask=real)


@triton.jit
def _clamped(pixel: tl.tensor, seen: tl.tensor) -> tl.tensor:
    """Colour in -1..1, and zero beyond the edge."""
    value = tl.load(pixel, mask=seen, other=0.0).to(tl.float32)
    return tl.minimum(tl.maximum(value, -1.0), 1.0)


@triton.jit
def _byte(value: tl.tensor) -> tl.tensor:
    return (value + 0.5).to(tl.uint8)  # nothing is below zero, so cutting off rounds down
