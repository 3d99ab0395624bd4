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
_HALVES = 2  # of a fold's side, which the sketch has


class Part(NamedTuple):
    """A rectangle of what the network sees."""

    rows: slice
    columns: slice


class Crop(NamedTuple):
    """Lips as the network sees them."""

    colour: Picture  # [88, 112, 3]
    opening: Floats  # [88, 112], one between the lips


def hidden_lips(colour: Picture, opening: Floats) -> Floats:
    """Lips [88, 112, 4] as the network sees them: -0.5..0.5 without their opening, and it, 0..1.

    See `painted_mouth_network.hide_opening`.
    """
    around_lips = np.ones((SEAM_PIXELS, SEAM_PIXELS), np.uint8)
    clear = np.asarray(1 - cv2.dilate(opening, around_lips), np.float32)
    shown = colour * np.float32(1 / 255)
    shown -= np.float32(0.5)
    cv2.multiply(shown, cv2.cvtColor(clear, cv2.COLOR_GRAY2RGB), dst=shown)
    sums, share = _around(shown), _around(clear)
    around = np.asarray(sums / (share + LITTLE * _counts())[..., None], np.float32)
    around = np.asarray(cv2.resize(around, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR))
    cv2.multiply(around, cv2.cvtColor(1 - clear, cv2.COLOR_GRAY2RGB), dst=around)
    lips = np.empty((HEIGHT, WIDTH, 4), np.float32)
    np.add(shown, around, out=lips[..., :3])
    lips[..., 3] = opening
    return lips


def _around(values: Floats) -> Floats:
    """Sums of 5 x 5 blocks' means, [11, 14, ...]."""
    size = (WIDTH // COARSE_PIXELS, HEIGHT // COARSE_PIXELS)
    coarse = np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), np.float32)
    return _sums(coarse)


@cache
def _counts() -> Floats:
    """Blocks that each sum has, [11, 14]."""
    counts = _sums(np.ones((HEIGHT // COARSE_PIXELS, WIDTH // COARSE_PIXELS), np.float32))
    counts.flags.writeable = False
    return counts


def _sums(coarse: Floats) -> Floats:
    border = cv2.BORDER_CONSTANT
    sums = cv2.boxFilter(coarse, -1, (5, 5), normalize=False, borderType=border)
    return np.asarray(sums, np.float32)


def folded(lips: Floats) -> Tensor:
    """Lips [88, 112, 4] in blocks of pixels: [1, 64, 22, 28], channels last.

    The channels of a block are row, column, colour; see `block_order`.
    """
    rows = lips.reshape(HEIGHT // FOLD, FOLD, WIDTH // FOLD, FOLD * 4)
    blocks = rows.transpose(0, 2, 1, 3).reshape(HEIGHT // FOLD, WIDTH // FOLD, -1)
    return torch.from_numpy(blocks).permute(2, 0, 1)[None]


def block_order() -> list[int]:
    """Which of `pixel_unshuffle`'s channels each of a block's is."""
    plain = np.arange(4 * FOLD * FOLD).reshape(4, FOLD, FOLD)
    return [int(number) for number in plain.transpose(1, 2, 0).ravel()]


def lower_lip_drop(opening: Floats) -> float:
    """How far the lower lip's edge went down, pixels; as in `painted_mouth_network`."""
    centre = WIDTH // 2
    middle = opening[:, centre - LIP_PIXELS : centre + LIP_PIXELS].mean(1)
    height = float(middle.sum())
    rows = np.arange(HEIGHT, dtype=np.float32) + np.float32(SEEN_ROWS.start - LIP_LINE_ROW)
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
        """The mouth [.., .., 3] in a part of `lips` [88, 112, 4]; see the network's `finished`.

        `soft` [40, 22, 28] is the folded sketch, `fall` how far the lower teeth went, in pixels.
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
