"""Smooth displacement fields: from moving landmarks to every place of the picture.

Landmark displacements are spread by thin-plate splines (Duchon 1977; Bookstein 1989). A `Patch`
holds them on a coarse grid as a linear basis, so that one frame costs a small matrix product.
"""

from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np

from engine.api import Picture
from engine.portrait.geometry import Doubles
from engine.portrait.landmarks import Floats

_NO_MAP = np.empty(0, np.float32)  # places hold x and y together
_STIFFNESS = 1e-4  # regularisation: near-coincident landmarks may disagree a little


class ThinPlate:
    """A smooth interpolation of values known at scattered points."""

    def __init__(self, points: Doubles, values: Doubles, stiffness: float = _STIFFNESS) -> None:
        """Fit `values` [points, ...] at `points` [points, 2], the smoother the stiffer."""
        count = len(points)
        self._centre, self._scale = points.mean(0), float(points.std())
        self._points = (points - self._centre) / self._scale
        system = np.zeros((count + 3, count + 3))
        system[:count, :count] = _kernel(self._points, self._points) + stiffness * np.eye(count)
        plane = np.column_stack([np.ones(count), self._points])
        system[:count, count:], system[count:, :count] = plane, plane.T
        flat = values.reshape(count, -1)
        target = np.concatenate([flat, np.zeros((3, flat.shape[1]))])
        self._weights = np.linalg.solve(system, target)
        self._shape = values.shape[1:]

    def at(self, places: Doubles) -> Doubles:
        """Values [places, ...] at `places` [places, 2]."""
        unit = (places - self._centre) / self._scale
        plane = np.column_stack([np.ones(len(unit)), unit])
        count = len(self._points)
        flat = _kernel(unit, self._points) @ self._weights[:count] + plane @ self._weights[count:]
        return np.asarray(flat.reshape(len(places), *self._shape))


def _kernel(first: Doubles, second: Doubles) -> Doubles:
    """r^2 log r between all pairs."""
    squares = (first**2).sum(1)[:, None] + (second**2).sum(1)[None] - 2 * first @ second.T
    squares = np.maximum(squares, 1e-12)
    return np.asarray(0.5 * squares * np.log(squares))


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of whole pixels."""

    left: int
    top: int
    width: int
    height: int

    @property
    def corner(self) -> Floats:
        """Its first pixel, [2]: x, y."""
        return np.array([self.left, self.top], np.float32)

    @property
    def rows(self) -> slice:
        """Its rows in a picture."""
        return slice(self.top, self.top + self.height)

    @property
    def columns(self) -> slice:
        """Its columns in a picture."""
        return slice(self.left, self.left + self.width)

    @classmethod
    def around(cls, points: Doubles, margin: float, multiple: int, limit: tuple[int, int]) -> Self:
        """The box of `points` [points, 2] and a margin, sides multiples, inside (width, height)."""
        bounds = []
        for axis in (0, 1):
            low = max(0, int(np.floor(points[:, axis].min() - margin)))
            high = min(limit[axis], int(np.ceil(points[:, axis].max() + margin)))
            length = max((high - low) // multiple, 1) * multiple
            bounds.append((low, length))
        return cls(bounds[0][0], bounds[1][0], bounds[0][1], bounds[1][1])


@dataclass(frozen=True, slots=True)
class Rigid:
    """One frame's head motion: a rotation and a shift about the avatar's pivot."""

    turn: Floats  # [3, 3], in picture axes (x right, y down, z away), scale included
    shift: Floats  # [3] pixels


@dataclass(frozen=True, slots=True)
class Patch:
    """Forward motion of a box of the still, sampled every `step` pixels."""

    box: Box
    step: int
    position: Floats  # [3, rows * columns]: pixels about the pivot, at rest
    weight: Floats  # [rows * columns]: how much of the head's motion is followed, 0..1
    basis: Floats  # [coefficients, 3 * rows * columns]: displacement per coefficient

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the grid."""
        return self.box.height // self.step, self.box.width // self.step


class Spread:
    """Displacements of a grid become places of every pixel. Holds scratch memory only."""

    def __init__(self, grid: tuple[int, int], step: int, origin: tuple[int, int] = (0, 0)) -> None:
        """The box' first pixel has the place `origin` (x, y)."""
        self._step = step
        rows, columns = np.mgrid[-1 : grid[0] + 1, -1 : grid[1] + 1].astype(np.float32)
        middle = np.float32((step - 1) / 2)
        # One more grid point on each side, so that places go on evenly to the border.
        self._rest = np.stack([columns, rows], -1) * np.float32(step) + middle
        self._rest += np.array(origin, np.float32)
        self._coarse = np.empty_like(self._rest)
        self._fine = np.empty(0, np.float32)  # as large as the largest part so far

    def displace(self, back: Floats) -> None:
        """Take displacements [rows, columns, 2] of the grid, in pixels."""
        cv2.copyMakeBorder(back, 1, 1, 1, 1, cv2.BORDER_REPLICATE, dst=self._coarse)
        self._coarse += self._rest

    def places(self, rows: slice, columns: slice) -> Floats:
        """Where the pixels of some cells of the grid come from, [height, width, 2].

        What is returned is overwritten by the next call.
        """
        step = self._step
        part = self._coarse[rows.start : rows.stop + 2, columns.start : columns.stop + 2]
        height, width = part.shape[0] * step, part.shape[1] * step
        if self._fine.size < height * width * 2:
            self._fine = np.empty(height * width * 2, np.float32)
        fine = self._fine[: height * width * 2].reshape(height, width, 2)
        cv2.resize(part, (width, height), dst=fine, interpolation=cv2.INTER_LINEAR)
        return fine[step:-step, step:-step]


def warp(picture: Picture, places: Floats, into: Picture) -> None:
    """Fill `into` [height, width, channels] with what `picture` has at `places`, or nearest."""
    cv2.remap(picture, places, _NO_MAP, cv2.INTER_LINEAR, dst=into, borderMode=cv2.BORDER_REPLICATE)


def shifted(affine: Floats, shift: Floats) -> Floats:
    """The map [2, 3] of a picture that `affine` places, moved on by `shift` [2] pixels."""
    moved = affine.copy()
    moved[:, 2] += shift
    return moved


def from_corner(affine: Floats, left: int, top: int) -> Floats:
    """The map [2, 3] of a part that begins there, of a picture that `affine` places."""
    return shifted(affine, affine[:, :2] @ np.array([left, top], np.float32))


def grid_places(box: Box, step: int) -> Doubles:
    """Pixel coordinates [rows * columns, 2] of a patch's grid points (cell centres)."""
    xs = box.left + (np.arange(box.width // step) + 0.5) * step - 0.5
    ys = box.top + (np.arange(box.height // step) + 0.5) * step - 0.5
    return np.stack(np.meshgrid(xs, ys), -1).reshape(-1, 2)


def smooth_step(low: float, high: float, values: Doubles) -> Doubles:
    """0 below `low`, 1 above `high`, smooth between."""
    unit = np.clip((values - low) / (high - low), 0, 1)
    return np.asarray(unit * unit * (3 - 2 * unit))
