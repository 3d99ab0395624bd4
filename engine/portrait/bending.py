"""All patches of a portrait bent at once, forth and back.

Seven patches share one matrix product and one set of scratch arrays: one by one, starting the
operations would take longer than the arithmetic.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.portrait.fields import Patch, Rigid
from engine.portrait.landmarks import Floats

Numbers: TypeAlias = NDArray[np.int64]

_LEAST_ROUNDS, _MOST_ROUNDS = 3, 8  # of the iteration; a lid that closes needs the most
_SETTLED_PIXELS = 0.5


class Bending:
    """Where everything in some patches came from, frame after frame. Holds scratch memory only."""

    def __init__(self, patches: Sequence[Patch], drivers: Sequence[Sequence[int]]) -> None:
        """Patch by patch, `drivers` says which of all coefficients its own ones are."""
        grids = [patch.grid for patch in patches]
        sizes = [rows * columns for rows, columns in grids]
        ends = [0, *accumulate(sizes)]
        points = ends[-1]
        self._parts = [slice(*ends[number : number + 2]) for number in range(len(sizes))]
        self._basis = _shared_basis(patches, drivers, self._parts)
        self._position = np.concatenate([patch.position for patch in patches], 1)
        self._weight = np.concatenate([patch.weight for patch in patches])
        self._per_step = np.repeat([1 / patch.step for patch in patches], sizes).astype(np.float32)
        self._cells = np.concatenate([_cells(grid) for grid in grids], 1)
        self._before, self._after, between = _neighbours(grids)
        self._per_pixel = (self._per_step / between).astype(np.float32)
        self._bend, self._bent = np.empty((2, 3, points), np.float32)
        # Planes [4, points]: how far each point moves, right and down, and how much skin stretches
        # there; the same as pixels for `remap`; and what it finds.
        self._known, self._found = np.empty((2, 4, points), np.float32)
        self._known_pixels, self._found_pixels = np.empty((2, points, 1, 4), np.float32)
        self._back, self._source, self._change = np.empty((3, 2, points), np.float32)
        self._back_pixels = np.empty((points, 1, 2), np.float32)
        self._ways = [
            (
                self._known_pixels[part].reshape(*grid, 4),
                self._source[0, part].reshape(grid),
                self._source[1, part].reshape(grid),
                self._found_pixels[part].reshape(*grid, 4),
            )
            for part, grid in zip(self._parts, grids, strict=True)
        ]
        self._backs = [
            self._back_pixels[part].reshape(*grid, 2)
            for part, grid in zip(self._parts, grids, strict=True)
        ]

    def back(self, coefficients: Floats, rigid: Rigid, carried: Floats) -> Sequence[Floats]:
        """Of each patch the backward displacement [rows, columns, 2]: what lands came from there.

        `carried` [patches, 2] is how far each patch goes along by itself. What is returned is
        overwritten by the next call.
        """
        self._forward(coefficients, rigid, carried)
        self._backward()
        cv2.merge([*self._back], dst=self._back_pixels)
        return self._backs

    def _forward(self, coefficients: Floats, rigid: Rigid, carried: Floats) -> None:
        """Where each grid point goes, and how much skin stretches there."""
        bend, moved, stretch = self._bend, self._known[:2], self._known[2:]
        # Not `matmul`: its library would start threads, which wait for each other for longer.
        np.einsum("k,kn->n", coefficients, self._basis, out=bend.reshape(-1))
        np.add(self._position, bend, out=self._bent)
        turn = rigid.turn[:2] - np.eye(2, 3, dtype=np.float32)
        np.einsum("ij,jn->in", turn, self._bent, out=moved)
        moved += rigid.shift[:2, None]
        moved *= self._weight
        moved += bend[:2]
        for part, along in zip(self._parts, carried, strict=True):
            moved[:, part] -= along[:, None]
        for axis in (0, 1):
            after, before = (
                moved[axis].take(self._after[axis]),
                moved[axis].take(self._before[axis]),
            )
            np.subtract(after, before, out=stretch[axis])
        stretch *= self._per_pixel
        np.maximum(stretch, 0, out=stretch)
        stretch += 1
        cv2.merge([*self._known], dst=self._known_pixels)

    def _backward(self) -> None:
        """Find the way back.

        Newton steps with the diagonal of the Jacobian where skin stretches, which it may do several
        times over, and plain ones where it is pushed together: there Newton's go astray.
        """
        np.divide(self._known[:2], self._known[2:], out=self._back)
        np.negative(self._back, out=self._back)  # the first round, from no displacement at all
        everything = range(len(self._parts))
        for _ in range(_LEAST_ROUNDS - 1):
            self._round(slice(None), everything)
        for number in everything:
            part = self._parts[number]
            for _ in range(_MOST_ROUNDS - _LEAST_ROUNDS):
                if cv2.norm(self._change[:, part], cv2.NORM_INF) < _SETTLED_PIXELS:
                    break
                self._round(part, (number,))

    def _round(self, points: slice, patches: Sequence[int]) -> None:
        """One step of the iteration at `points`, which are those of `patches`."""
        back, source, change = (
            planes[:, points] for planes in (self._back, self._source, self._change)
        )
        found = self._found[:, points]
        np.multiply(back, self._per_step[points], out=source)
        source += self._cells[:, points]
        for number in patches:
            known, columns, rows, there = self._ways[number]
            cv2.remap(
                known,
                columns,
                rows,
                cv2.INTER_LINEAR,
                dst=there,
                borderMode=cv2.BORDER_REPLICATE,
            )
        cv2.split(self._found_pixels[points], [*found])
        np.add(back, found[:2], out=change)
        change /= found[2:]
        back -= change


def _shared_basis(
    patches: Sequence[Patch], drivers: Sequence[Sequence[int]], parts: Sequence[slice]
) -> Floats:
    """Displacement per coefficient of all patches, [coefficients, 3 * points]."""
    count = 1 + max(map(max, drivers))
    basis = np.zeros((count, 3, parts[-1].stop), np.float32)
    for patch, driver, part in zip(patches, drivers, parts, strict=True):
        basis[list(driver), :, part] = patch.basis.reshape(len(driver), 3, -1)
    return basis.reshape(count, -1)


def _cells(grid: tuple[int, int]) -> Floats:
    """Column and row of each grid point, [2, points]."""
    rows, columns = np.mgrid[: grid[0], : grid[1]].astype(np.float32)
    return np.stack([columns, rows]).reshape(2, -1)


def _neighbours(grids: Sequence[tuple[int, int]]) -> tuple[Numbers, Numbers, Numbers]:
    """Of each point, along each axis, the one before, the one after and the steps between.

    All are [2, points]. A point at a border is its own neighbour there.
    """
    before, after, between, start = [], [], [], 0
    for rows, columns in grids:
        row, column = np.divmod(np.arange(rows * columns), columns)
        strides = np.array([[1], [columns]])
        back = np.stack([column > 0, row > 0])
        forth = np.stack([column < columns - 1, row < rows - 1])
        number = start + row * columns + column
        before.append(number - strides * back)
        after.append(number + strides * forth)
        between.append(np.maximum(back.astype(np.int64) + forth, 1))
        start += rows * columns
    return np.concatenate(before, 1), np.concatenate(after, 1), np.concatenate(between, 1)
