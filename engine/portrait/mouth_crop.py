"""The square around a mouth that the mouth network sees, and the masks it needs."""

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np

from engine.api import Picture
from engine.portrait.geometry import Doubles
from engine.portrait.landmarks import Floats
from engine.portrait.topology import (
    LOWER_LIP_INNER,
    LOWER_LIP_OUTER,
    MOUTH_CORNERS,
    UPPER_LIP_INNER,
    UPPER_LIP_OUTER,
)

CROP_PIXELS = 128
# What the network sees of it: a wide open mouth and a rim, for what lies around is never painted.
SEEN_ROWS, SEEN_COLUMNS = slice(24, 112), slice(8, 120)
_CROP_CM = 8.0  # of the canonical face: a wide open mouth and some skin around it
_BELOW_LIPS_CM = 0.8  # the centre lies under the closed lips, for the jaw only opens downwards
PIXELS_PER_CM = CROP_PIXELS / _CROP_CM
LIP_LINE_ROW = (CROP_PIXELS - 1) / 2 - _BELOW_LIPS_CM * PIXELS_PER_CM  # where closed lips meet
_COVER_PIXELS = 9
COVER_REACH = 2 * (_COVER_PIXELS // 2)  # pixels over the lips that a painting may show
_COVER_GAIN = 3.0  # whole at the edge of an opening, none at 8 pixels beside it
_FADE_PIXELS = 4
_FINE_BITS = 4  # of a pixel in polygons


def crop_affine(points: Doubles, pixels_per_cm: float, across: Doubles, down: Doubles) -> Doubles:
    """The map [2, 3] from crop to picture pixels for landmarks [478, 2 or 3] of closed lips.

    `across` [2] and `down` [2] are the head's unit vectors in the picture.
    """
    step = _CROP_CM * pixels_per_cm / CROP_PIXELS
    middle = (UPPER_LIP_INNER[5], LOWER_LIP_INNER[5])
    centre = points[[*MOUTH_CORNERS, *middle], :2].mean(0) + _BELOW_LIPS_CM * pixels_per_cm * down
    matrix = step * np.column_stack([across, down])
    half = (CROP_PIXELS - 1) / 2
    return np.column_stack([matrix, centre - matrix @ np.full(2, half)])


def cut_crop(picture: Picture, affine: Doubles | Floats) -> Picture:
    """The crop [128, 128, channels] that `affine` [2, 3] (crop to picture) takes from a picture."""
    size = (CROP_PIXELS, CROP_PIXELS)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    crop = cv2.warpAffine(picture, affine, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(crop, np.uint8)


def opening_mask(points: Doubles) -> Picture:
    """Between the lips of landmarks [478, 2 or 3] in crop pixels: [128, 128], 255 inside."""
    return _polygon(points, (UPPER_LIP_INNER, LOWER_LIP_INNER))


def lips_mask(points: Doubles) -> Picture:
    """Lips and what lies between them: [128, 128], 255 inside."""
    return _polygon(points, (UPPER_LIP_OUTER, LOWER_LIP_OUTER))


def paste_cover(
    opening: Floats, rows: slice = slice(0, CROP_PIXELS), columns: slice = slice(0, CROP_PIXELS)
) -> Floats:
    """How much of the painted mouth is shown, 0..1, for an opening [128, 128] of that kind.

    It reaches a little over the lips, and grows with the opening: nothing pops when lips part.
    What is returned are the `rows` and `columns` of the crop.
    """
    top, left = (max(0, part.start - COVER_REACH) for part in (rows, columns))
    blurred = opening[top : rows.stop + COVER_REACH, left : columns.stop + COVER_REACH]
    for _ in range(2):
        size = (_COVER_PIXELS, _COVER_PIXELS)
        blurred = np.asarray(cv2.blur(blurred, size, borderType=cv2.BORDER_CONSTANT), np.float32)
    shown = blurred[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    return np.asarray(np.minimum(shown * np.float32(_COVER_GAIN), 1) * _fade()[rows, columns])


@cache
def _fade() -> Floats:
    """One in what the network sees, zero at its border and outside, [128, 128]."""
    inside = np.zeros((CROP_PIXELS, CROP_PIXELS), np.float32)
    inside[SEEN_ROWS, SEEN_COLUMNS] = 1
    away = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L1, 3)
    fade = np.clip((away - 1) / _FADE_PIXELS, 0, 1).astype(np.float32)
    fade.flags.writeable = False
    return fade


def _polygon(points: Doubles, contours: tuple[Sequence[int], Sequence[int]]) -> Picture:
    upper, lower = contours
    fine = 4
    line = (points[[*upper, *lower[-2:0:-1]], :2] + 0.5) * fine - 0.5
    mask = np.zeros((CROP_PIXELS * fine, CROP_PIXELS * fine), np.uint8)
    scaled = (line * (1 << _FINE_BITS)).round().astype(np.int32)
    cv2.fillPoly(mask, [scaled], (255,), shift=_FINE_BITS)
    size = (CROP_PIXELS, CROP_PIXELS)
    return np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_AREA), np.uint8)
