"""An opening of the face in a frame: two sheets of skin that slide over what lies behind them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.api import Picture
from engine.portrait.fields import Box, Rigid, Spread, warp
from engine.portrait.landmarks import Floats
from engine.portrait.rig import Aperture

_OVERLAP_PIXELS = 0.75  # how far the layers of an aperture overlap, so that no crack shows
_SHEET_MARGIN = 0.2  # of an aperture's width: skin that may slide in from outside its box
_EDGE_ZERO, _EDGE_SCALE = 128, 12.0  # how distances are kept in a byte: 1/12 pixel, +-10 pixels

# What a distance in a byte means, [256] each.
_DISTANCES = ((np.arange(256) - _EDGE_ZERO) / _EDGE_SCALE).astype(np.float32)
_COVERS = np.clip(_DISTANCES + np.float32(_OVERLAP_PIXELS), 0, 1)
_OPENINGS = (np.clip(0.5 - _DISTANCES, 0, 1) * 255 + 0.5).astype(np.uint8)
_FIRST_CLOSED = int(np.argmax(_DISTANCES >= -_OVERLAP_PIXELS))
_FIRST_HIDDEN = int(np.argmax(_COVERS >= 1))

Layers: TypeAlias = Callable[[Box, Floats, Floats], Picture]  # edge distances in a part to colour
Finish: TypeAlias = Callable[[Picture, Picture], Picture]  # lips and their opening to a mouth


@dataclass(frozen=True, slots=True)
class Behind:
    """What an aperture shows."""

    layers: Layers | None = None
    finish: Finish | None = None


class Place(NamedTuple):
    """Where an aperture's box is in one frame."""

    skull: Floats  # [2, 3] the motion of what is fixed to the skull, in the carried box' own pixels
    carried: tuple[int, int]  # pixels by which the box goes along, so that the rest is small


class ApertureLayer:
    """Paints one aperture of one portrait. Holds scratch memory only."""

    def __init__(self, still: Picture, aperture: Aperture) -> None:
        """Cut the sheets from the still [height, width, 3]."""
        box = aperture.box
        self.box = box
        self._middle = box.width / 2, box.height / 2
        height, width = still.shape[:2]
        # How far the box may go, in pixels: least and most, right and down.
        right, down = width - box.left - box.width, height - box.top - box.height
        self._room = (-box.left, right), (-box.top, down)
        step = aperture.upper.step
        self._depth = float(aperture.upper.position[2].mean())
        first = aperture.upper.position[:2, 0]
        x, y = (float(place) for place in np.float32((step - 1) / 2) - first)
        self._corner = x, y  # the pivot, box-local
        self._feather = np.ascontiguousarray(aperture.feather[..., 0])
        self._clear = 1 - self._feather
        self._sheets = (
            _Sheet(still, aperture, aperture.upper_edge),
            _Sheet(still, aperture, aperture.lower_edge),
        )

    def place(self, rigid: Rigid) -> Place:
        """Where the box goes with the head: whole pixels as far as the frame allows."""
        (a, b, aside), (c, d, below) = rigid.turn[:2].tolist()
        x, y = self._corner
        shift_x = aside * self._depth + float(rigid.shift[0]) + x - (a * x + b * y)
        shift_y = below * self._depth + float(rigid.shift[1]) + y - (c * x + d * y)
        across, down = self._middle
        along_x = _within(a * across + b * down + shift_x - across, self._room[0])
        along_y = _within(c * across + d * down + shift_y - down, self._room[1])
        skull = np.array([(a, b, shift_x - along_x), (c, d, shift_y - along_y)], np.float32)
        return Place(skull, (along_x, along_y))

    def paint(
        self, frame: Picture, place: Place, backs: tuple[Floats, Floats], behind: Behind
    ) -> None:
        """Slide the sheets over the interior, in place.

        `backs` are the backward displacements [rows, columns, 2] of the upper and the lower sheet.
        """
        (upper, upper_in), (painted, lower_in) = (
            sheet.slide(back) for sheet, back in zip(self._sheets, backs, strict=True)
        )
        nearer = cv2.max(upper_in, lower_in)
        if behind.layers and nearer.min() < _FIRST_CLOSED:
            part = Box(*cv2.boundingRect((nearer < _FIRST_HIDDEN).view(np.uint8)))
            there = part.rows, part.columns
            inside = behind.layers(
                part, _read(upper_in[there], _DISTANCES), _read(lower_in[there], _DISTANCES)
            )
            _blend(painted[there], inside, _read(lower_in[there], _COVERS), painted[there])
        _blend(upper, painted, _read(upper_in, _COVERS), painted)
        if behind.finish:
            painted = behind.finish(painted, np.asarray(cv2.LUT(nearer, _OPENINGS), np.uint8))
        left, top = self.box.left + place.carried[0], self.box.top + place.carried[1]
        target = frame[top : top + self.box.height, left : left + self.box.width]
        cv2.blendLinear(painted, target, self._feather, self._clear, dst=target)


class _Sheet:
    """One layer of skin around an aperture."""

    def __init__(self, still: Picture, aperture: Aperture, edge: Floats) -> None:
        box = aperture.box
        margin = round(_SHEET_MARGIN * box.width)
        around = [(0, 0), (0, 0)]
        for axis, (start, length) in enumerate(((box.top, box.height), (box.left, box.width))):
            around[axis] = (min(margin, start), min(margin, still.shape[axis] - start - length))
        (above, below), (before, after) = around
        colour = still[
            box.top - above : box.top + box.height + below,
            box.left - before : box.left + box.width + after,
        ]
        distance = np.clip(_EDGE_ZERO + edge * _EDGE_SCALE, 0, 255).astype(np.uint8)
        distance = np.pad(distance, around, mode="edge")
        # Colour, and distance inside the edge, of the box and a margin.
        self._skin = np.ascontiguousarray(np.concatenate([colour, distance[..., None]], -1))
        rows, columns = aperture.upper.grid
        self._spread = Spread((rows, columns), aperture.upper.step, (before, above))
        self._cells = slice(0, rows), slice(0, columns)
        self._slid = np.empty((box.height, box.width, 4), np.uint8)
        self._colour = np.empty((box.height, box.width, 3), np.uint8)
        self._inside: NDArray[np.uint8] = np.empty((box.height, box.width), np.uint8)

    def slide(self, back: Floats) -> tuple[Picture, NDArray[np.uint8]]:
        """The sheet in its place: colour [height, width, 3], and bytes of the distance inside.

        What is returned is overwritten by the next call.
        """
        self._spread.displace(back)
        warp(self._skin, self._spread.places(*self._cells), self._slid)
        cv2.extractChannel(self._slid, 3, dst=self._inside)
        cv2.cvtColor(self._slid, cv2.COLOR_RGBA2RGB, dst=self._colour)
        return self._colour, self._inside


def _within(way: float, room: tuple[int, int]) -> int:
    return min(max(round(way), room[0]), room[1])


def _read(distance: NDArray[np.uint8], table: Floats) -> Floats:
    """What distances in bytes [height, width] mean by a table [256]."""
    return np.asarray(cv2.LUT(distance, table), np.float32)


def _blend(front: Picture, behind: Picture, cover: Floats, into: Picture) -> None:
    """Put `front` where `cover` [height, width] is one, `behind` where it is zero."""
    cv2.blendLinear(front, behind, cover, 1 - cover, dst=into)
