"""Cross-fades whose weights always sum to one: of motion, latents and pictures.

Used where a stream begins anew beside what was shown before: after a restart, and between idling
and speaking.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from engine.api import AvatarError, Picture


class Ramp(StrEnum):
    """How a cross-fade goes over."""

    LINEAR = "linear"
    RAISED_COSINE = "raised cosine"


def fade_in(frames: int, ramp: Ramp = Ramp.RAISED_COSINE) -> NDArray[np.float32]:
    """The new side's weight [frames], rising strictly between 0 and 1; the old side has the rest.

    Backwards it is the weight of the old side: w[k] + w[frames - 1 - k] is 1.
    """
    if frames < 0:
        raise AvatarError(f"a cross-fade of {frames} frames: expected 0 or more")
    place = np.arange(1, frames + 1) / (frames + 1)
    if ramp is Ramp.RAISED_COSINE:
        place = (1 - np.cos(np.pi * place)) / 2
    return place.astype(np.float32)


def overlap_weights(frames: int, overlap: int, ramp: Ramp = Ramp.LINEAR) -> NDArray[np.float32]:
    """Weights [frames] of one of many windows whose neighbours share `overlap` frames with it.

    Where two windows lie over each other their weights sum to one.
    """
    if not 0 <= 2 * overlap <= frames:
        raise AvatarError(f"{overlap} of {frames} frames shared: expected at most half")
    rising = fade_in(overlap, ramp)
    middle = np.ones(frames - 2 * overlap, np.float32)
    return np.concatenate([rising, middle, 1 - rising])


def blend_pictures(old: Picture, new: Picture, weight: float) -> Picture:
    """Two pictures [height, width, 3]; `weight` of the new one. Halves are rounded up."""
    share = round(min(max(weight, 0.0), 1.0) * 256)
    mixed = old.astype(np.uint16) * (256 - share) + new.astype(np.uint16) * share
    return ((mixed + 128) >> 8).astype(np.uint8)


@dataclass(slots=True)
class Fade:
    """From what was shown last to what is new, over the first frames after a restart."""

    frames: int
    ramp: Ramp = Ramp.RAISED_COSINE
    _weights: Sequence[float] = field(init=False)
    _old: Tensor | None = field(init=False, default=None)
    _place: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._weights = [float(weight) for weight in fade_in(self.frames, self.ramp)]
        self._place = self.frames

    def begin(self, last: Tensor) -> None:
        """What is shown from now on fades in over `last` [1, channels, 1, *space]."""
        if self._old is None:
            self._old = last.clone()
        self._old.copy_(last)
        self._place = 0

    def stop(self) -> None:
        """Nothing fades any more."""
        self._place = self.frames

    def apply_(self, new: Tensor) -> None:
        """Fade consecutive frames [1, channels, frames, *space], in place."""
        for frame in range(new.shape[2]):
            if self._old is None or self._place >= self.frames:
                return
            part = new.narrow(2, frame, 1)
            part.mul_(self._weights[self._place])
            part.add_(self._old, alpha=1 - self._weights[self._place])
            self._place += 1
