"""Other ways to compute on the CPU what `kernels` computes; `benchmarks.kernels` measures them.

What lost, or does not agree with the reference, lives here and not in the package.
"""

from collections.abc import Callable
from typing import TypeAlias

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from kernels import reference
from kernels.reference import Guided, Stepped

Paste: TypeAlias = Callable[[Tensor, Tensor, Tensor, Tensor], None]


def i420_product(images: Tensor) -> Tensor:
    """Luma and chroma by one matrix product each, in PyTorch."""
    rgb = images.float().clamp(-1, 1)
    frames, _, height, width = rgb.shape
    blocks = avg_pool2d(rgb, 2, ceil_mode=True, count_include_pad=False)
    shares = torch.tensor([reference.RED, reference.GREEN, reference.BLUE])
    luma = (reference.LUMA_SWING * shares) @ rgb.reshape(frames, 3, -1)
    blue = reference.BLUE_SWING * (torch.tensor([0.0, 0.0, 1.0]) - shares)
    red = reference.RED_SWING * (torch.tensor([1.0, 0.0, 0.0]) - shares)
    chroma = torch.stack([blue, red]) @ blocks.flatten(2)
    planes = torch.empty((frames, height * width + 2 * blocks[0, 0].numel()), dtype=torch.uint8)
    planes[:, : height * width] = luma.add_(reference.LUMA_MIDDLE + 0.5)
    planes[:, height * width :] = chroma.add_(reference.CHROMA_MIDDLE + 0.5).flatten(1)
    return planes


def i420_opencv(images: Tensor) -> Tensor:
    """Bytes, then OpenCV's conversion: it rounds twice, and one pixel of a block gives chroma."""
    pictures = ((images.float().clamp(-1, 1) + 1) * 127.5 + 0.5).byte().permute(0, 2, 3, 1)
    return i420_bytes_opencv(pictures.contiguous())


def i420_bytes_opencv(pictures: Tensor) -> Tensor:
    """OpenCV's conversion of bytes, for even sizes."""
    planes = [cv2.cvtColor(picture.numpy(), cv2.COLOR_RGB2YUV_I420) for picture in pictures]
    return torch.from_numpy(np.stack(planes).reshape(len(pictures), -1))


def step_fused_products(
    latents: Tensor, guided: Guided, clean: Tensor, noise: Tensor, coefficients: Tensor
) -> Stepped:
    """Velocities, by PyTorch's multiply-adds; what is not used is multiplied by zero."""
    columns = coefficients.reshape(-1, 6, 1, 1).unbind(1)
    signal_root, noise_root, next_signal_root, next_noise_root, clamped, fresh = columns
    said = guided.predicted
    if guided.free is not None:
        said = torch.lerp(guided.free, said, guided.scale)
    original = (signal_root * latents).addcmul_(noise_root, said, value=-1)
    error = (signal_root * said).addcmul_(noise_root, latents)
    original = torch.where(clamped != 0, clean, original)
    error = torch.where((clamped != 0) | (fresh != 0), noise, error)
    following = (next_signal_root * original).addcmul_(next_noise_root, error)
    return Stepped(following, original)


def crossfade_lerp(
    old: Tensor, new: Tensor, weights: Tensor, noise: Tensor, coefficients: Tensor
) -> Tensor:
    """`torch.lerp`; what is not used is multiplied by zero."""
    signal_root, noise_root = coefficients.reshape(-1, 2, 1, 1).unbind(1)
    mixed = torch.lerp(old, new, weights.reshape(-1, 1, 1))
    return mixed.mul_(signal_root).addcmul_(noise_root, noise)


def paste_gathered(canvas: Tensor, patch: Tensor, matrix: Tensor, mask: Tensor) -> None:
    """The reference, on the patch's box."""
    part, shifted = _box_of(canvas, matrix, mask)
    reference.paste(part, patch, shifted, mask)


def paste_numpy(canvas: Tensor, patch: Tensor, matrix: Tensor, mask: Tensor) -> None:
    """Gathering in NumPy, of the pixels inside only."""
    part, shifted = _box_of(canvas, matrix, mask)
    height, width = mask.shape
    pixels, numbers = part.numpy(), shifted.numpy()
    rows, columns = np.ogrid[: pixels.shape[0], : pixels.shape[1]]
    x, y = ((row[0] * columns + row[1] * rows + row[2]).astype(np.float32) for row in numbers)
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    x, y = x[inside], y[inside]
    source = np.dstack([patch.float().numpy(), mask.numpy()]).reshape(-1, 4)
    left, top = x.astype(np.int32), y.astype(np.int32)
    across, down = (x - left)[:, None], (y - top)[:, None]
    first, right = top * width + left, left < width - 1
    lower = first + (top < height - 1) * width
    above = source[first] + across * (source[first + right] - source[first])
    sampled = above + down * (
        source[lower] + across * (source[lower + right] - source[lower]) - above
    )
    below = pixels[inside].astype(np.float32)
    pixels[inside] = np.clip(below + sampled[:, 3:] * (sampled[:, :3] - below) + 0.5, 0, 255)


def paste_opencv(canvas: Tensor, patch: Tensor, matrix: Tensor, mask: Tensor) -> None:
    """`cv2.warpAffine`, which knows 32 positions between two pixels."""
    part, shifted = _box_of(canvas, matrix, mask)
    pixels, size = part.numpy(), (part.shape[1], part.shape[0])
    flags, numbers = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, shifted.numpy()
    colour = np.asarray(
        cv2.warpAffine(
            patch.float().numpy(), numbers, size, flags=flags, borderMode=cv2.BORDER_REPLICATE
        ),
        np.float32,
    )
    weight = np.asarray(cv2.warpAffine(mask.numpy(), numbers, size, flags=flags), np.float32)
    below = pixels.astype(np.float32)
    colour -= below
    colour *= weight[..., None]
    colour += below
    pixels[...] = np.clip(colour + 0.5, 0, 255)


def _box_of(canvas: Tensor, matrix: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """The part of the canvas that the patch reaches, and the matrix from there."""
    last = np.array(mask.shape[::-1]) - 1
    corners = np.array([[0, 0, 1], [1, 0, 1], [0, 1, 1], [1, 1, 1]]) * [*last, 1]
    reached = corners @ np.asarray(cv2.invertAffineTransform(matrix.double().numpy())).T
    left, top = np.maximum(np.floor(reached.min(axis=0)).astype(int), 0)
    right, bottom = np.ceil(reached.max(axis=0)).astype(int) + 1
    shifted = matrix.clone()
    shifted[:, 2] += matrix[:, :2] @ torch.tensor([left, top], dtype=torch.float32)
    return canvas[top:bottom, left:right], shifted
