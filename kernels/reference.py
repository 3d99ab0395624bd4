"""Plain PyTorch: what every kernel means. Each faster implementation is tested against this.

A term whose weight is zero is left out, not multiplied: whatever lies in a tensor that a frame
does not use (NaN, infinity, memory never written) cannot reach the result.
"""

from enum import StrEnum
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

# ITU-R BT.601: shares of red, green and blue in luma.
RED, GREEN, BLUE = 0.299, 0.587, 0.114
# Limited range: luma 16..235, chroma 16..240, with colours and luma in -1..1.
LUMA_MIDDLE, LUMA_SWING = 125.5, 109.5
CHROMA_MIDDLE = 128.0
BLUE_SWING, RED_SWING = 56 / (1 - BLUE), 56 / (1 - RED)

NOISE_FLOOR = 1e-4  # the smallest noise root that anything is divided by


class Prediction(StrEnum):
    """What a network's output stands for."""

    VELOCITY = "velocity"  # signal root * noise - noise root * clean
    ORIGINAL = "original"  # the clean latents themselves


class Guided(NamedTuple):
    """What the network said, with and without its conditions, and how far to go from the latter."""

    predicted: Tensor  # [batch, channels, frames, height, width]
    free: Tensor | None = None  # the same without conditions; None: `predicted` is taken as it is
    scale: float = 1.0  # of classifier-free guidance
    prediction: Prediction = Prediction.VELOCITY


class Stepped(NamedTuple):
    """One step of the solver, [batch, channels, frames, height, width] each."""

    next: Tensor  # the latents at the next noise level
    original: Tensor  # what the clean latents look like from here


def rgb_to_i420(images: Tensor) -> Tensor:
    """See `kernels.i420.rgb_to_i420`."""
    rgb = images.float().clamp(-1, 1)
    red, green, blue = rgb.unbind(1)
    luma = RED * red + GREEN * green + BLUE * blue
    # Blocks at an odd edge have fewer pixels; the mean is of those that exist.
    red, green, blue = avg_pool2d(rgb, 2, ceil_mode=True, count_include_pad=False).unbind(1)
    block_luma = RED * red + GREEN * green + BLUE * blue
    planes = (
        LUMA_MIDDLE + LUMA_SWING * luma,
        CHROMA_MIDDLE + BLUE_SWING * (blue - block_luma),
        CHROMA_MIDDLE + RED_SWING * (red - block_luma),
    )
    return (torch.cat([plane.flatten(1) for plane in planes], dim=1) + 0.5).floor().byte()


def rgb_bytes_to_i420(pictures: Tensor) -> Tensor:
    """See `kernels.i420.rgb_bytes_to_i420`."""
    return rgb_to_i420(pictures.permute(0, 3, 1, 2).float() / 127.5 - 1)


def denoise_step(
    latents: Tensor, guided: Guided, clean: Tensor, noise: Tensor, coefficients: Tensor
) -> Stepped:
    """See `kernels.step.denoise_step`."""
    columns = coefficients.float().reshape(-1, 6, 1, 1).unbind(1)  # [frames, 1, 1] each
    signal_root, noise_root, next_signal_root, next_noise_root, clamped, fresh = columns
    noisy, said = latents.float(), guided.predicted.float()
    if guided.free is not None:
        said = guided.free.float() + guided.scale * (said - guided.free.float())
    if guided.prediction is Prediction.VELOCITY:
        original = _term(signal_root, noisy) - _term(noise_root, said)
        error = _term(signal_root, said) + _term(noise_root, noisy)
    else:
        original = said
        error = (noisy - _term(signal_root, said)) / noise_root.clamp(min=NOISE_FLOOR)
    original = torch.where(clamped != 0, clean.float(), original)
    error = torch.where((clamped != 0) | (fresh != 0), noise.float(), error)
    return Stepped(_term(next_signal_root, original) + _term(next_noise_root, error), original)


def crossfade(
    old: Tensor, new: Tensor, weights: Tensor, noise: Tensor, coefficients: Tensor
) -> Tensor:
    """See `kernels.crossfade.crossfade`."""
    weight = weights.float().reshape(-1, 1, 1)
    signal_root, noise_root = coefficients.float().reshape(-1, 2, 1, 1).unbind(1)
    original = _term(1 - weight, old.float()) + _term(weight, new.float())
    return _term(signal_root, original) + _term(noise_root, noise.float())


def paste(canvas: Tensor, patch: Tensor, matrix: Tensor, mask: Tensor) -> None:
    """See `kernels.paste.paste`."""
    height, width = canvas.shape[:2]
    rows = torch.arange(height, dtype=torch.float32, device=canvas.device)[:, None]
    columns = torch.arange(width, dtype=torch.float32, device=canvas.device)
    (x, y) = (row[0] * columns + row[1] * rows + row[2] for row in matrix.float())
    inside = (x >= 0) & (x <= mask.shape[1] - 1) & (y >= 0) & (y <= mask.shape[0] - 1)
    colour, weight = sample(patch, x, y), sample(mask[..., None], x, y)
    below = canvas.float()
    blended = (below + weight * (colour - below) + 0.5).floor().clamp(0, 255)
    canvas.copy_(torch.where(inside[..., None], blended, below))


def sample(picture: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Bilinear samples [..., channels] of `picture` [height, width, channels] at x, y [...].

    Whole coordinates are pixel centres. Outside, the result has no meaning.
    """
    last_row, last_column = picture.shape[0] - 1, picture.shape[1] - 1
    left, top = x.floor().long().clamp(0, last_column), y.floor().long().clamp(0, last_row)
    right, bottom = (left + 1).clamp(max=last_column), (top + 1).clamp(max=last_row)
    across, down = (x - left)[..., None], (y - top)[..., None]
    values = picture.float()
    upper = values[top, left] + across * (values[top, right] - values[top, left])
    lower = values[bottom, left] + across * (values[bottom, right] - values[bottom, left])
    return upper + down * (lower - upper)


def _term(weight: Tensor, value: Tensor) -> Tensor:
    """`weight * value`, and zero where the weight is zero, whatever the value is."""
    return torch.where(weight == 0, 0.0, weight * value)
