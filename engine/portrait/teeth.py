"""Two rows of teeth as masks: drawn once from their usual sizes, placed later.

Sizes are the mean widths of crowns in textbooks of dental anatomy (upper 8.5, 6.5, 7.5, 7, 7 mm,
lower 5.3, 5.9, 6.9, 7, 7 mm), seen from the front on a round arch.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.portrait.mouth_crop import CROP_PIXELS, LIP_LINE_ROW, PIXELS_PER_CM

SCALE = 2  # pixels of a row's picture per crop pixel
_ARCH_CM = 3.2  # how far aside the arch turns straight back
_SOFT_CM = 0.07  # edges are as soft as a film's
_GAP_CM = 0.05
_GAP_DARK = 0.16
_CORNER_CM = 0.14  # how far a tooth's corner is rounded off, upwards
_MOST_ASIDE = 0.9  # of the arch


@dataclass(frozen=True, slots=True)
class _Row:
    """Widths of half a row from the middle, and where crowns begin and end at the lip line."""

    widths_cm: tuple[float, ...]
    root_cm: float  # down from the lip line
    edge_cm: float
    bend_cm: float  # how much shorter the row looks at the arch's end
    lengths: tuple[float, ...]  # how much each tooth's edge stays behind the first's, centimetres


_UPPER = _Row((0.85, 0.65, 0.75, 0.7, 0.7), -0.85, 0.2, 0.3, (0.0, 0.06, 0.0, 0.06, 0.1))
_LOWER = _Row((0.53, 0.59, 0.69, 0.7, 0.7), 0.85, -0.15, -0.2, (0.0, 0.0, -0.03, 0.03, 0.05))


def upper_row() -> Tensor:
    """Shade and cover [2, 256, 256], 0..1, of the upper teeth over the crop, the lips closed."""
    return _drawn(_UPPER)


def lower_row() -> Tensor:
    """Shade and cover [2, 256, 256], 0..1, of the lower teeth, edges near the lip line."""
    return _drawn(_LOWER)


def _drawn(row: _Row) -> Tensor:
    along = (np.arange(CROP_PIXELS * SCALE) + 0.5) / SCALE - 0.5
    x, y = np.meshgrid(along - (CROP_PIXELS - 1) / 2, along - LIP_LINE_ROW)
    aside_cm, down_cm = np.abs(x) / PIXELS_PER_CM, y / PIXELS_PER_CM
    share = np.clip(aside_cm / _ARCH_CM, 0, _MOST_ASIDE)
    on_arch_cm = np.arcsin(share) * _ARCH_CM
    borders = np.concatenate([[0.0], np.cumsum(row.widths_cm)])
    tooth = np.clip(np.searchsorted(borders, on_arch_cm, "right") - 1, 0, len(row.lengths) - 1)
    gap_cm = np.abs(on_arch_cm[..., None] - borders[:-1]).min(-1)
    sign = np.sign(row.edge_cm - row.root_cm)
    corner = _CORNER_CM * np.clip(1 - gap_cm / 0.2, 0, 1) ** 2
    behind = np.asarray(row.lengths)[tooth] + corner
    edge_cm = row.edge_cm - row.bend_cm * share**2 - sign * behind
    inside = sign * (edge_cm - down_cm)
    cover = np.clip(inside / _SOFT_CM + 0.5, 0, 1)
    cover *= np.clip(sign * (down_cm - row.root_cm) / _SOFT_CM + 0.5, 0, 1)
    cover *= np.clip((borders[-1] - on_arch_cm) / 0.3, 0, 1)
    between = np.exp(-((gap_cm / _GAP_CM) ** 2))
    shade = (1 - _GAP_DARK * between) * (1 - 0.5 * share**2)
    shade *= 0.9 + 0.1 * np.clip(inside / 0.25, 0, 1)  # edges are glassy
    return torch.from_numpy(np.stack([shade, cover]).astype(np.float32))
