"""The motion UNet on NumPy, for one window: `motion_unet.py` says what it computes.

Only the newest frames are asked for, so the last level makes no others. What enters the first
level comes in sums that the caller keeps: history frames enter in every window alike.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from engine.portrait.landmarks import Floats
from engine.portrait.motion_unet import FrameMix, MotionBlock, MotionUnet
from engine.portrait.numpy_layers import Affine, array_of, silu


class UnetWeights:
    """What never changes: the weights of a motion UNet, shared by any number of streams."""

    def __init__(self, unet: MotionUnet, newest: int) -> None:
        """`newest` frames of the window are asked for."""
        self._newest = slice(-newest, None)
        self._blocks = [_Block.of(block) for block in unet.blocks]
        self._downs = [_mix(down) for down in unet.downs]
        first, *later = unet.ups
        self._ups = [_mix(first, self._newest), *(_mix(up) for up in later)]
        self._leave = Affine.of(unet.leave, newest)

    def __call__(self, entered: Floats, told: Sequence[Floats]) -> Floats:
        """By how much the newest frames [newest, 9] differ from what sound alone foretells.

        entered [frames, WIDTH]: what the first block gets, what it is told added. told: what each
        further level is told [frames of the level, WIDTH].
        """
        values = self._blocks[0](entered)
        kept = [values[self._newest]]
        for down, block, heard in zip(self._downs, self._blocks[1:], told, strict=True):
            values = down(values)
            values += heard
            values = block(values)
            kept.append(values)
        for up, fine in zip(reversed(self._ups), reversed(kept[:-1]), strict=True):
            values = up(silu(values))
            values += fine
        return self._leave(silu(values))


@dataclass(frozen=True, slots=True)
class _Block:
    mix: Callable[[Floats], Floats]
    out: Affine

    @classmethod
    def of(cls, block: object) -> "_Block":
        assert isinstance(block, MotionBlock)  # a list of modules does not know of what kind
        return cls(_mix(block.mix), Affine.of(block.out, len(block.mix.frames)))

    def __call__(self, values: Floats) -> Floats:
        changed = self.out(silu(self.mix(silu(values))))
        changed += values
        return changed


def _mix(mix: object, places: slice = slice(None)) -> Callable[[Floats], Floats]:
    """A `FrameMix` that makes the frames of some places, in the order that computes less."""
    assert isinstance(mix, FrameMix)
    channels, weights = array_of(mix.channels), array_of(mix.frames)[places]
    width, frames_out = len(channels), len(weights)
    taps = channels.shape[1] // width
    frames = weights.shape[1] // taps
    offset = np.tile(array_of(mix.bias), (frames_out, 1))
    if frames <= frames_out:
        return _ChannelsFirst(channels, weights, offset)
    by_tap = weights.reshape(frames_out, frames, taps).swapaxes(1, 2).reshape(-1, frames)
    stacked = channels.reshape(width, taps, width).swapaxes(0, 1).reshape(-1, width)
    return _FramesFirst(by_tap.copy(), stacked.copy(), offset)


@dataclass(frozen=True, slots=True)
class _ChannelsFirst:
    channels: Floats  # [width, taps * width]
    frames: Floats  # [frames out, frames * taps]
    offset: Floats  # [frames out, width]

    def __call__(self, values: Floats) -> Floats:
        spread = values.dot(self.channels).reshape(-1, values.shape[1])
        mixed: Floats = self.frames.dot(spread)
        mixed += self.offset
        return mixed


@dataclass(frozen=True, slots=True)
class _FramesFirst:
    frames: Floats  # [frames out * taps, frames]
    channels: Floats  # [taps * width, width]
    offset: Floats  # [frames out, width]

    def __call__(self, values: Floats) -> Floats:
        spread = self.frames.dot(values).reshape(len(self.offset), -1)
        mixed: Floats = spread.dot(self.channels)
        mixed += self.offset
        return mixed
