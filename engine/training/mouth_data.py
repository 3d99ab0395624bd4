"""Mouth crops of talking clips: pairs of a warped closed mouth and the true mouth.

A frame with its lips closed is bent by landmarks onto every other frame of the same clip, the upper
and the lower lip on their own, as the renderer does it. What lies between the lips is then to be
painted. Pairs are made once and kept in a folder.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.signal import savgol_filter

from engine.api import Picture
from engine.portrait.fields import ThinPlate
from engine.portrait.geometry import Canonical, Doubles
from engine.portrait.mouth_crop import (
    CROP_PIXELS,
    crop_affine,
    cut_crop,
    lips_mask,
    opening_mask,
)
from engine.portrait.topology import (
    CHIN,
    FOREHEAD,
    LEFT_EYE_OUTER,
    LOWER_LIP,
    LOWER_LIP_INNER,
    RIGHT_EYE_OUTER,
    UPPER_LIP,
    UPPER_LIP_INNER,
)
from engine.training.corpus import CorpusError, Role, corpus_entries, read_landmarks

VERSION = 1  # of what is kept
_RUN_FRAMES = 50  # that share one closed mouth
_OPEN_SHARE = 0.3  # of the runs start from any frame instead: portraits that smile
_SKULL = (33, 133, 362, 263, 168, 6, 197, 2, 98, 327)  # moves with the skull alone
_MOST_TURN = 0.12  # change of the nose's place between the eyes: what a 2-D map cannot follow
_GRID = 33  # places along a side where the warp is worked out
_NEAR_PIXELS = 40.0  # around the crop, landmarks that bend it


@dataclass(frozen=True, slots=True)
class MouthPairs:
    """Pairs [pair, ...] and the references [reference, ...] that they were warped from."""

    warped: NDArray[np.uint8]  # [pairs, 128, 128, 3] closed lips, bent onto the target's
    target: NDArray[np.uint8]  # [pairs, 128, 128, 3]
    opening: NDArray[np.uint8]  # [pairs, 128, 128], 255 between the target's lips
    lips: NDArray[np.uint8]  # [pairs, 128, 128], 255 inside the target's outer lip line
    follows: NDArray[np.bool_]  # [pairs]: this is the frame after the pair before
    reference: NDArray[np.int64]  # [pairs] which reference
    identity: NDArray[np.int64]  # [pairs] which person
    still: NDArray[np.uint8]  # [references, 128, 128, 3]
    still_opening: NDArray[np.uint8]  # [references, 128, 128]
    still_lips: NDArray[np.uint8]  # [references, 128, 128]

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Map kept pairs into memory."""
        names = [field.name for field in fields(cls)]
        return cls(**{name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in names})

    def save(self, folder: Path) -> None:
        """Keep pairs; a reader sees none or all."""
        partial = folder.with_suffix(".part")
        partial.mkdir(parents=True, exist_ok=True)
        for field in fields(self):
            np.save(partial / f"{field.name}.npy", getattr(self, field.name))
        partial.rename(folder)


def read_mouth_pairs(folder: Path, role: Role, cache: Path, most_s: float) -> MouthPairs:
    """Pairs of all people of one role, at most `most_s` seconds of each, in the index' order."""
    entries = _at_most(corpus_entries(folder, role), most_s)
    names = "\n".join(f"{entry['name']} {entry['frames']}" for entry in entries)
    digest = hashlib.sha256(f"{VERSION} {most_s} {names}".encode()).hexdigest()[:12]
    kept = cache / f"mouth-{role}-{digest}"
    if not kept.is_dir():
        make_pairs(folder, entries, most_s).save(kept)
    return MouthPairs.load(kept)


def _at_most(entries: Sequence[dict[str, Any]], most_s: float) -> list[dict[str, Any]]:
    taken: Counter[str] = Counter()
    chosen = []
    for entry in entries:
        if taken[entry["identity"]] < most_s:
            chosen.append(entry)
            taken[entry["identity"]] += entry["seconds"]
    return chosen


def make_pairs(folder: Path, entries: Sequence[dict[str, Any]], most_s: float) -> MouthPairs:
    """Cut all pairs of the clips `entries` of a corpus."""
    people = sorted({entry["identity"] for entry in entries})
    pairs: list[tuple[Any, ...]] = []
    stills: list[tuple[Picture, Picture, Picture]] = []
    warper = _Warper(np.random.default_rng(0))
    for entry in entries:
        person = people.index(entry["identity"])
        for run in warper.runs(folder, entry, round(most_s * 25)):
            stills.append(run.still)
            pairs += [(*pair, len(stills) - 1, person) for pair in run.pairs]
    if not pairs:
        raise CorpusError(f"{folder}: no clip gives a pair of mouths; expected faces in front view")
    columns = [np.stack(column) for column in zip(*pairs, strict=True)]
    return MouthPairs(*columns, *(np.stack(column) for column in zip(*stills, strict=True)))


@dataclass(frozen=True, slots=True)
class _Run:
    still: tuple[Picture, Picture, Picture]  # crop, opening, lips
    pairs: list[tuple[Picture, Picture, Picture, Picture, bool]]


class _Warper:
    """Makes runs of pairs."""

    def __init__(self, generator: np.random.Generator) -> None:
        self._generator = generator
        eyes = Canonical.load().points[[RIGHT_EYE_OUTER, LEFT_EYE_OUTER]]
        self._eyes_cm = float(np.linalg.norm(eyes[1] - eyes[0]))

    def runs(self, folder: Path, entry: dict[str, Any], most_frames: int) -> Iterator[_Run]:
        """All runs of one clip."""
        points, present = read_landmarks(folder, entry)
        count = min(len(points), most_frames)
        if count < _RUN_FRAMES // 2:
            return
        smooth = savgol_filter(points[:count].astype(np.float64), 5, 2, axis=0)
        pictures = read_pictures(folder / f"{entry['name']}.mp4", count)
        count = min(count, len(pictures))
        for start in range(0, count, _RUN_FRAMES):
            frames = range(start, min(start + _RUN_FRAMES, count))
            run = self._run(pictures, smooth, [index for index in frames if present[index]])
            if run is not None and run.pairs:
                yield run

    def _run(self, pictures: list[Picture], points: Doubles, frames: list[int]) -> _Run | None:
        if not frames:
            return None
        first = self._choose(points, frames)
        affine = self._affine(points[first])
        place = _inverse(affine)
        before, pairs = -2, list[tuple[Picture, Picture, Picture, Picture, bool]]()
        source = _apply(place, points[first])
        for index in frames:
            if not same_view(points[first], points[index]):
                continue
            there = _chain(skull_map(points[first], points[index]), affine)
            goal = _apply(_inverse(there), points[index])
            pairs.append(
                (
                    warp_lips(pictures[first], affine, source, goal),
                    cut_crop(pictures[index], there),
                    opening_mask(goal),
                    lips_mask(goal),
                    before == index - 1,
                )
            )
            before = index
        still = (cut_crop(pictures[first], affine), opening_mask(source), lips_mask(source))
        return _Run(still, pairs)

    def _choose(self, points: Doubles, frames: list[int]) -> int:
        if self._generator.random() < _OPEN_SHARE:
            return int(self._generator.choice(frames))
        return closed_frame(points, frames)

    def _affine(self, points: Doubles) -> Doubles:
        down = points[CHIN, :2] - points[FOREHEAD, :2]
        down /= np.linalg.norm(down)
        eyes = np.linalg.norm(points[LEFT_EYE_OUTER] - points[RIGHT_EYE_OUTER])
        across = np.array([down[1], -down[0]])
        return crop_affine(points, float(eyes) / self._eyes_cm, across, down)


def read_pictures(path: Path, most: int) -> list[Picture]:
    """The first pictures [height, width, 3] of a film."""
    pictures: list[Picture] = []
    with av.open(str(path)) as film:
        for frame in film.decode(video=0):
            pictures.append(np.asarray(frame.to_ndarray(format="rgb24"), np.uint8))
            if len(pictures) == most:
                break
    return pictures


def warp_lips(picture: Picture, affine: Doubles, source: Doubles, goal: Doubles) -> Picture:
    """A crop [128, 128, 3] whose landmarks `source` are bent onto `goal` [478, 2] (crop pixels).

    Between the lips lies whatever the nearer lip brings along.
    """
    near = (np.abs(goal[:468] - CROP_PIXELS / 2) < CROP_PIXELS / 2 + _NEAR_PIXELS).all(1)
    chin = {int(index) for index in np.flatnonzero(goal[:468, 1] > goal[LOWER_LIP_INNER[5], 1])}
    layers = []
    for left_out in ({*LOWER_LIP, *(chin - {*UPPER_LIP, 61, 291, 78, 308})}, {*UPPER_LIP}):
        keep = [index for index in np.flatnonzero(near) if index not in left_out]
        shift = ThinPlate(goal[keep], source[keep] - goal[keep], 1e-3).at(_places())
        grid = shift.reshape(_GRID, _GRID, 2).astype(np.float32)
        back = cv2.resize(grid, (CROP_PIXELS, CROP_PIXELS), interpolation=cv2.INTER_LINEAR)
        ys, xs = np.mgrid[:CROP_PIXELS, :CROP_PIXELS].astype(np.float64)
        place = _apply(affine, (back + np.stack([xs, ys], -1)).reshape(-1, 2))
        maps = place.reshape(CROP_PIXELS, CROP_PIXELS, 2).astype(np.float32)
        bent = cv2.remap(
            picture, maps, np.empty(0, np.float32), cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE
        )
        layers.append(bent)
    below = _below(goal)[..., None]
    return np.asarray(layers[1] * below + layers[0] * (1 - below) + 0.5, np.uint8)


def _below(points: Doubles) -> Doubles:
    """One below the middle between the inner lip lines, zero above, [128, 128]."""
    line = (points[list(UPPER_LIP_INNER)] + points[list(LOWER_LIP_INNER)]) / 2
    far = 4.0 * CROP_PIXELS
    outwards = np.array([far, 0])
    area = np.concatenate(
        [line[:1] - outwards, line, line[-1:] + outwards, [(far, far), (-far, far)]]
    )
    mask = np.zeros((CROP_PIXELS, CROP_PIXELS), np.uint8)
    cv2.fillPoly(mask, [(area * 16).round().astype(np.int32)], (1,), shift=4)
    return np.asarray(cv2.blur(mask.astype(np.float64), (3, 3)))


def _places() -> Doubles:
    """Where the warp is worked out, [places, 2]: centres of equal cells."""
    along = (np.arange(_GRID) + 0.5) * CROP_PIXELS / _GRID - 0.5
    return np.stack(np.meshgrid(along, along), -1).reshape(-1, 2)


def closed_frame(points: Doubles, frames: Sequence[int] | NDArray[np.int64]) -> int:
    """Which of `frames` has its lips closest, of landmarks [frame, 478, 3]."""
    upper, lower = UPPER_LIP_INNER[5], LOWER_LIP_INNER[5]
    gaps = np.linalg.norm(points[frames, upper, :2] - points[frames, lower, :2], axis=-1)
    return int(frames[int(np.argmin(gaps))])


def same_view(first: Doubles, second: Doubles) -> bool:
    """Whether a map in the plane brings one head's landmarks [478, 3] onto the other's."""
    return abs(_turn(second) - _turn(first)) <= _MOST_TURN


def _turn(points: Doubles) -> float:
    """Where the nose stands between the eyes, -1..1: how far the head is turned."""
    right, left, nose = points[RIGHT_EYE_OUTER, :2], points[LEFT_EYE_OUTER, :2], points[1, :2]
    across = left - right
    return float((nose - (right + left) / 2) @ across / (across @ across))


def skull_map(first: Doubles, second: Doubles) -> Doubles:
    """The map [2, 3] of the skull from one frame to another (Umeyama 1991, in the plane)."""
    start, end = first[list(_SKULL), :2], second[list(_SKULL), :2]
    a, b = start - start.mean(0), end - end.mean(0)
    turn = complex((a * b).sum(), (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()) / (a**2).sum()
    matrix = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
    return np.column_stack([matrix, end.mean(0) - matrix @ start.mean(0)])


def _apply(affine: Doubles, points: Doubles) -> Doubles:
    """Places [.., 2] of points [.., 2 or more]."""
    return np.asarray(points[:, :2] @ affine[:, :2].T + affine[:, 2])


def _chain(second: Doubles, first: Doubles) -> Doubles:
    """The map that does `first`, then `second`."""
    return np.column_stack(
        [second[:, :2] @ first[:, :2], second[:, :2] @ first[:, 2] + second[:, 2]]
    )


def _inverse(affine: Doubles) -> Doubles:
    matrix = np.linalg.inv(affine[:, :2])
    return np.column_stack([matrix, -matrix @ affine[:, 2]])
