"""The painted mouth's pixels of one frame, only where the mouth is open.

What `painted_mouth_network` says for batches of training, said once more for one mouth in plain
arrays, which start quicker than tensors.
"""

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple, Self

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.api import Picture
from engine.portrait.landmarks import Floats
from engine.portrait.mouth_crop import LIP_LINE_ROW, SEEN_COLUMNS, SEEN_ROWS
from engine.portrait.painted_mouth_network import (
    BRIGHT,
    COARSE_PIXELS,
    DIM,
    FOLD,
    LIP_PIXELS,
    LITTLE,
    LOWER_DIM,
    MOST_CAVITY,
    SEAM_PIXELS,
    Rows,
    Seen,
)

HEIGHT, WIDTH = (part.stop - part.start for part in (SEEN_ROWS, SEEN_COLUMNS))
# What lies further below an opening changes no pixel of it: a chin is neither cut nor looked at.
_SKETCHED_BELOW, _HIDDEN_BELOW = 12, 16
_HALVES = 2  # of a fold's side, which the sketch has


class Part(NamedTuple):
    """A rectangle of what the network sees."""

    rows: slice
    columns: slice

    @property
    def sketched_rows(self) -> int:
        """Rows that the network must see to paint this part, whole blocks of its coarsest."""
        blocks = -(-(int(self.rows.stop) + _SKETCHED_BELOW) // COARSE_PIXELS)
        return min(blocks * COARSE_PIXELS, HEIGHT)

    @property
    def cut_rows(self) -> int:
        """Rows that must be cut out of the frame, for what is hidden looks like what is around."""
        return min(self.sketched_rows + _HIDDEN_BELOW, HEIGHT)


class Crop(NamedTuple):
    """Lips as the network sees them."""

    colour: Picture  # [rows, 112, 3]
    opening: Floats  # [rows, 112], one between the lips


def hidden_lips(colour: Picture, opening: Floats) -> Floats:
    """Lips [rows, 112, 4] as the network sees them: -0.5..0.5 without their opening, and it, 0..1.

    See `painted_mouth_network.hide_opening`.
    """
    height, width = opening.shape
    around_lips = np.ones((SEAM_PIXELS, SEAM_PIXELS), np.uint8)
    clear = np.asarray(1 - cv2.dilate(opening, around_lips), np.float32)
    shown = colour * np.float32(1 / 255)
    shown -= np.float32(0.5)
    cv2.multiply(shown, cv2.cvtColor(clear, cv2.COLOR_GRAY2RGB), dst=shown)
    sums, share = _around(shown), _around(clear)
    counts = _counts(height // COARSE_PIXELS, width // COARSE_PIXELS)
    around = np.asarray(sums / (share + LITTLE * counts)[..., None], np.float32)
    around = np.asarray(cv2.resize(around, (width, height), interpolation=cv2.INTER_LINEAR))
    cv2.multiply(around, cv2.cvtColor(1 - clear, cv2.COLOR_GRAY2RGB), dst=around)
    lips = np.empty((height, width, 4), np.float32)
    np.add(shown, around, out=lips[..., :3])
    lips[..., 3] = opening
    return lips


def _around(values: Floats) -> Floats:
    """Sums of 5 x 5 blocks' means, [rows / 8, 14, ...]."""
    size = (values.shape[1] // COARSE_PIXELS, values.shape[0] // COARSE_PIXELS)
    return _sums(np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), np.float32))


@cache
def _counts(rows: int, columns: int) -> Floats:
    """Blocks that each sum has, [rows, columns]."""
    counts = _sums(np.ones((rows, columns), np.float32))
    counts.flags.writeable = False
    return counts


def _sums(coarse: Floats) -> Floats:
    border = cv2.BORDER_CONSTANT
    sums = cv2.boxFilter(coarse, -1, (5, 5), normalize=False, borderType=border)
    return np.asarray(sums, np.float32)


def folded(lips: Floats) -> Tensor:
    """Lips [rows, 112, 4] in blocks of pixels: [1, 64, rows / 4, 28], channels last.

    The channels of a block are row, column, colour; see `block_order`.
    """
    height, width = lips.shape[0] // FOLD, lips.shape[1] // FOLD
    blocks = lips.reshape(height, FOLD, width, FOLD * 4).transpose(0, 2, 1, 3)
    return torch.from_numpy(blocks.reshape(height, width, -1)).permute(2, 0, 1)[None]


def block_order() -> list[int]:
    """Which of `pixel_unshuffle`'s channels each of a block's is."""
    plain = np.arange(4 * FOLD * FOLD).reshape(4, FOLD, FOLD)
    return [int(number) for number in plain.transpose(1, 2, 0).ravel()]


def lower_lip_drop(opening: Floats) -> float:
    """How far the lower lip's edge went down, pixels; as in `painted_mouth_network`.

    The first row of `opening` [rows, 112] is the first that the network sees.
    """
    centre = opening.shape[1] // 2
    strip = opening[:, centre - LIP_PIXELS : centre + LIP_PIXELS]
    middle = cv2.reduce(strip, 1, cv2.REDUCE_AVG)[:, 0]
    height = float(middle.sum())
    rows = np.arange(len(middle), dtype=np.float32) + np.float32(SEEN_ROWS.start - LIP_LINE_ROW)
    return float((middle * rows).sum()) / (height + 0.5) + height / 2


@dataclass(frozen=True, slots=True)
class Finish:
    """Teeth and light of one portrait: a sketch becomes a mouth. Keeps nothing between frames."""

    upper: Floats  # [4, 88, 112] teeth at rest: premultiplied colour and cover
    lower: Floats  # [88, 112, 4]
    light: Floats  # [3, 1, 1] what falls on the face
    colourful: float

    @classmethod
    def of(cls, seen: Seen, teeth: Rows) -> Self:
        """From tensors of one portrait."""
        return cls(
            teeth.upper[0].numpy(),
            np.ascontiguousarray(teeth.lower[0].permute(1, 2, 0).numpy()),
            seen.light[0].numpy(),
            float(seen.colourful),
        )

    def paint(self, lips: Floats, soft: Tensor, fall: tuple[float, float], part: Part) -> Picture:
        """The mouth [.., .., 3] in a part of `lips` [rows, 112, 4]; see the network's `finished`.

        `soft` [40, rows / 4, 28] is the folded sketch, `fall` how many pixels the lower teeth went.
        """
        sketch = _unfolded(soft, part)
        rim = sketch[:3].numpy()
        cavity, light, (lower_light,) = np.split(sketch[3:].sigmoid_().numpy(), (3, 6))
        light *= BRIGHT - DIM
        light += DIM
        lower_light *= 1 - LOWER_DIM
        lower_light += LOWER_DIM
        upper, lower = self.upper[:, *part], self._lower(fall, part)
        inside = cavity
        inside *= np.array(MOST_CAVITY, np.float32)[:, None, None]
        inside *= 1 - lower[3]
        teeth = lower[:3] * light
        teeth *= lower_light
        inside += teeth
        inside *= 1 - upper[3]
        light *= upper[:3]
        inside += light
        inside *= self.light
        grey = inside.mean(0)
        inside -= grey
        inside *= self.colourful
        inside += grey - np.float32(0.5)
        rim += cv2.split(lips[*part, :3])
        inside -= rim
        inside *= cv2.blur(lips[..., 3], (3, 3))[*part]
        inside += rim
        inside += np.float32(0.5 + 0.5 / 255)
        inside *= 255
        painted = np.clip(inside, 0, 255, out=inside).astype(np.uint8)
        return np.asarray(cv2.merge([*painted]), np.uint8)

    def _lower(self, fall: tuple[float, float], part: Part) -> NDArray[np.float32]:
        """Planes [4, .., ..] of the lower teeth, moved right and down."""
        top, left = part.rows.start, part.columns.start
        size = (part.columns.stop - left, part.rows.stop - top)
        way = np.array([[1, 0, fall[0] - left], [0, 1, fall[1] - top]], np.float32)
        return np.stack(cv2.split(cv2.warpAffine(self.lower, way, size)))


def _unfolded(soft: Tensor, part: Part) -> Tensor:
    """The sketch [10, .., ..] in full size, without stripes of one pixel, of a folded one.

    Stripes are what a pixel shuffle may leave in wide mouths.
    """
    channels = len(soft) // _HALVES**2
    rows, columns = soft.shape[1:]
    halves = soft.reshape(channels, _HALVES, _HALVES, rows, columns).permute(0, 3, 1, 4, 2)
    halves = halves.reshape(channels, _HALVES * rows, _HALVES * columns)
    return (
        _enlarging(_HALVES * rows)[part.rows]
        @ halves
        @ _enlarging(_HALVES * columns)[part.columns].T
    )


@cache
def _enlarging(size: int) -> Tensor:
    """Smooths over three places by (1, 2, 1) / 4, then doubles: [2 size, size]."""
    ones = np.eye(size, dtype=np.float32)
    padded = np.pad(ones, ((1, 1), (0, 0)), mode="edge")
    smooth = (padded[:-2] + 2 * ones + padded[2:]) / 4
    return torch.from_numpy(cv2.resize(smooth, (size, 2 * size), interpolation=cv2.INTER_LINEAR))
