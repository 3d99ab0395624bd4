"""Noise that belongs to a frame: a function of the seed and of the frame's number alone.

A frame that is denoised again in a later window sees the same noise, and a longer stream extends
a shorter one's. The counter-based generator Philox makes any frame's noise without the others'
(Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011).
"""

import math
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.api import AvatarError

_FRAME_BITS = 64
_SHARED_FRAME = 1 << (_FRAME_BITS - 1)  # no stream has a frame of that number


class NoiseSource(Protocol):
    """Whatever gives frames their noise."""

    def fill(self, target: Tensor, first_frame: int) -> None:
        """Write the noise of consecutive frames into `target` [1, channels, frames, *space]."""
        ...


@dataclass(frozen=True, slots=True)
class FrameNoise:
    """Standard normal numbers for every frame of a stream.

    `shared` is the part of the variance that all frames have in common, 0 for none: frames that
    begin alike flicker less.
    """

    seed: int
    shape: tuple[int, ...]  # of one frame, [channels, *space]
    shared: float = 0.0
    _base: NDArray[np.float32] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 0.0 <= self.shared < 1.0:
            raise AvatarError(f"shared noise {self.shared}: expected 0 up to less than 1")
        object.__setattr__(self, "_base", self._draw(_SHARED_FRAME) * math.sqrt(self.shared))

    def frame(self, index: int) -> NDArray[np.float32]:
        """The noise [channels, *space] of frame `index`, which may be negative."""
        own = self._draw(index)
        if self.shared:
            own *= np.float32(math.sqrt(1 - self.shared))
            own += self._base
        return own

    def fill(self, target: Tensor, first_frame: int) -> None:
        """Write the noise of consecutive frames into `target` [1, channels, frames, *space]."""
        for place in range(target.shape[2]):
            target[0, :, place].copy_(torch.from_numpy(self.frame(first_frame + place)))

    def _draw(self, index: int) -> NDArray[np.float32]:
        # Each draw counts up from a place of its own.
        counter = np.array([0, 0, 0, index % (1 << _FRAME_BITS)], np.uint64)
        bits = np.random.Philox(key=self.seed % (1 << _FRAME_BITS), counter=counter)
        return np.random.Generator(bits).standard_normal(self.shape, np.float32)
