"""Pictures into tensors, as the published pipeline does it."""

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from engine.api import BadPictureError, Picture

LATENT_PIXELS = 8  # picture pixels per latent pixel, in each direction
MAX_SIDE = 4096  # pixels; the model was trained on 512


def check_size(height: int, width: int) -> None:
    """Raise unless a picture of this size has whole latents, and not too many."""
    sides = (height, width)
    if min(sides) < LATENT_PIXELS or max(sides) > MAX_SIDE or any(x % LATENT_PIXELS for x in sides):
        raise BadPictureError(
            f"{width}x{height} pixels: expected multiples of {LATENT_PIXELS} each way, "
            f"at most {MAX_SIDE}"
        )


def resize_portrait(picture: Picture, height: int, width: int, *, swapped: bool) -> Picture:
    """Resize to `height` x `width` whatever the aspect; `swapped` takes one for the other."""
    size = (height, width) if swapped else (width, height)
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))


def portrait_tensor(picture: Picture, height: int, width: int, *, swapped: bool) -> Tensor:
    """A portrait for the VAE: [1, 3, height, width] in -1..1, sides cut to whole latents."""
    resized = resize_portrait(picture, height, width, swapped=swapped)
    sides = (side - side % LATENT_PIXELS for side in (height, width))
    return 2 * frames_tensor(_fitted(resized, *sides)[None])[:, :, 0] - 1


def frames_tensor(pictures: NDArray[np.uint8]) -> Tensor:
    """Drawings [frames, height, width, 3] as the guider takes them: [1, 3, frames, ...] in 0..1."""
    unit = torch.tensor(pictures).float() / 255
    return unit.permute(3, 0, 1, 2)[None]


def _fitted(picture: Picture, height: int, width: int) -> Picture:
    """What the published image processor does when a size is not the one it was told."""
    if picture.shape[:2] == (height, width):
        return picture
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS))
