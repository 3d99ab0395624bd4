"""Affine paste-back in Triton: a program looks at some pixels of one row of the canvas.

The matrix stays on the device: reading it to find the box that the patch covers would make the
processor wait. Pixels outside the patch cost their coordinates only.
"""

import triton
import triton.language as tl
from torch import Tensor

_PIXELS = 256  # of one program


def paste(canvas: Tensor, patch: Tensor, matrix: Tensor, mask: Tensor) -> None:
    """See `kernels.paste.paste`."""
    height, width, _ = canvas.shape
    tensors = (canvas, patch, matrix, mask)
    # Without fused multiply-adds the twin rounds like the reference.
    _kernel[(height, triton.cdiv(width, _PIXELS))](
        *tensors,
        tuple(tensor.stride() for tensor in tensors),
        *(width, *mask.shape),
        PIXELS=_PIXELS,
        enable_fp_fusion=False,
    )


@triton.jit
def _kernel(
    canvas: tl.tensor,
    patch: tl.tensor,
    matrix: tl.tensor,
    mask: tl.tensor,
    strides: tl.tuple,
    width: int,
    patch_height: int,
    patch_width: int,
    PIXELS: tl.constexpr,
) -> None:
    row = tl.program_id(0)
    column = tl.program_id(1) * PIXELS + tl.arange(0, PIXELS)
    x = _mapped(matrix, strides[2][1], row, column)
    y = _mapped(matrix + strides[2][0], strides[2][1], row, column)
    inside = (column < width) & (x >= 0) & (x <= patch_width - 1)
    inside = inside & (y >= 0) & (y <= patch_height - 1)
    x, y = tl.where(inside, x, 0.0), tl.where(inside, y, 0.0)
    left, top = x.to(tl.int32), y.to(tl.int32)  # nothing is below zero: this rounds down
    right, bottom = tl.minimum(left + 1, patch_width - 1), tl.minimum(top + 1, patch_height - 1)
    corners = (left, top, right, bottom)
    across, down = x - left.to(tl.float32), y - top.to(tl.float32)
    weight = _sampled(mask, strides[3], corners, across, down, inside)
    pixel = canvas + row.to(tl.int64) * strides[0][0] + column * strides[0][1]
    for channel in tl.static_range(3):
        layer = patch + channel * strides[1][2]
        colour = _sampled(layer, strides[1], corners, across, down, inside)
        byte = pixel + channel * strides[0][2]
        below = tl.load(byte, mask=inside, other=0).to(tl.float32)
        blended = below + weight * (colour - below) + 0.5
        blended = tl.minimum(tl.maximum(blended, 0.0), 255.0)
        tl.store(byte, blended.to(tl.uint8), mask=inside)


@triton.jit
def _mapped(numbers: tl.tensor, stride: int, row: tl.tensor, column: tl.tensor) -> tl.tensor:
    """One coordinate in the patch of pixels of the canvas."""
    along = tl.load(numbers) * column.to(tl.float32)
    along += tl.load(numbers + stride) * row.to(tl.float32)
    return along + tl.load(numbers + 2 * stride)


@triton.jit
def _sampled(
    picture: tl.tensor,
    strides: tl.tuple,
    corners: tl.tuple,
    across: tl.tensor,
    down: tl.tensor,
    inside: tl.tensor,
) -> tl.tensor:
    left, right = picture + corners[0] * strides[1], picture + corners[2] * strides[1]
    top, bottom = corners[1] * strides[0], corners[3] * strides[0]
    first = tl.load(left + top, mask=inside, other=0).to(tl.float32)
    second = tl.load(right + top, mask=inside, other=0).to(tl.float32)
    upper = first + across * (second - first)
    first = tl.load(left + bottom, mask=inside, other=0).to(tl.float32)
    second = tl.load(right + bottom, mask=inside, other=0).to(tl.float32)
    lower = first + across * (second - first)
    return upper + down * (lower - upper)
