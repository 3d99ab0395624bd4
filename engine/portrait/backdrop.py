"""What shows behind the person: the picture's own background, or another one.

Another background costs nothing a frame: it is laid under the person once, at rest and beneath the
part that moves, and the renderer never knows.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from engine.api import Background, Picture
from engine.portrait.inpaint import fill_hole
from engine.portrait.landmarks import Floats
from engine.portrait.matte import person_colours

_SOLID = 0.02  # cover from which a pixel is painted out of the background
_RIM_SHARE = 1 / 160  # around the person, of the longest side: it has a shade of their colour
_FIRST_COVER, _COVER_RANGE = 0.05, 0.3  # mixed pixels count mostly as the person
_BLUR_SHARE = 1 / 40  # sigma of the blur, of the longest side


@dataclass(frozen=True, slots=True)
class Layers:
    """One portrait in two layers, and both together."""

    still: Picture  # [height, width, 3]
    cutout: Picture  # [height, width, 4]: premultiplied colour and matte of the person
    plate: Picture  # [height, width, 3]: the background alone


def lay(still: Picture, matte: Floats, background: Background) -> Layers:
    """Put a person, `matte` [height, width] of the still, in front of `background`."""
    if background.is_kept:
        # A rim moves with the person, so that the layers together are the still.
        wide = _with_rim(matte)
        return Layers(still, _premultiplied(still, wide), fill_hole(still, wide > _SOLID))
    plate = _replacement(still, matte, background)
    cutout = _premultiplied(person_colours(still, matte), matte)
    cover = cv2.cvtColor(cutout[..., 3], cv2.COLOR_GRAY2RGB)
    behind = cv2.multiply(plate, 255 - cover, scale=1 / 255)
    together = cv2.add(cv2.cvtColor(cutout, cv2.COLOR_RGBA2RGB), behind)
    return Layers(np.asarray(together, np.uint8), cutout, plate)


def background_plate(still: Picture, matte: Floats) -> Picture:
    """The still with the person painted out, [height, width, 3]: what shows when the head moves."""
    return fill_hole(still, _with_rim(matte) > _SOLID)


def _with_rim(matte: Floats) -> Floats:
    """The matte and the pixels around it, which have a shade of the person's colours."""
    reach = 2 * round(_RIM_SHARE * max(matte.shape)) + 1
    solid = np.clip((matte - _FIRST_COVER) / _COVER_RANGE, 0, 1).astype(np.float32)
    wide = cv2.dilate(solid, np.ones((reach, reach), np.uint8))
    return np.asarray(cv2.blur(wide, (reach, reach)), np.float32)


def _replacement(still: Picture, matte: Floats, background: Background) -> Picture:
    height, width = still.shape[:2]
    if background.colour is not None:
        return np.full((height, width, 3), background.colour, np.uint8)
    if background.picture is not None:
        return _covering(background.picture, width, height)
    sigma = _BLUR_SHARE * max(height, width)
    blurred = cv2.GaussianBlur(background_plate(still, matte), (0, 0), sigma)
    return np.asarray(blurred, np.uint8)


def _covering(picture: Picture, width: int, height: int) -> Picture:
    """The middle of `picture`, scaled to fill width x height."""
    scale = max(width / picture.shape[1], height / picture.shape[0])
    inner_width = min(round(width / scale), picture.shape[1])
    inner_height = min(round(height / scale), picture.shape[0])
    left = (picture.shape[1] - inner_width) // 2
    top = (picture.shape[0] - inner_height) // 2
    inner = picture[top : top + inner_height, left : left + inner_width]
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(inner, (width, height), interpolation=way), np.uint8)


def _premultiplied(colours: Picture, matte: Floats) -> Picture:
    opaque = np.concatenate([colours, np.full_like(colours[..., :1], 255)], -1)
    return np.asarray(opaque * matte[..., None] + 0.5, np.uint8)
