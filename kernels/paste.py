"""Put a patch back into a larger picture, through an affine map and a feathered mask.

On the CPU (`python -m benchmarks.kernels`, one thread of a shared machine, 1280x720 canvas, patch
over a seventh of it) `grid_sample` on the patch's box takes 0.05 of the reference's time; values at
a half differ, by one. Gathering in NumPy or PyTorch takes 0.2. OpenCV's warpAffine takes 0.02, but
it knows 32 positions between two pixels: on fine texture it is up to 7 levels off.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from kernels import reference
from kernels.dispatch import Way, way

_COLOURS = 3
_MATRIX = (2, 3)
_Paste: TypeAlias = Callable[[Tensor, Tensor, Tensor, Tensor], None]


def paste(canvas: Tensor, patch: Tensor, matrix: Tensor, mask: Tensor) -> None:
    """Blend `patch` into `canvas`, in place.

    canvas: [height, width, 3] uint8; patch: [patch height, patch width, 3] uint8, or float in
    0..255; mask: [patch height, patch width] float32, 0 (the canvas stays) to 1 (the patch covers).
    matrix: [2, 3] float32 maps canvas pixels (column, row, 1) to patch pixels (column, row); whole
    numbers are centres. All on one device; any strides.

    Patch and mask are sampled bilinearly, in float32; canvas + mask * (patch - canvas) is rounded
    half up and clamped. What lies outside the patch's outermost pixel centres does not change.

    Raises ValueError for shapes or types that do not fit.
    """
    fits = canvas.ndim == patch.ndim == _COLOURS and canvas.shape[2] == patch.shape[2] == _COLOURS
    if not fits or canvas.dtype != torch.uint8 or patch.shape[:2] != mask.shape:
        raise ValueError(
            f"canvas {list(canvas.shape)} {canvas.dtype}, patch {list(patch.shape)}, mask "
            f"{list(mask.shape)}: expected [height, width, 3] uint8, a patch as large as its mask"
        )
    if tuple(matrix.shape) != _MATRIX:
        raise ValueError(f"matrix {list(matrix.shape)}: expected [2, 3]")
    _WAYS[way(canvas)](canvas, patch, matrix, mask)


def _with_grid_sample(canvas: Tensor, patch: Tensor, matrix: Tensor, mask: Tensor) -> None:
    height, width = mask.shape
    top, bottom, left, right = _box(canvas.shape[:2], matrix.tolist(), (height, width))
    target = canvas[top:bottom, left:right]
    if not target.numel():
        return
    rows = torch.arange(top, bottom, dtype=torch.float32)[:, None]
    columns = torch.arange(left, right, dtype=torch.float32)
    x, y = (row[0] * columns + row[1] * rows + row[2] for row in matrix.float())
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    places = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], dim=-1)
    source = torch.cat([patch.permute(2, 0, 1).float(), mask[None].float()])
    sampled = grid_sample(source[None], places[None], padding_mode="border", align_corners=False)[0]
    below = target.permute(2, 0, 1).float()
    blended = (sampled[:3] - below).mul_(sampled[3] * inside).add_(below).add_(0.5)
    target.copy_(blended.clamp_(0, 255).permute(1, 2, 0))


def _box(
    canvas_size: tuple[int, ...], matrix: list[list[float]], patch_size: tuple[int, int]
) -> tuple[int, int, int, int]:
    """Top, bottom, left and right of the canvas pixels that the patch may touch."""
    height, width = canvas_size
    linear, shift = np.array(matrix)[:, :2], np.array(matrix)[:, 2]
    if abs(np.linalg.det(linear)) < np.finfo(np.float32).eps:
        return 0, height, 0, width  # a patch seen from its edge may be anywhere
    last = np.array(patch_size[::-1]) - 1.0
    corners = np.array([[0, 0], [1, 0], [0, 1], [1, 1]]) * last
    reached = np.linalg.solve(linear, (corners - shift).T)
    # One pixel more: the coordinates of the pixels are rounded to float32.
    low = np.clip(np.floor(reached.min(axis=1)) - 1, 0, [width, height]).astype(int)
    high = np.clip(np.ceil(reached.max(axis=1)) + 2, 0, [width, height]).astype(int)
    return int(low[1]), int(high[1]), int(low[0]), int(high[0])


def _with_triton(canvas: Tensor, patch: Tensor, matrix: Tensor, mask: Tensor) -> None:
    from kernels.triton_paste import paste as twin  # noqa: PLC0415 (Triton is optional)

    twin(canvas, patch, matrix, mask)


_WAYS: Mapping[Way, _Paste] = {
    Way.CPU: _with_grid_sample,
    Way.TRITON: _with_triton,
    Way.PLAIN: reference.paste,
}
