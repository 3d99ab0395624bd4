"""The person apart from the background: how much of each pixel is the person's, and their colours.

A network's guess is made sure by GrabCut (Rother, Kolmogorov, Blake 2004) where it doubts, and
drawn along the hair by a colour guided filter, whose local linear model is that of closed-form
matting (He, Sun, Tang 2010; its coefficients are found small, He, Sun 2015). Colours of mixed
pixels are parted by two rounds of blur fusion (Forte 2021).
"""

from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.api import Picture
from engine.portrait.landmarks import Face, Floats
from engine.portrait.person import Guess, PersonFinder
from engine.portrait.topology import FACE_OVAL

Mask: TypeAlias = NDArray[np.uint8]

_WORK_PIXELS = 384  # longest side on which doubts are decided
_GUIDE_PIXELS = 640  # longest side on which the filter's coefficients are found
_ROUNDS = 3  # of GrabCut
_SURE, _LIKELY, _SURELY_NOT = 0.95, 0.5, 0.03
_TRUST = 0.35  # in the network where it doubts; the rest is GrabCut's
_REACH = 1 / 64  # radius of the guided filter, of the longest side
_SMOOTHNESS = 1e-4  # of the guided filter: colours closer than its root are one surface
_PURITY = 4  # power of the cover by which pixels lend their colour to mixed ones
_HAZE = 0.08  # cover that is taken for nothing, and lack of it that is taken for all
_WITHIN = 0.25  # what the network says at least, on average, of a hole that is none
_MAX_SHARE = 0.985  # a matte that takes everything found no background


def person_matte(still: Picture, face: Face, finder: PersonFinder) -> Floats:
    """How much of each pixel is the person's, [height, width] 0..1.

    All ones where no background can be told apart: the whole picture is then the person.
    """
    height, width = still.shape[:2]
    guess = finder.guess(still, face.points)
    likely = without_holes(_decide(still, guess), guess.mean)
    person = _largest_piece(likely)
    if person.mean() > _MAX_SHARE:
        return np.ones((height, width), np.float32)
    soft = _guided(_float(still) / np.float32(255), likely * person)
    cover: Floats = _float(np.clip((soft - _HAZE) / (1 - 2 * _HAZE), 0, 1))
    outline = cv2.convexHull(face.points[list(FACE_OVAL), :2].round().astype(np.int32))
    cv2.fillPoly(cover, [outline], (1.0,))
    return cover


def person_colours(still: Picture, matte: Floats) -> Picture:
    """The person's own colours [height, width, 3], also where the background shines through."""
    picture = _float(still) / np.float32(255)
    front = behind = picture
    longest = max(still.shape)
    for reach in (longest // 6 | 1, max(3, longest // 80) | 1):
        front, behind = _fuse(picture, matte, (front, behind), reach)
    return np.asarray(np.clip(front * 255 + 0.5, 0, 255), np.uint8)


def _fuse(
    picture: Floats, matte: Floats, guesses: tuple[Floats, Floats], reach: int
) -> tuple[Floats, Floats]:
    """One round: colours spread from where they are pure, then made to explain the picture."""
    front, behind = guesses
    cover = matte[..., None]
    near_front = _spread(front, matte**_PURITY, reach)
    near_behind = _spread(behind, (1 - matte) ** _PURITY, reach)
    left = picture - cover * near_front - (1 - cover) * near_behind
    return _float(np.clip(near_front + cover * left, 0, 1)), near_behind


def _spread(colours: Floats, weight: Floats, reach: int) -> Floats:
    """Colours [height, width, 3] averaged around each pixel by `weight` [height, width]."""
    return _blur(colours * weight[..., None], reach) / (_blur(weight, reach)[..., None] + 1e-6)


def _decide(still: Picture, guess: Guess) -> Floats:
    """The guess [height, width], with GrabCut's word where it doubts."""
    height, width = still.shape[:2]
    scale = min(1.0, _WORK_PIXELS / max(height, width))
    small = cv2.resize(still, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    size = (small.shape[1], small.shape[0])
    mean, most = cv2.resize(guess.mean, size), cv2.resize(guess.most, size)
    labels = np.where(mean > _LIKELY, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    for sure, label in ((mean > _SURE, cv2.GC_FGD), (most < _SURELY_NOT, cv2.GC_BGD)):
        labels[cv2.erode(sure.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0] = label
    if not {cv2.GC_FGD, cv2.GC_BGD} <= set(np.unique(labels)):
        return guess.mean
    cv2.setRNGSeed(0)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    bgr = cv2.cvtColor(small, cv2.COLOR_RGB2BGR)
    cv2.grabCut(bgr, labels, (0, 0, *size), *models, _ROUNDS, cv2.GC_INIT_WITH_MASK)
    person = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32)
    decided = _TRUST * mean + (1 - _TRUST) * person
    known = (labels == cv2.GC_FGD) | (labels == cv2.GC_BGD)
    return _float(cv2.resize(_float(np.where(known, mean, decided)), (width, height)))


def without_holes(likely: Floats, guess: Floats) -> Floats:
    """Fill pieces of background inside the person [height, width] where the network doubts them.

    Earrings and bright clothes have colours of the background, in GrabCut's eyes; what shows
    between an arm and the body does not look like a person to the network.
    """
    count, pieces, stats, _ = cv2.connectedComponentsWithStats((likely <= _LIKELY).astype(np.uint8))
    height, width = likely.shape
    filled = likely.copy()
    for piece in range(1, count):
        left, top, across, down, _ = (int(value) for value in stats[piece])
        touches_edge = left == 0 or top == 0 or left + across == width or top + down == height
        inside = pieces == piece
        if not touches_edge and float(guess[inside].mean()) >= _WITHIN:
            filled[inside] = 1
    return filled


def _largest_piece(likely: Floats) -> Floats:
    """One at the biggest connected piece and just around it, [height, width]."""
    solid = (likely > _LIKELY).astype(np.uint8)
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(solid)
    if count <= 1:
        return np.ones_like(likely)
    biggest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    reach = 2 * round(_REACH * max(likely.shape)) + 1
    around = cv2.dilate((pieces == biggest).astype(np.uint8), np.ones((reach, reach), np.uint8))
    return _float(around)


def _guided(picture: Floats, target: Floats) -> Floats:
    """Guided filter of `target` [height, width] by the colours `picture` [height, width, 3]."""
    height, width = target.shape
    scale = min(1.0, _GUIDE_PIXELS / max(height, width))
    size = (round(width * scale), round(height * scale))
    guide = _float(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
    small = _float(cv2.resize(target, size, interpolation=cv2.INTER_AREA))
    reach = 2 * max(2, round(_REACH * max(size))) + 1
    mean, small_mean = _blur(guide, reach), _blur(small, reach)
    covariance = _blur(guide * small[..., None], reach) - mean * small_mean[..., None]
    pairs = (guide[..., :, None] * guide[..., None, :]).reshape(*guide.shape[:2], 9)
    spread = np.dstack([_blur(pairs[..., :3], reach), _blur(pairs[..., 3:6], reach)])
    spread = np.dstack([spread, _blur(pairs[..., 6:], reach)]).reshape(*guide.shape[:2], 3, 3)
    spread -= mean[..., :, None] * mean[..., None, :]
    spread += _SMOOTHNESS * np.eye(3, dtype=np.float32)
    slope = np.linalg.solve(spread, covariance[..., None])[..., 0]
    offset = small_mean - (slope * mean).sum(-1)
    lines = np.dstack([_blur(_float(slope), reach), _blur(_float(offset), reach)])
    fine = cv2.resize(lines, (width, height))
    return _float((fine[..., :3] * picture).sum(-1) + fine[..., 3])


def _blur(values: Floats, reach: int) -> Floats:
    return _float(cv2.blur(values, (reach, reach)))


def _float(values: NDArray[Any]) -> Floats:
    return np.asarray(values, np.float32)
