"""Painting over: the colours around a hole grow into it, coarse to fine."""

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.api import Picture
from engine.portrait.landmarks import Floats


def fill_hole(picture: Picture, hole: NDArray[np.bool_]) -> Picture:
    """`picture` [height, width, 3] with the colours around `hole` [height, width] grown into it."""
    if hole.all() or not hole.any():
        return picture.copy()
    filled = picture.astype(np.float32)
    weight = (~hole).astype(np.float32)
    levels = [(filled * weight[..., None], weight)]
    while min(levels[-1][1].shape) > 1:
        colours, weights = levels[-1]
        levels.append((_smaller(colours), _smaller(weights)))
    colour = levels[-1][0] / np.maximum(levels[-1][1], 1e-6)[..., None]
    for colours, weights in reversed(levels[:-1]):
        upper = cv2.resize(colour, weights.shape[::-1], interpolation=cv2.INTER_LINEAR)
        known = np.clip(weights * 4, 0, 1)[..., None]
        colour = known * colours / np.maximum(weights, 1e-6)[..., None] + (1 - known) * upper
    plate = np.where(hole[..., None], colour, filled)
    return np.asarray(np.clip(plate + 0.5, 0, 255), np.uint8)


def _smaller(values: Floats) -> Floats:
    return np.asarray(cv2.pyrDown(values), np.float32)
