"""A training sample: pictures, drawings, masks and speech windows of one clip, cut alike."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from engine.vexpress.audio_frontend import frame_windows
from engine.vexpress.images import LATENT_PIXELS
from engine.vexpress.kps import draw_face

NARROWEST, WIDEST = 0.9, 1.0  # width over height of a cut
CUT_TRIALS = 10
LIP_LANDMARKS = slice(52, 72)  # of the 106 landmarks
LIP_MARGIN = 2.0  # side of the lip mask over that of the lips
RED, GREEN, BLUE = range(3)

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of pixels."""

    top: int
    left: int
    height: int
    width: int


@dataclass(frozen=True, slots=True)
class Corners:
    """A rectangle of pixels by its first and last rows and columns, both inside."""

    top: int
    bottom: int
    left: int
    right: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutting:
    """What is done to every picture of a sample, to all of them alike."""

    box: Box
    height: int
    width: int
    flip: bool = False

    def cut(self, picture: Bytes) -> Tensor:
        """[h, w, 3] or [h, w] -> [3 or 1, height, width] in 0..1."""
        return _unit(self._resized(picture))

    def cut_mask(self, mask: Bytes) -> Tensor:
        """[h, w] -> [1, height / 8, width / 8] in 0..1, resized twice as published."""
        small = (self.width // LATENT_PIXELS, self.height // LATENT_PIXELS)
        return _unit(self._resized(mask).resize(small, Image.Resampling.BILINEAR))

    def cut_drawing(self, drawing: Bytes) -> Tensor:
        """A drawing of face points; an eye keeps the colour of its side of the picture."""
        cut = self.cut(drawing)
        return cut[[GREEN, RED, BLUE]] if self.flip else cut

    def _resized(self, picture: Bytes) -> Image.Image:
        box = self.box
        edges = (box.left, box.top, box.left + box.width, box.top + box.height)
        cut = Image.fromarray(picture).crop(edges)
        cut = cut.resize((self.width, self.height), Image.Resampling.BILINEAR)
        return cut.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if self.flip else cut


def draw_box(height: int, width: int, generator: torch.Generator) -> Box:
    """Draw the part of a picture that is kept: nearly all of it, 0.9 to 1 as wide as high.

    The whole area is asked for, so most draws do not fit; then the middle is taken.
    """
    low, high = math.log(NARROWEST), math.log(WIDEST)
    for _ in range(CUT_TRIALS):
        torch.empty(1).uniform_(1.0, 1.0, generator=generator)  # the share of the area: all of it
        ratio = torch.empty(1).uniform_(low, high, generator=generator).exp().item()
        cut_width = round(math.sqrt(height * width * ratio))
        cut_height = round(math.sqrt(height * width / ratio))
        if 0 < cut_width <= width and 0 < cut_height <= height:
            top = torch.randint(height - cut_height + 1, (1,), generator=generator)
            left = torch.randint(width - cut_width + 1, (1,), generator=generator)
            return Box(int(top), int(left), cut_height, cut_width)
    return _middle(height, width)


def face_corners(bounds: NDArray[np.float32]) -> Corners:
    """A detected face (x1, y1, x2, y2) in whole pixels."""
    left, top, right, bottom = (int(edge) for edge in bounds)
    return Corners(top, bottom, left, right)


def lip_corners(landmarks: NDArray[np.float32]) -> Corners:
    """The box of the lips among 106 landmarks [106, 2], twice as large about its centre."""
    lips = landmarks[LIP_LANDMARKS]
    left, top = (int(edge) for edge in lips.min(axis=0))
    right, bottom = (int(edge) for edge in lips.max(axis=0))
    x, y = (left + right) / 2, (top + bottom) / 2
    reach_x, reach_y = (right - left) * LIP_MARGIN / 2, (bottom - top) * LIP_MARGIN / 2
    return Corners(int(y - reach_y), int(y + reach_y), int(x - reach_x), int(x + reach_x))


def draw_mask(corners: Corners, height: int, width: int) -> Bytes:
    """White inside the corners [height, width]; what lies outside the picture is left out."""
    mask = np.zeros((height, width), np.uint8)
    rows = slice(max(corners.top, 0), max(corners.bottom + 1, 0))
    columns = slice(max(corners.left, 0), max(corners.right + 1, 0))
    mask[rows, columns] = 255
    return mask


def pictures(frames: list[Bytes], cutting: Cutting) -> Tensor:
    """Frames [h, w, 3] -> [3, frames, height, width] in -1..1."""
    return 2 * torch.stack([cutting.cut(frame) for frame in frames], dim=1) - 1


def drawings(faces: NDArray[np.float32], size: tuple[int, int], cutting: Cutting) -> Tensor:
    """Three points a frame [frames, 3, 2] on pictures of `size` -> [3, frames, ...] in 0..1."""
    return torch.stack([cutting.cut_drawing(draw_face(face, *size)) for face in faces], dim=1)


def masks(corners: list[Corners], size: tuple[int, int], cutting: Cutting) -> Tensor:
    """Boxes on pictures of `size` -> [1, frames, height / 8, width / 8] in 0..1."""
    return torch.stack([cutting.cut_mask(draw_mask(box, *size)) for box in corners], dim=1)


def speech_windows(features: Tensor, clip_frames: int, frames: list[int]) -> Tensor:
    """Windows of the chosen frames, of the features [rows, 1, channels] of the whole clip."""
    return frame_windows(features.transpose(0, 1), clip_frames)[frames]


def _middle(height: int, width: int) -> Box:
    """As large as fits into the picture with a ratio that is allowed."""
    cut_height, cut_width = height, width
    if width / height < NARROWEST:
        cut_height = round(width / NARROWEST)
    elif width / height > WIDEST:
        cut_width = round(height * WIDEST)
    return Box((height - cut_height) // 2, (width - cut_width) // 2, cut_height, cut_width)


def _unit(picture: Image.Image) -> Tensor:
    """Bytes of a picture -> [channels, h, w] in 0..1."""
    values = torch.tensor(np.asarray(picture)).float() / 255
    return values[None] if picture.mode == "L" else values.permute(2, 0, 1)
