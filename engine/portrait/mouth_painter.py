"""The painted mouth: what a small network makes of the space between the lips, frame by frame."""

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self, TypeAlias

import cv2
import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from engine.api import Picture
from engine.portrait.fields import Box, from_corner
from engine.portrait.landmarks import Floats
from engine.portrait.mouth_crop import (
    COVER_REACH,
    SEEN_COLUMNS,
    SEEN_ROWS,
    crop_affine,
    cut_crop,
    opening_mask,
    paste_cover,
)
from engine.portrait.mouth_finish import (
    HEIGHT,
    WIDTH,
    Crop,
    Finish,
    Part,
    block_order,
    folded,
    hidden_lips,
    lower_lip_drop,
)
from engine.portrait.painted_mouth_network import (
    PLACE,
    PaintedMouthNetwork,
    Seen,
    Sketcher,
    crop_coordinates,
)
from engine.portrait.rig import Anatomy

WEIGHTS_PATH = Path(__file__).parents[1] / "weights" / "mouth.safetensors"

_OPEN_SHARE = 0.01  # of the crop: two or three millimetres between the lips
_TRIALS = 4  # of each way to run the network
# Lips that rest on each other, a line of half a pixel, are not painted, and then more and more, so
# that nothing pops.
_RESTING = 128  # half a pixel in a mask
_SHUT_COVER = 0.185  # of the painting at its most, where a crop pixel is at least a box pixel
_MOST_SHUT = 0.5  # in small faces, where that line looks wide
_HOPELESS = 3.0  # times slower at the first run than the best way so far

Way: TypeAlias = tuple[torch.dtype, torch.memory_format]
WAYS: tuple[Way, ...] = (
    (torch.float32, torch.contiguous_format),
    (torch.float32, torch.channels_last),
    (torch.bfloat16, torch.channels_last),
)


@dataclass(frozen=True, slots=True)
class MouthLook:
    """How the mouth looks in the still, and where its crop lies."""

    crop: Floats  # [2, 3] from crop to still pixels
    colour: Picture  # [128, 128, 3]
    opening: Picture  # [128, 128], 255 between the lips

    @classmethod
    def of(cls, still: Picture, anatomy: Anatomy) -> Self:
        """Cut it from the still [height, width, 3]."""
        affine = crop_affine(anatomy.points, anatomy.pixels_per_cm, anatomy.across, anatomy.down)
        back = np.linalg.inv(affine[:, :2])
        points = (anatomy.points[:, :2] - affine[:, 2]) @ back.T
        return cls(affine.astype(np.float32), cut_crop(still, affine), opening_mask(points))

    @property
    def is_open(self) -> bool:
        """Whether the lips are apart: what shows there is the person's own, and no other's."""
        return float(self.opening.mean()) / 255 > _OPEN_SHARE


class MouthModel:
    """The shipped weights, run in whichever way is fastest on this machine."""

    def __init__(self, network: PaintedMouthNetwork, way: Way | None = None) -> None:
        network.eval().requires_grad_(requires_grad=False)
        self._network = network
        self.way = way or fastest_way(network)
        self._sketcher = _copied(network.sketcher, self.way)

    @classmethod
    def load(cls, path: Path = WEIGHTS_PATH) -> Self:
        """Read weights."""
        network = PaintedMouthNetwork()
        network.load_state_dict(load_file(path))
        return cls(network)

    @torch.inference_mode()
    def painter(self, look: MouthLook) -> "MouthPainter":
        """A painter of one portrait: its features are worked out here, once."""
        colour, opening = (
            look.colour[SEEN_ROWS, SEEN_COLUMNS],
            look.opening[SEEN_ROWS, SEEN_COLUMNS],
        )
        seen = self._network.encoder(torch.cat([_colour(colour), _share(opening)], 1))
        at_rest = self._network.teeth(crop_coordinates(), torch.zeros(1, PLACE), torch.zeros(1, 2))
        finish = Finish.of(seen, at_rest)
        return MouthPainter(look.crop, partial(self._paint, self._cast(seen), finish))

    @torch.inference_mode()
    def _paint(self, seen: Seen, finish: Finish, crop: Crop, part: Part) -> Picture:
        lips = hidden_lips(*crop)[: part.sketched_rows]
        given = folded(lips).to(dtype=self.way[0], memory_format=self.way[1])
        half = seen.half[:, :, : given.shape[2]]
        quarter = seen.quarter[:, :, : given.shape[2] // 2]
        soft, jaw = self._sketcher.folded(given, half, quarter)
        aside, down = jaw[0].tolist()
        fall = (aside, down + lower_lip_drop(crop.opening))
        return finish.paint(lips, soft[0].float(), fall, part)

    def _cast(self, seen: Seen) -> Seen:
        half, quarter = (
            part.to(dtype=self.way[0], memory_format=self.way[1])
            for part in (seen.half, seen.quarter)
        )
        return seen._replace(half=half, quarter=quarter)


@dataclass(frozen=True, slots=True)
class MouthPainter:
    """Paints the mouth of one portrait. Keeps nothing between frames; shared by all its streams."""

    crop: Floats  # [2, 3] from crop to still pixels
    paint: Callable[[Crop, Part], Picture]  # what the network sees to the mouth in a part of it

    def over(self, lips: Picture, mask: Picture, box: Box, skull: Floats) -> Picture:
        """Lips [height, width, 3] over `box`, the mouth painted in, in place.

        `mask` [height, width] is 255 between the lips; `skull` [2, 3] is the head's motion in
        the box' own pixels.
        """
        if mask.max() <= _RESTING:
            return lips
        place = self._place(box, skull)
        opening = np.float32(1 / 255) * cut_crop(mask, place).astype(np.float32)
        around = _around(opening)
        if around is None:
            return lips
        cover = paste_cover(opening, *around)
        cover *= _parted(float(cover.max()), place)
        if not cover.any():
            return lips
        part = Part(
            *(
                slice(one.start - whole.start, one.stop - whole.start)
                for one, whole in zip(around, (SEEN_ROWS, SEEN_COLUMNS), strict=True)
            )
        )
        seen, size = from_corner(place, SEEN_COLUMNS.start, SEEN_ROWS.start), (WIDTH, part.cut_rows)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        colour = cv2.warpAffine(lips, seen, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
        crop = Crop(
            np.asarray(colour, np.uint8),
            np.ascontiguousarray(opening[SEEN_ROWS, SEEN_COLUMNS][: part.cut_rows]),
        )
        painted = self.paint(crop, part)
        _paste(painted, cover, from_corner(place, around.columns.start, around.rows.start), lips)
        return lips

    def _place(self, box: Box, skull: Floats) -> Floats:
        """The map [2, 3] from crop pixels to those of the box, the head's motion included."""
        shift = self.crop[:, 2] - box.corner
        moved = skull[:, :2] @ shift + skull[:, 2]
        return np.column_stack([skull[:, :2] @ self.crop[:, :2], moved])


def fastest_way(network: PaintedMouthNetwork) -> Way:
    """The number format and memory layout in which the network paints fastest here."""
    best, best_s = WAYS[0], float("inf")
    blocks = folded(np.zeros((HEIGHT, WIDTH, 4), np.float32))
    with torch.inference_mode():
        features = network.encoder(torch.zeros(1, 4, HEIGHT, WIDTH))[:2]
        for way in WAYS:
            sketcher = _copied(network.sketcher, way)
            given = [part.to(dtype=way[0], memory_format=way[1]) for part in (blocks, *features)]
            sketcher.folded(*given)  # prepares the kernels
            needed_s = _needed_s(lambda: sketcher.folded(*given), _HOPELESS * best_s)  # noqa: B023  # used at once
            if needed_s < best_s:
                best, best_s = way, needed_s
    return best


def _needed_s(run: Callable[[], object], hopeless_s: float) -> float:
    """The shortest of a few runs; one is enough when it is hopeless."""
    shortest_s = float("inf")
    for _ in range(_TRIALS):
        begun_s = time.monotonic()
        run()
        shortest_s = min(shortest_s, time.monotonic() - begun_s)
        if shortest_s > hopeless_s:
            break
    return shortest_s


def _copied(sketcher: Sketcher, way: Way) -> Sketcher:
    """A sketcher for blocks of `folded`."""
    other = copy.deepcopy(sketcher).to(way[0])
    other.first.weight.data = other.first.weight.data[:, block_order()]
    other.to(memory_format=way[1])  # type: ignore[call-overload]  # not in the stubs
    return other


def _around(opening: Floats) -> Part | None:
    """The part of the crop [128, 128] where a painting of that opening shows; None for none."""
    left, top, width, height = cv2.boundingRect((opening > 0).view(np.uint8))
    rows, columns = (
        slice(max(first - COVER_REACH, seen.start), min(first + length + COVER_REACH, seen.stop))
        for first, length, seen in ((top, height, SEEN_ROWS), (left, width, SEEN_COLUMNS))
    )
    is_seen = height > 0 and rows.start < rows.stop and columns.start < columns.stop
    return Part(rows, columns) if is_seen else None


def _parted(cover: float, place: Floats) -> float:
    """What share of a painting that covers lips by `cover` at most is shown, 0..1.

    At its most it then covers them evenly more, from nothing while they rest to all.
    """
    box_pixels = min(float(np.sqrt(abs(np.linalg.det(place[:, :2])))), 1.0)  # of a crop pixel
    shut = min(_SHUT_COVER / box_pixels, _MOST_SHUT)
    return max(cover - shut, 0.0) / (max(cover, shut) * (1 - shut))


def _paste(painted: Picture, cover: Floats, place: Floats, lips: Picture) -> None:
    """Lay `painted` [.., .., 3] over `lips` where `cover` [.., ..] is, moved by `place` [2, 3]."""
    height, width = cover.shape
    corners = np.array([(-1, -1), (width, -1), (-1, height), (width, height)], np.float32)
    there = corners @ place[:, :2].T + place[:, 2]
    limit = np.array([lips.shape[1], lips.shape[0]])
    left, top = np.clip(np.floor(there.min(0)), 0, limit).astype(int).tolist()
    right, bottom = np.clip(np.ceil(there.max(0)) + 1, 0, limit).astype(int).tolist()
    if left >= right or top >= bottom:
        return
    local, size = place - np.array([[0, 0, left], [0, 0, top]]), (right - left, bottom - top)
    painted = np.asarray(
        cv2.warpAffine(painted, local, size, borderMode=cv2.BORDER_REPLICATE), np.uint8
    )
    shown = np.asarray(cv2.warpAffine(cover, local, size), np.float32)
    target = lips[top:bottom, left:right]
    cv2.blendLinear(painted, target, shown, 1 - shown, dst=target)


def _colour(crop: Picture) -> Tensor:
    """Colours [1, 3, height, width], -0.5..0.5."""
    pixels = torch.from_numpy(np.ascontiguousarray(crop.transpose(2, 0, 1)[None]))
    return pixels.float().div_(255).sub_(0.5)


def _share(mask: Picture) -> Tensor:
    """A mask [1, 1, height, width], 0..1."""
    return torch.from_numpy(np.ascontiguousarray(mask)).float().div_(255)[None, None]
