"""The eyeball in a frame: looking where it is told to, and moving with the skull."""

import cv2
import numpy as np

from engine.api import Picture
from engine.portrait.fields import Box, from_corner, shifted
from engine.portrait.interior import EyeInterior
from engine.portrait.landmarks import Floats

_STILL_PIXELS = 0.05  # gaze shifts below this are not painted
_DOWN_SHARE = 0.6  # of a shift upwards that shows: lids and brow hide how far an eye rolls
_MARGIN = 2  # pixels around what the skull brings in, for it is read between pixels


class Eyeball:
    """Paints one eye of one portrait. Keeps nothing between frames."""

    def __init__(self, eye: EyeInterior) -> None:
        self._eye = eye
        height, width = eye.slide.shape
        ys, xs = np.mgrid[:height, :width].astype(np.float32)
        self._pixels = np.stack([xs, ys], -1)
        self._slide = np.stack([-eye.slide, np.float32(_DOWN_SHARE) * eye.slide], -1)

    def paint(self, part: Box, gaze: Floats, skull: Floats) -> Picture:
        """A part of the eyeball [height, width, 3] under a gaze (left, up) in radians.

        `skull` [2, 3] is the head's motion in the box' own pixels.
        """
        eye = self._eye
        source = self._source(part, skull)
        looking = eye.ball[source.rows, source.columns]
        shift = np.clip(gaze * eye.pixels_per_radian, -eye.reach_pixels, eye.reach_pixels)
        if np.abs(shift).max() > _STILL_PIXELS:
            places = self._slide[source.rows, source.columns] * shift.astype(np.float32)
            places += self._pixels[source.rows, source.columns]
            looking = np.asarray(
                cv2.remap(eye.ball, places, np.empty(0), cv2.INTER_LINEAR), np.uint8
            )
        way = shifted(from_corner(skull, source.left, source.top), -part.corner)
        size = (part.width, part.height)
        return np.asarray(
            cv2.warpAffine(looking, way, size, borderMode=cv2.BORDER_REPLICATE), np.uint8
        )

    def _source(self, part: Box, skull: Floats) -> Box:
        """Where the skull's motion brings a part from."""
        (a, b, x), (c, d, y) = skull.tolist()
        area = a * d - b * c
        across = [part.left - x, part.left + part.width - x]
        down = [part.top - y, part.top + part.height - y]
        height, width = self._eye.slide.shape
        left, columns = _span([(d * u - b * v) / area for u in across for v in down], width)
        top, rows = _span([(a * v - c * u) / area for u in across for v in down], height)
        return Box(left, top, columns, rows)


def _span(places: list[float], limit: int) -> tuple[int, int]:
    """First and number of the pixels around `places`, of `limit`."""
    first = min(max(int(min(places)) - _MARGIN, 0), limit - 1)
    return first, min(max(int(max(places)) + 1 + _MARGIN, first + 1), limit) - first
