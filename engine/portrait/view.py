"""How much of a picture is shown, and how it fills frames of another shape.

With one number for a size, a crop is a square around head and shoulders and a full picture keeps
its shape. With a width and a height, the part around the head that has this shape is shown: as
large as a crop for a crop, as large as the picture allows for a full one. Where such a part would
cut the head, more of the picture is shown and its background goes on beside and above it: never
below, since bodies end there.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.api import Framing, Picture, PortraitOptions
from engine.portrait.inpaint import fill_hole
from engine.portrait.landmarks import Face
from engine.portrait.topology import CHIN, FOREHEAD

CROP_SIDE = 2.3  # of the face height
_HEAD_SIDE = 1.6  # of the face height: what no shape may cut
_CROP_CENTRE = 0.47  # the face centre, from the top of the crop
_RISE = 0.2  # how much higher it is in a frame that is all height

_RIM_SHARE = 0.05  # of the longer side: what the background beyond the picture grows from


@dataclass(frozen=True, slots=True)
class View:
    """A rectangle of the picture in pixels; it may reach beyond its sides and its top."""

    left: int
    top: int
    width: int
    height: int


def face_height(face: Face) -> float:
    """Forehead to chin in pixels, depth included."""
    return float(np.linalg.norm(face.points[FOREHEAD] - face.points[CHIN]))


def choose_view(picture: Picture, face: Face, options: PortraitOptions) -> View:
    """The part of `picture` that is shown."""
    height, width = picture.shape[:2]
    if options.height is not None:
        return _shaped_view(picture, face, options, options.size / options.height)
    if options.framing is Framing.FULL:
        return View(0, 0, width, height)
    return View(*_square(picture, face))


def head_square(picture: Picture, face: Face) -> tuple[int, int, int]:
    """Left, top and side of the square around head and shoulders, as far as the picture goes."""
    left, top, side, _ = _square(picture, face)
    return left, top, side


def frame_size(view: View, options: PortraitOptions) -> tuple[int, int]:
    """Width and height of the frames."""
    if options.height is not None:
        return options.size, options.height
    scale = options.size / max(view.width, view.height)
    return round(view.width * scale / 2) * 2, round(view.height * scale / 2) * 2


def cut(picture: Picture, view: View, size: tuple[int, int]) -> Picture:
    """The view scaled to `size` (width, height); what lies outside the picture is filled in."""
    height, width = picture.shape[:2]
    left, right = max(0, view.left), min(width, view.left + view.width)
    top, bottom = max(0, view.top), min(height, view.top + view.height)
    scale_x, scale_y = size[0] / view.width, size[1] / view.height
    begin = round((left - view.left) * scale_x), round((top - view.top) * scale_y)
    end = round((right - view.left) * scale_x), round((bottom - view.top) * scale_y)
    inner = picture[top:bottom, left:right]
    way = cv2.INTER_AREA if size[0] < view.width else cv2.INTER_CUBIC
    resized = cv2.resize(inner, (end[0] - begin[0], end[1] - begin[1]), interpolation=way)
    if resized.shape[1::-1] == size:
        return np.ascontiguousarray(resized, np.uint8)
    return _extended(resized, begin, size)


def _extended(inner: NDArray[Any], begin: tuple[int, int], size: tuple[int, int]) -> Picture:
    """`inner` on a canvas of `size`, the rest grown from its rim: the middle is not background."""
    height, width = inner.shape[:2]
    rim = max(2, round(_RIM_SHARE * max(height, width)))
    canvas, unknown = np.zeros((size[1], size[0], 3), np.uint8), np.ones((size[1], size[0]), bool)
    place = slice(begin[1], begin[1] + height), slice(begin[0], begin[0] + width)
    canvas[place] = inner
    unknown[place] = False
    unknown[place][rim:-rim, rim:-rim] = True
    filled = fill_hole(canvas, unknown)
    filled[place] = inner
    return filled


def _square(picture: Picture, face: Face) -> tuple[int, int, int, int]:
    height, width = picture.shape[:2]
    side = min(round(CROP_SIDE * face_height(face)), width, height)
    centre_x, centre_y = _centre(face)
    left = _slide_inside(round(centre_x - side / 2), side, width)
    top = _slide_inside(round(centre_y - side * _CROP_CENTRE), side, height)
    return left, top, side, side


def _shaped_view(picture: Picture, face: Face, options: PortraitOptions, aspect: float) -> View:
    """The view of that width over height."""
    height, width = picture.shape[:2]
    head = _HEAD_SIDE * face_height(face)
    is_crop = options.framing is Framing.CROP
    fitting = min(width, height * aspect) / max(1.0, aspect)  # the shorter side of what fits
    along = height if aspect > 1 else width  # what the picture has in that direction
    if fitting >= min(head, along):
        shorter = min(CROP_SIDE * face_height(face), fitting) if is_crop else fitting
    else:
        shorter = min(head, along) if is_crop else along
    view_width, view_height = round(shorter * max(1.0, aspect)), round(shorter / min(1.0, aspect))
    centre_x, centre_y = _centre(face)
    share = _CROP_CENTRE - _RISE * (1 - min(1.0, aspect))
    left = _slide_inside(round(centre_x - view_width / 2), view_width, width)
    top = min(max(round(centre_y - view_height * share), 0), height - view_height)
    return View(left, top, view_width, view_height)


def _centre(face: Face) -> tuple[float, float]:
    x, y = (face.points[FOREHEAD, :2] + face.points[CHIN, :2]) / 2
    return float(x), float(y)


def _slide_inside(start: int, length: int, limit: int) -> int:
    """Shift an interval into [0, limit], or around it where it is longer."""
    return min(max(start, min(0, limit - length)), max(0, limit - length))
