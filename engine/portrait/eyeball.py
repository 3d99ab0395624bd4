"""The eyeball in a frame: looking where it is told to, and moving with the skull."""

import cv2
import numpy as np

from engine.api import Picture
from engine.portrait.interior import EyeInterior
from engine.portrait.landmarks import Floats

_STILL_PIXELS = 0.05  # gaze shifts below this are not painted
_DOWN_SHARE = 0.6  # of a shift upwards that shows: lids and brow hide how far an eye rolls


class Eyeball:
    """Paints one eye of one portrait. Holds scratch memory only."""

    def __init__(self, eye: EyeInterior) -> None:
        self._eye = eye
        height, width = eye.slide.shape
        ys, xs = np.mgrid[:height, :width].astype(np.float32)
        self._pixels = np.stack([xs, ys], -1)
        self._slide = np.stack([-eye.slide, np.float32(_DOWN_SHARE) * eye.slide], -1)
        self._places = np.empty_like(self._pixels)
        self._looking = np.empty_like(eye.ball)
        self._placed = np.empty_like(eye.ball)

    def paint(self, gaze: Floats, skull: Floats) -> Picture:
        """The eyeball [height, width, 3] under a gaze (left, up) in radians.

        What is returned is overwritten by the next call. `skull` [2, 3] is the head's motion.
        """
        eye = self._eye
        shift = np.clip(gaze * eye.pixels_per_radian, -eye.reach_pixels, eye.reach_pixels)
        looking = eye.ball
        if np.abs(shift).max() > _STILL_PIXELS:
            np.multiply(self._slide, shift.astype(np.float32), out=self._places)
            self._places += self._pixels
            looking = self._looking
            cv2.remap(eye.ball, self._places, np.empty(0), cv2.INTER_LINEAR, dst=looking)
        size = (looking.shape[1], looking.shape[0])
        cv2.warpAffine(looking, skull, size, dst=self._placed, borderMode=cv2.BORDER_REPLICATE)
        return self._placed
