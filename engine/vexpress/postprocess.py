"""The published last touch: a median over space and time, then whole numbers."""

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from engine.api import Picture

REACH = 1  # pixels and frames to each side
MIDDLE = (2 * REACH + 1) ** 3 // 2 + 1  # of 27 values: the 14th


def smooth_frames(frames: Iterable[Tensor]) -> Iterator[Tensor]:
    """The median of each pixel and its 26 neighbours in space and time.

    Frames are [3, height, width]. Edges are mirrored, in time as well, so each frame waits for
    the next one. A single frame is its own neighbour.
    """
    waiting = iter(frames)
    current = next(waiting, None)
    before: Tensor | None = None
    for after in waiting:
        assert current is not None
        yield _median(after if before is None else before, current, after)
        before, current = current, after
    if current is not None:
        last = current if before is None else before
        yield _median(last, current, last)


def to_picture(frame: Tensor) -> Picture:
    """[3, height, width] in 0..1 -> [height, width, 3], cut down to whole numbers as published."""
    cut = (frame * 255).to(torch.uint8)
    return np.ascontiguousarray(cut.permute(1, 2, 0).cpu().numpy())


def _median(before: Tensor, current: Tensor, after: Tensor) -> Tensor:
    """[3, height, width] each -> the filtered `current`."""
    padded = functional.pad(torch.stack([before, current, after]), [REACH] * 4, mode="reflect")
    height, width = current.shape[1:]
    shifts = range(2 * REACH + 1)
    neighbours = [
        padded[:, :, row : row + height, column : column + width]
        for row in shifts
        for column in shifts
    ]
    return torch.cat(neighbours).kthvalue(MIDDLE, dim=0).values
