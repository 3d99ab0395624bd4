"""Noise that belongs to a frame: a function of the seed and of the frame's number alone.

A frame that is denoised again in a later window sees the same noise, and a longer stream extends
a shorter one's. The counter-based generator Philox makes any frame's noise without the others'
(Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011).
"""

import math
from dataclasses import dataclass, field
from typing import Any, Protocol

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
    """Standard normal numbers for every frame of a stream; for one thread at a time.

    `shared` is the part of the variance that all frames have in common, 0 for none: frames that
    begin alike flicker less.
    """

    seed: int
    shape: tuple[int, ...]  # of one frame, [channels, *space]
    shared: float = 0.0
    _base: NDArray[np.float32] = field(init=False, repr=False, compare=False)
    _counter: "_Counter" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 0.0 <= self.shared < 1.0:
            raise AvatarError(f"shared noise {self.shared}: expected 0 up to less than 1")
        base = np.empty(self.shape, np.float32)
        object.__setattr__(self, "_counter", _Counter(self.seed))
        self._counter.draw(_SHARED_FRAME, base)
        object.__setattr__(self, "_base", base * np.float32(math.sqrt(self.shared)))

    def frame(self, index: int) -> NDArray[np.float32]:
        """The noise [channels, *space] of frame `index`, which may be negative."""
        own: NDArray[np.float32] = self._frames(index, 1)[0]
        return own

    def fill(self, target: Tensor, first_frame: int) -> None:
        """Write the noise of consecutive frames into `target` [1, channels, frames, *space]."""
        drawn = torch.from_numpy(self._frames(first_frame, target.shape[2]))
        target[0].transpose(0, 1).copy_(drawn)  # at once: each copy to a GPU waits for the last

    def _frames(self, first: int, count: int) -> NDArray[np.float32]:
        """[frames, channels, *space]."""
        drawn = np.empty((count, *self.shape), np.float32)
        for place in range(count):
            self._counter.draw(first + place, drawn[place])
        if self.shared:
            drawn *= np.float32(math.sqrt(1 - self.shared))
            drawn += self._base
        return drawn


class _Counter:
    """A generator that is set to a frame's own place: six times as fast as one for each frame."""

    def __init__(self, seed: int) -> None:
        self._bits = np.random.Philox(key=seed % (1 << _FRAME_BITS), counter=0)
        self._generator = np.random.Generator(self._bits)
        self._start: Any = self._bits.state
        self._place = self._start["state"]["counter"]  # four words, the lowest first

    def draw(self, frame: int, target: NDArray[np.float32]) -> None:
        """Fill `target`, which is contiguous."""
        self._place[3] = frame % (1 << _FRAME_BITS)
        self._bits.state = self._start
        self._generator.standard_normal(dtype=np.float32, out=target)
