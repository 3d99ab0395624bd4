"""The head and what lies behind it: one warp of the person over the background.

Where no person comes near, and where nothing moves, the still already shows the right pixels; so
the work is done in bands of rows, each as wide as the person there.
"""

from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.api import Picture
from engine.portrait.fields import Patch, Spread, warp
from engine.portrait.landmarks import Floats

_BAND = 14  # rows of the grid in a band

Span: TypeAlias = tuple[int, int]  # first and one behind the last


@dataclass(frozen=True, slots=True)
class _Band:
    """Rows of the grid, and the columns of pixels that a moving person covers there at rest."""

    rows: Span
    columns: Span | None


class HeadLayer:
    """Paints the head of one portrait. Holds scratch memory only."""

    def __init__(self, cutout: Picture, plate: Picture, patch: Patch) -> None:
        """`cutout` [height, width, 4] and `plate` [height, width, 3] of the patch' box."""
        self._cutout, self._plate, self._patch = cutout, plate, patch
        self._spread = Spread(patch.grid, patch.step)
        moving = _moving(cutout, patch)
        starts = range(0, patch.grid[0], _BAND)
        self._bands = [
            _band((start, min(start + _BAND, patch.grid[0])), moving, patch.step)
            for start in starts
        ]
        most = _BAND * patch.step * plate.shape[1]
        self._scratch = {size: np.empty(most * size, np.uint8) for size in (1, 3, 4)}

    def paint(self, frame: Picture, back: Floats) -> None:
        """Paint into `frame` [height, width, 3] of the box, which shows the still.

        `back` [rows, columns, 2] is the backward displacement on the patch' grid.
        """
        self._spread.displace(back)
        reach = int(np.ceil(cv2.norm(back, cv2.NORM_INF))) + 1
        for number, band in enumerate(self._bands):
            columns = self._columns(number, reach)
            if columns is not None:
                self._paint(frame, band.rows, columns)

    def _columns(self, number: int, reach: int) -> Span | None:
        """The columns of a band that a person may show in who moves by up to `reach` pixels."""
        away = -(-reach // (_BAND * self._patch.step))
        near = self._bands[max(0, number - away) : number + away + 1]
        spans = [band.columns for band in near if band.columns]
        if not spans:
            return None
        width = self._plate.shape[1]
        return (
            max(0, min(span[0] for span in spans) - reach),
            min(width, max(span[1] for span in spans) + reach),
        )

    def _paint(self, frame: Picture, rows: Span, columns: Span) -> None:
        step = self._patch.step
        part = np.s_[rows[0] * step : rows[1] * step, slice(*columns)]
        size = ((rows[1] - rows[0]) * step, columns[1] - columns[0])
        warped, behind, cover = (
            self._scratch[channels][: size[0] * size[1] * channels].reshape(*size, channels)
            for channels in (4, 3, 1)
        )
        cells = slice(columns[0] // step, -(-columns[1] // step))
        places = self._spread.places(slice(*rows), cells)
        places = places[:, columns[0] - cells.start * step : columns[1] - cells.start * step]
        warp(self._cutout, places, warped)
        cv2.extractChannel(warped, 3, dst=cover)
        cv2.bitwise_not(cover, dst=cover)
        cv2.cvtColor(cover, cv2.COLOR_GRAY2RGB, dst=behind)
        cv2.multiply(self._plate[part], behind, dst=behind, scale=1 / 255)
        front = frame[part]
        cv2.cvtColor(warped, cv2.COLOR_RGBA2RGB, dst=front)
        cv2.add(front, behind, dst=front)


def _moving(cutout: Picture, patch: Patch) -> NDArray[np.bool_]:
    """Where a person is who goes along with the head, [height, width]."""
    weight = (patch.weight.reshape(patch.grid) > 0).astype(np.uint8)
    follows = cv2.dilate(weight, np.ones((3, 3), np.uint8))
    height, width = cutout.shape[:2]
    wide = cv2.resize(follows, (width, height), interpolation=cv2.INTER_NEAREST)
    return np.asarray((wide > 0) & (cutout[..., 3] > 0))


def _band(rows: Span, moving: NDArray[np.bool_], step: int) -> _Band:
    there = np.flatnonzero(moving[rows[0] * step : rows[1] * step].any(0))
    return _Band(rows, (int(there[0]), int(there[-1]) + 1) if len(there) else None)
