"""Cross-fades whose weights always sum to one: of latents and of pictures.

Used where a stream begins anew beside what was shown before: latents after a restart, pictures
after frames that went wrong, and at the border of a picture that is pasted into a larger one.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.api import AvatarError, Frame
from engine.stream.solver import as_maps
from kernels.crossfade import crossfade

_PLAIN = (1.0, 0.0)  # all of the mix and no noise: what the kernel calls a plain cross-fade


def fade_in(frames: int) -> NDArray[np.float32]:
    """The new side's weight [frames], rising strictly between 0 and 1; the old side has the rest.

    Half a cosine. Backwards it is the weight of the old side: w[k] + w[frames - 1 - k] is 1.
    """
    if frames < 0:
        raise AvatarError(f"a cross-fade of {frames} frames: expected 0 or more")
    place = np.arange(1, frames + 1) / (frames + 1)
    return ((1 - np.cos(np.pi * place)) / 2).astype(np.float32)


def blend_pictures(old: Frame, new: Frame, weight: float) -> Frame:
    """Two frames of one kind, RGB or planes; `weight` of the new one. Halves are rounded up."""
    share = round(min(max(weight, 0.0), 1.0) * 256)
    mixed = old.astype(np.uint16) * (256 - share) + new.astype(np.uint16) * share
    return ((mixed + 128) >> 8).astype(np.uint8)


@dataclass(slots=True)
class Fade:
    """From what was shown last to what is new, over the first frames after a restart."""

    frames: int
    _weights: Tensor = field(init=False)  # [frames], where the frames are
    _old: Tensor | None = field(init=False, default=None)
    _place: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._weights = torch.from_numpy(fade_in(self.frames))
        self._place = self.frames

    def begin(self, last: Tensor) -> None:
        """What is shown from now on fades in over `last` [1, channels, 1, *space]."""
        if self._old is None:
            self._old = last.clone()
            self._weights = self._weights.to(last.device)
        self._old.copy_(last)
        self._place = 0

    def stop(self) -> None:
        """Nothing fades any more."""
        self._place = self.frames

    def apply_(self, new: Tensor) -> None:
        """Fade consecutive frames [1, channels, frames, *space], in place."""
        count = min(new.shape[2], self.frames - self._place)
        if self._old is None or not count:
            return
        part = as_maps(new.narrow(2, 0, count))
        weights = self._weights[self._place : self._place + count]
        plain = weights.new_tensor(_PLAIN).expand(count, 2)
        part.copy_(crossfade(as_maps(self._old).expand_as(part), part, weights, part, plain))
        self._place += count
