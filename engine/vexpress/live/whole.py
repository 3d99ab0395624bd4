"""The whole picture: which square of it is generated, and how large it is shown."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from engine.api import FaceTooSmallError, Picture
from engine.portrait.framing import Framed, find_speaker, look_closely
from engine.portrait.geometry import PoseSolver
from engine.portrait.landmarks import FaceLandmarker, Region
from engine.portrait.view import face_height, head_square
from engine.vexpress.kps import Points

FULL_SIDE = 1080  # pixels of the longest side at most; more is slow to send and nobody sees it
MIN_SHOWN_FACE = 40  # pixels of a face's height in the picture as it is shown


@dataclass(frozen=True, slots=True)
class Square:
    """Where a generated square lies in the picture that is shown, in whole pixels of it."""

    left: int
    top: int
    side: int  # at most `size`: what is generated is never enlarged
    size: int  # pixels of the side as it is generated

    def inward(self, points: Points) -> Points:
        """Places in the picture [..., 2] -> places in the square as it is generated."""
        corner = np.array([self.left, self.top])
        inner = (points + 0.5 - corner) * (self.size / self.side) - 0.5
        return np.asarray(inner, np.float32)

    def outward(self, points: Points) -> Points:
        """The inverse of `inward`."""
        corner = np.array([self.left, self.top])
        outer = (points + 0.5) * (self.side / self.size) - 0.5 + corner
        return np.asarray(outer, np.float32)


@dataclass(frozen=True, slots=True)
class Whole:
    """A picture as it is shown, with even sides, and the square of it that is generated."""

    picture: Picture  # [height, width, 3]
    square: Square
    framed: Framed  # what is in the square, at the size at which it is generated


def shown_size(width: int, height: int, head_side: int, size: int) -> tuple[int, int]:
    """Width and height of the picture that is shown, even.

    The picture's own size, unless that is over `FULL_SIDE` on the longest side, or the head, which
    is generated at `size`, would have to be enlarged and look duller than what surrounds it.
    """
    scale = min(1.0, FULL_SIDE / max(width, height), size / head_side)
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)


def frame_whole(
    picture: Picture, size: int, landmarker: FaceLandmarker, solver: PoseSolver
) -> Whole:
    """Find the one face of `picture` and the square around it. Raises `BadPictureError`.

    The square has whole pixels in the picture that is shown, and is cut from the picture that was
    given: pasting it back moves nothing and loses least.
    """
    face = find_speaker(picture, landmarker)
    height, width = picture.shape[:2]
    left, top, head = head_square(picture, face)
    shown = shown_size(width, height, head, size)
    scales = np.array(shown) / (width, height)
    shown_face = face_height(face) * scales.min()
    if shown_face < MIN_SHOWN_FACE:
        raise FaceTooSmallError(
            f"the face would be {shown_face:.0f} pixels high in the whole picture, shown at "
            f"{shown[0]}x{shown[1]}; expected at least {MIN_SHOWN_FACE}: cut the picture, or show "
            "head and shoulders only"
        )
    side = min(round(head * scales.mean()), size, *shown)
    corner = np.minimum(np.round((left, top) * scales).astype(int), np.array(shown) - side)
    begin, end = corner / scales, (corner + side) / scales
    still = _resized(picture, (size, size), (*begin.tolist(), *end.tolist()))
    enlarged = size * scales.mean() / side  # of a pixel of what was given
    moved = Region(
        (face.region.centre_x - begin[0]) * enlarged,
        (face.region.centre_y - begin[1]) * enlarged,
        face.region.side * enlarged,
        face.region.angle,
    )
    return Whole(
        _resized(picture, shown, (0.0, 0.0, float(width), float(height))),
        Square(int(corner[0]), int(corner[1]), side, size),
        look_closely(still, moved, landmarker, solver),
    )


def _resized(
    picture: Picture, size: tuple[int, int], box: tuple[float, float, float, float]
) -> Picture:
    """Part of a picture, whose borders need not be whole pixels."""
    image = Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS, box)
    return np.array(image, np.uint8)
