"""A clip's noise, a few frames at a time: the numbers that `initial_noise` draws at once.

They are drawn channel after channel, each with all frames of the clip. So each channel gets a
generator of its own, which has gone past the channels before it.
"""

import torch
from torch import Tensor

from engine.vexpress.sampling import LATENT_CHANNELS

# PyTorch turns uniform numbers to normal ones in groups of 16 and draws an incomplete last group
# anew, so whole groups may be drawn apart from each other, but the last two only together.
_GROUP = 16
_BLOCK = 1024 * _GROUP


class DrawnNoise:
    """A `NoiseSource` that equals `initial_noise(frames, height, width, seed)`.

    Frames are to be asked for in order; frame 0 may follow any other and begins anew. Frames
    before the first and after the last have none.
    """

    def __init__(self, frames: int, height: int, width: int, seed: int) -> None:
        self._frames, self._area, self._seed = frames, height * width, seed
        self._next, self._channels = 0, self._begin()

    def fill(self, target: Tensor, first_frame: int) -> None:
        """Write the noise of consecutive frames into `target` [1, channels, frames, *space]."""
        target.zero_()
        asked = range(first_frame, first_frame + target.shape[2])
        wanted = range(max(0, asked.start), min(asked.stop, self._frames))
        if not wanted:
            return
        if wanted.start == 0:
            self._next, self._channels = 0, self._begin()
        if wanted.start != self._next:
            raise ValueError(f"noise of frame {wanted.start}: expected {self._next} or 0")
        place = slice(wanted.start - first_frame, wanted.stop - first_frame)
        for channel, numbers in enumerate(self._channels):
            there = target[0, channel, place]
            there.copy_(numbers.take(len(wanted) * self._area).reshape(there.shape))
        self._next = wanted.stop

    def _begin(self) -> list["_Numbers"]:
        of_channel = self._frames * self._area
        total = LATENT_CHANNELS * of_channel
        return [
            _Numbers(self._seed, total, channel * of_channel) for channel in range(LATENT_CHANNELS)
        ]


class _Numbers:
    """The `total` numbers of one draw, from the one at `start`, in pieces."""

    def __init__(self, seed: int, total: int, start: int) -> None:
        self._generator = torch.Generator().manual_seed(seed)
        self._undrawn = total
        self._rest = torch.empty(0)
        while start > 0:
            skipped = min(start, _BLOCK)
            self.take(skipped)
            start -= skipped

    def take(self, count: int) -> Tensor:
        """The next `count` of them."""
        parts, have = [self._rest], len(self._rest)
        while have < count:
            parts.append(self._draw())
            have += len(parts[-1])
        together = torch.cat(parts)
        self._rest = together[count:].clone()
        return together[:count]

    def _draw(self) -> Tensor:
        size = _BLOCK if self._undrawn >= _BLOCK + _GROUP else self._undrawn
        self._undrawn -= size
        return torch.randn(size, generator=self._generator)
