"""What the Triton twins on latents share: places in planes, and terms that can be absent."""

import triton
import triton.language as tl


@triton.jit
def place_of(
    plane: tl.tensor, pixel: tl.tensor, channels: int, frames: int, width: int
) -> tl.tuple:
    """Batch item, channel, frame, row and column of the pixels of one plane."""
    frame, channel, item = plane % frames, plane // frames % channels, plane // frames // channels
    return item, channel, frame, pixel // width, pixel % width


@triton.jit
def at(start: tl.tensor, strides: tl.tuple, place: tl.tuple) -> tl.tensor:
    """Where the values at `place` lie."""
    begin = start + place[0] * strides[0] + place[1] * strides[1] + place[2] * strides[2]
    return begin + place[3] * strides[3] + place[4] * strides[4]


@triton.jit
def term(weight: tl.tensor, value: tl.tensor) -> tl.tensor:
    """`weight * value`, and zero where the weight is zero, whatever the value is."""
    return tl.where(weight == 0, 0.0, weight * value)
