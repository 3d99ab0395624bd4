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
from torch.nn import functional

from engine.api import Picture
from engine.portrait.fields import Box
from engine.portrait.landmarks import Floats
from engine.portrait.mouth_crop import (
    SEEN_COLUMNS,
    SEEN_ROWS,
    crop_affine,
    cut_crop,
    opening_mask,
    paste_cover,
)
from engine.portrait.painted_mouth_network import (
    PLACE,
    PaintedMouthNetwork,
    Rows,
    Seen,
    Sketcher,
    crop_coordinates,
    finished,
    hide_opening,
    lower_lip_drop,
)
from engine.portrait.rig import Anatomy

WEIGHTS_PATH = Path(__file__).parents[1] / "weights" / "mouth.safetensors"

_OPEN_SHARE = 0.01  # of the crop: two or three millimetres between the lips
_TRIALS = 4  # of each way to run the network
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
        return MouthPainter(look.crop, partial(self._paint, self._cast(seen), at_rest))

    @torch.inference_mode()
    def _paint(self, seen: Seen, teeth: Rows, crop: Picture) -> Picture:
        lips = hide_opening(_colour(crop[..., :3]), _share(crop[..., 3]))
        given = lips.to(dtype=self.way[0], memory_format=self.way[1])
        soft, jaw = self._sketcher(given, seen.half, seen.quarter)
        fall = jaw.float()
        fall[:, 1] += lower_lip_drop(lips[:, 3:], SEEN_ROWS.start)
        rows = teeth._replace(lower=_moved(teeth.lower, fall[0]))
        painted = finished(lips, _smooth(soft.float().contiguous()), rows, seen)
        whole = painted[0].permute(1, 2, 0).add(0.5).mul_(255).add_(0.5).clamp_(0, 255)
        return np.asarray(whole.to(torch.uint8).contiguous().numpy())

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
    paint: Callable[[Picture], Picture]  # lips and opening [88, 112, 4] to mouth [88, 112, 3]

    def over(self, lips: Picture, mask: Picture, box: Box, skull: Floats) -> Picture:
        """Lips [height, width, 3] over `box` with the mouth painted in.

        `mask` [height, width] is 255 between the lips; `skull` [2, 3] is the head's motion in
        the box' own pixels.
        """
        if not mask.any():
            return lips
        place = self._place(box, skull)
        crop = cut_crop(np.concatenate([lips, mask[..., None]], -1), place)
        cover = paste_cover(np.float32(1 / 255) * crop[..., 3].astype(np.float32))
        size = (box.width, box.height)
        crop[SEEN_ROWS, SEEN_COLUMNS, :3] = self.paint(crop[SEEN_ROWS, SEEN_COLUMNS])
        painted = cv2.warpAffine(
            np.ascontiguousarray(crop[..., :3]), place, size, borderMode=cv2.BORDER_REPLICATE
        )
        shown = cv2.warpAffine(cover, place, size, flags=cv2.INTER_LINEAR)
        return np.asarray(cv2.blendLinear(painted, lips, shown, 1 - shown), np.uint8)

    def _place(self, box: Box, skull: Floats) -> Floats:
        """The map [2, 3] from crop pixels to those of the box, the head's motion included."""
        shift = self.crop[:, 2] - np.array([box.left, box.top], np.float32)
        moved = skull[:, :2] @ shift + skull[:, 2]
        return np.column_stack([skull[:, :2] @ self.crop[:, :2], moved])


def fastest_way(network: PaintedMouthNetwork) -> Way:
    """The number format and memory layout in which the network paints fastest here."""
    best, best_s = WAYS[0], float("inf")
    height, width = (part.stop - part.start for part in (SEEN_ROWS, SEEN_COLUMNS))
    still = torch.zeros(1, 4, height, width)
    with torch.inference_mode():
        features = network.encoder(still)[:2]
        for way in WAYS:
            sketcher = _copied(network.sketcher, way)
            given = [part.to(dtype=way[0], memory_format=way[1]) for part in (still, *features)]
            sketcher(*given)  # prepares the kernels
            needed_s = _needed_s(lambda: sketcher(*given), _HOPELESS * best_s)  # noqa: B023  # used at once
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
    other = copy.deepcopy(sketcher).to(way[0])
    other.to(memory_format=way[1])  # type: ignore[call-overload]  # not in the stubs
    return other


def _smooth(soft: Tensor) -> Tensor:
    """Without stripes of one pixel, which a pixel shuffle may leave in wide mouths."""
    padded = functional.pad(soft, (1, 1, 1, 1), mode="replicate")
    return functional.avg_pool2d(functional.avg_pool2d(padded, 2, 1), 2, 1)


def _moved(row: Tensor, way: Tensor) -> Tensor:
    """A row of teeth [1, 4, height, width] moved by `way` [2] pixels, right and down."""
    pixels = row[0].permute(1, 2, 0).numpy()
    place = np.array([[1, 0, float(way[0])], [0, 1, float(way[1])]], np.float32)
    moved = cv2.warpAffine(pixels, place, (pixels.shape[1], pixels.shape[0]))
    return torch.from_numpy(moved).permute(2, 0, 1)[None]


def _colour(crop: Picture) -> Tensor:
    """Colours [1, 3, height, width], -0.5..0.5."""
    pixels = torch.from_numpy(np.ascontiguousarray(crop.transpose(2, 0, 1)[None]))
    return pixels.float().div_(255).sub_(0.5)


def _share(mask: Picture) -> Tensor:
    """A mask [1, 1, height, width], 0..1."""
    return torch.from_numpy(np.ascontiguousarray(mask)).float().div_(255)[None, None]
