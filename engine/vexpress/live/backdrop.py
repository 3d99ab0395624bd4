"""What is generated, put back into the picture that it was cut from."""

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from engine.api import Picture
from engine.stream.blend import fade_in
from engine.vexpress.live.whole import Square, Whole
from kernels.paste import paste

_FEATHER_SHARE = 1 / 8  # of the square's side


@dataclass(frozen=True, slots=True)
class Backdrop:
    """A picture on the device and the place in it that is generated. Never changes."""

    picture: Tensor = field(repr=False)  # [height, width, 3] uint8
    mask: Tensor = field(repr=False)  # [side, side] float32, the share of what is generated
    matrix: Tensor = field(repr=False)  # [2, 3] float32, from the picture to the mask
    square: Square  # the same place

    @classmethod
    def of(cls, whole: Whole, device: torch.device) -> "Backdrop":
        """The surroundings of a framed picture."""
        square = whole.square
        height, width = whole.picture.shape[:2]
        matrix = torch.tensor([[1.0, 0.0, -square.left], [0.0, 1.0, -square.top]])
        mask = np.outer(
            _share(square.top, square.side, height), _share(square.left, square.side, width)
        )
        picture, share = torch.from_numpy(whole.picture), torch.from_numpy(mask)
        return cls(picture.to(device), share.to(device), matrix.to(device), square)

    def at_rest(self, whole: Whole) -> Picture:
        """The picture with its own square pasted back: as sharp there as every frame."""
        own = torch.from_numpy(whole.framed.still).to(self.picture.device)
        picture: Picture = self.around(own[None])[0].cpu().numpy()
        return picture

    def around(self, squares: Tensor) -> Tensor:
        """Squares [frames, size, size, 3] uint8 -> whole pictures [frames, height, width, 3]."""
        side = len(self.mask)
        patches = squares.float()
        if squares.shape[1] != side:
            planes = patches.permute(0, 3, 1, 2)
            fitted = interpolate(planes, (side, side), mode="bicubic", antialias=True)
            patches = fitted.permute(0, 2, 3, 1)
        pictures = self.picture.repeat(len(squares), 1, 1, 1)
        for picture, patch in zip(pictures, patches, strict=True):
            paste(picture, patch, self.matrix, self.mask)
        return pictures


def _share(start: int, side: int, limit: int) -> NDArray[np.float32]:
    """The square's share along one axis [side]: feathered, but not where the picture ends."""
    ramp = fade_in(max(1, round(side * _FEATHER_SHARE)))
    share = np.ones(side, np.float32)
    if start > 0:
        share[: len(ramp)] = ramp
    if start + side < limit:
        share[-len(ramp) :] *= ramp[::-1]
    return share
