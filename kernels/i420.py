"""RGB pictures to planar 4:2:0 bytes, as video encoders take them.

On the CPU (`python -m benchmarks.kernels`, one thread of a shared machine, 512x512) NumPy on floats
takes 0.2 to 0.5 of the reference's time and is equal to it bit by bit; PyTorch with matrix products
takes 0.4 to 0.9. Bytes go through OpenCV's area means and products, 0.2; only values at a half
differ, by one. OpenCV's own conversion takes 0.02, but takes chroma from one pixel of a block.
"""

from collections.abc import Callable, Mapping

import cv2
import numpy as np
import torch
from torch import Tensor

from kernels import reference
from kernels.dispatch import Way, way
from kernels.terms import Values

_IMAGE_AXES = 4
_COLOURS = 3
_FLOATS = (torch.float16, torch.bfloat16, torch.float32)


def rgb_to_i420(images: Tensor) -> Tensor:
    """Y, U and V planes of each frame, row by row, as bytes.

    images: [frames, 3, height, width] float16, bfloat16 or float32, RGB in -1..1 (clamped), with
    any strides. Returns [frames, height * width + 2 * ceil(height / 2) * ceil(width / 2)] uint8.

    ITU-R BT.601, limited range, in float32, with colours and luma in -1..1:
    luma = 0.299 R + 0.587 G + 0.114 B, Y = 125.5 + 109.5 luma, and from the mean R, G, B of each
    2x2 block (so chroma is sited at its centre; blocks at odd edges have fewer pixels)
    U = 128 + 56 (B - luma) / 0.886, V = 128 + 56 (R - luma) / 0.701. Halves are rounded up.
    NaN may become any byte. Raises ValueError for other shapes and types.
    """
    if images.ndim != _IMAGE_AXES or images.shape[1] != _COLOURS or images.dtype not in _FLOATS:
        raise ValueError(
            f"images {list(images.shape)} {images.dtype}: "
            "expected [frames, 3, height, width] floats"
        )
    return _FLOAT_WAYS[way(images)](images)


def rgb_bytes_to_i420(pictures: Tensor) -> Tensor:
    """The same from [frames, height, width, 3] uint8, of which 0..255 stands for -1..1."""
    if (
        pictures.ndim != _IMAGE_AXES
        or pictures.shape[3] != _COLOURS
        or pictures.dtype != torch.uint8
    ):
        raise ValueError(
            f"pictures {list(pictures.shape)} {pictures.dtype}: "
            "expected [frames, height, width, 3] uint8"
        )
    return _BYTE_WAYS[way(pictures)](pictures)


def _floats_with_numpy(images: Tensor) -> Tensor:
    rgb = np.clip(images.detach().float().numpy(), -1, 1)
    height, width = rgb.shape[2:]
    even = rgb
    if height % 2 or width % 2:  # a repeated edge leaves the mean of the pixels that exist as it is
        even = np.pad(rgb, ((0, 0), (0, 0), (0, height % 2), (0, width % 2)), mode="edge")
    blocks = even[..., ::2, ::2] + even[..., ::2, 1::2]
    blocks += even[..., 1::2, ::2]
    blocks += even[..., 1::2, 1::2]
    blocks *= 0.25
    luma = _luma(blocks)
    planes = (
        reference.LUMA_MIDDLE + reference.LUMA_SWING * _luma(rgb),
        reference.CHROMA_MIDDLE + reference.BLUE_SWING * (blocks[:, 2] - luma),
        reference.CHROMA_MIDDLE + reference.RED_SWING * (blocks[:, 0] - luma),
    )
    # Nothing is below zero, so cutting off rounds down.
    rows = [(plane + 0.5).astype(np.uint8).reshape(len(rgb), -1) for plane in planes]
    return torch.from_numpy(np.concatenate(rows, axis=1))


def _luma(rgb: Values) -> Values:
    luma: Values = reference.RED * rgb[:, 0]
    luma += reference.GREEN * rgb[:, 1]
    luma += reference.BLUE * rgb[:, 2]
    return luma


def _bytes_with_opencv(pictures: Tensor) -> Tensor:
    shares = np.array([reference.RED, reference.GREEN, reference.BLUE])
    blue, red = np.array([0, 0, 1]) - shares, np.array([1, 0, 0]) - shares
    # The last number of each row is the middle of the scale, and a half to round up.
    from_pixel = np.array([[*(shares * (219 / 255)), 16.5]], np.float32)
    swings = np.array([[reference.BLUE_SWING], [reference.RED_SWING]]) / 127.5
    from_block = np.hstack([np.stack([blue, red]) * swings, [[128.5], [128.5]]]).astype(np.float32)
    frames = []
    for picture in pictures.numpy().astype(np.float32):
        height, width = picture.shape[:2]
        luma = cv2.transform(picture, from_pixel)
        even = cv2.copyMakeBorder(picture, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
        half = (even.shape[1] // 2, even.shape[0] // 2)
        chroma = cv2.transform(cv2.resize(even, half, interpolation=cv2.INTER_AREA), from_block)
        planes = (luma.reshape(-1), chroma[..., 0].reshape(-1), chroma[..., 1].reshape(-1))
        frames.append(np.concatenate([plane.astype(np.uint8) for plane in planes]))
    return torch.from_numpy(np.stack(frames))


def _floats_with_triton(images: Tensor) -> Tensor:
    from kernels.triton_i420 import rgb_to_i420 as twin  # noqa: PLC0415 (Triton is optional)

    return twin(images)


def _bytes_with_triton(pictures: Tensor) -> Tensor:
    return _floats_with_triton(pictures.permute(0, 3, 1, 2).float() / 127.5 - 1)


_FLOAT_WAYS: Mapping[Way, Callable[[Tensor], Tensor]] = {
    Way.CPU: _floats_with_numpy,
    Way.TRITON: _floats_with_triton,
    Way.PLAIN: reference.rgb_to_i420,
}
_BYTE_WAYS: Mapping[Way, Callable[[Tensor], Tensor]] = {
    Way.CPU: _bytes_with_opencv,
    Way.TRITON: _bytes_with_triton,
    Way.PLAIN: reference.rgb_bytes_to_i420,
}
