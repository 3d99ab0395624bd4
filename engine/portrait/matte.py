"""The person apart from the background: a soft matte and the background painted in behind.

The matte is GrabCut (Rother, Kolmogorov, Blake 2004) seeded by the landmarks, refined by a guided
filter (He, Sun, Tang 2010) so that its border follows hair.
"""

from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.api import Picture
from engine.portrait.landmarks import Face, Floats
from engine.portrait.topology import CHIN, FACE_OVAL, FOREHEAD, LEFT_CHEEK, RIGHT_CHEEK

Mask: TypeAlias = NDArray[np.uint8]

_WORK_PIXELS = 320  # longest side on which GrabCut runs
_ROUNDS = 4
_SOLID = 0.02  # cover from which a pixel is painted out of the background
_MAX_SHARE = 0.97  # a matte that takes everything found no background


def person_matte(still: Picture, face: Face) -> Floats:
    """How much of each pixel moves with the person, [height, width] 0..1.

    Mixed pixels count mostly as the person, so that the still put together again is the still.

    All ones where no background can be told apart: the whole picture then moves as one cloth.
    """
    height, width = still.shape[:2]
    scale = min(1.0, _WORK_PIXELS / max(height, width))
    small = cv2.resize(still, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    labels = _seed(small.shape[:2], face.points[:, :2] * scale)
    person_model, background_model = np.zeros((1, 65)), np.zeros((1, 65))
    everywhere = (0, 0, labels.shape[1], labels.shape[0])
    cv2.setRNGSeed(0)
    bgr = cv2.cvtColor(small, cv2.COLOR_RGB2BGR)
    cv2.grabCut(
        bgr, labels, everywhere, background_model, person_model, _ROUNDS, cv2.GC_INIT_WITH_MASK
    )
    person = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    person = _largest_piece(person)
    if person.mean() > _MAX_SHARE:
        return np.ones((height, width), np.float32)
    rough = _float(cv2.resize(person.astype(np.float32), (width, height)))
    radius = max(2, round(max(height, width) / 100))
    grey = _float(cv2.cvtColor(still, cv2.COLOR_RGB2GRAY)) / np.float32(255)
    soft = _guided(grey, rough, radius)
    return np.asarray(np.clip((soft - 0.05) / 0.3, 0, 1), np.float32)


def background_plate(still: Picture, matte: Floats) -> Picture:
    """The still with the person painted out, [height, width, 3]: what shows when the head moves."""
    solid = matte > _SOLID
    if solid.all():
        return still.copy()
    hole = solid.astype(np.uint8)
    filled = still.astype(np.float32)
    weight = (1 - hole).astype(np.float32)
    levels = [(filled * weight[..., None], weight)]
    while min(levels[-1][1].shape) > 1:
        levels.append((_float(cv2.pyrDown(levels[-1][0])), _float(cv2.pyrDown(levels[-1][1]))))
    colour = levels[-1][0] / np.maximum(levels[-1][1], 1e-6)[..., None]
    for colours, weights in reversed(levels[:-1]):
        upper = cv2.resize(colour, weights.shape[::-1], interpolation=cv2.INTER_LINEAR)
        known = np.clip(weights * 4, 0, 1)[..., None]
        colour = known * colours / np.maximum(weights, 1e-6)[..., None] + (1 - known) * upper
    plate = np.where(hole[..., None] > 0, colour, filled)
    return np.asarray(np.clip(plate + 0.5, 0, 255), np.uint8)


def _float(values: NDArray[Any]) -> Floats:
    return np.asarray(values, np.float32)


def _seed(shape: tuple[int, ...], points: Floats) -> Mask:
    """GrabCut labels: the face for sure, a head and shoulders probably, the far sides not."""
    height, width = shape
    labels = np.full((height, width), cv2.GC_PR_BGD, np.uint8)
    top, chin = points[FOREHEAD], points[CHIN]
    centre, down = (top + chin) / 2, chin - top
    tall, wide = (
        float(np.hypot(*down)),
        float(np.hypot(*(points[LEFT_CHEEK] - points[RIGHT_CHEEK]))),
    )
    tilt = float(np.degrees(np.arctan2(down[1], down[0]))) - 90
    far = np.ones((height, width), np.uint8)
    _ellipse(far, centre - 0.1 * down, (1.5 * wide, 1.2 * tall), tilt, 0)
    shoulders = _shoulders(centre, down, wide)
    cv2.fillPoly(far, [shoulders], (0,))
    labels[far > 0] = cv2.GC_BGD
    cv2.fillPoly(labels, [shoulders], (cv2.GC_PR_FGD,))
    _ellipse(labels, centre - 0.15 * down, (0.8 * wide, 0.85 * tall), tilt, cv2.GC_PR_FGD)
    neck = np.array([points[172], points[397], chin + down * 0.35]).round().astype(np.int32)
    cv2.fillPoly(labels, [neck], (cv2.GC_FGD,))
    cv2.fillPoly(labels, [points[list(FACE_OVAL)].round().astype(np.int32)], (cv2.GC_FGD,))
    return labels


def _shoulders(centre: Floats, down: Floats, wide: float) -> NDArray[np.int32]:
    across = np.array([-down[1], down[0]]) / max(float(np.hypot(*down)), 1e-6) * -1
    neck, chest = centre + down * 0.6, centre + down * 1.3
    outline = [
        neck - across * wide * 0.45,
        chest - across * wide * 1.3,
        chest + down * 3 - across * wide * 1.8,
        chest + down * 3 + across * wide * 1.8,
        chest + across * wide * 1.3,
        neck + across * wide * 0.45,
    ]
    return np.array(outline).round().astype(np.int32)


def _ellipse(
    target: Mask, centre: Floats, radii: tuple[float, float], tilt: float, value: int
) -> None:
    box = (
        (float(centre[0]), float(centre[1])),
        (max(2 * radii[0], 2.0), max(2 * radii[1], 2.0)),
        tilt,
    )
    cv2.ellipse(target, box, (value,), -1)


def _largest_piece(person: Mask) -> Mask:
    """The biggest connected piece with its holes filled."""
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(person)
    if count <= 1:
        return np.ones_like(person)
    biggest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    piece = (pieces == biggest).astype(np.uint8)
    outlines, _ = cv2.findContours(piece, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(cv2.drawContours(piece, outlines, -1, (1,), -1), np.uint8)


def _guided(guide: Floats, target: Floats, radius: int) -> Floats:
    """Guided filter of `target` by the grey `guide`, both [height, width]."""

    def mean(values: Floats) -> Floats:
        return np.asarray(cv2.blur(values, (2 * radius + 1, 2 * radius + 1)), np.float32)

    guide_mean, target_mean = mean(guide), mean(target)
    covariance = mean(guide * target) - guide_mean * target_mean
    slope = covariance / (mean(guide * guide) - guide_mean**2 + 1e-4)
    return mean(slope) * guide + mean(target_mean - slope * guide_mean)
