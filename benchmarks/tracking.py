"""What the landmark networks see in the frames of a film, whoever made it.

The engine's own numbers are never used; films of people and of portraits go the same way.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.curves import Floats
from benchmarks.measures import flicker
from engine.api import Picture
from engine.portrait.channels import MOUTH, Channel, measure_shape
from engine.portrait.face_reading import eye_openings
from engine.portrait.geometry import Canonical, PoseSolver
from engine.portrait.landmarks import Face, FaceLandmarker, Region, cut_region

TRACK_VERSION = 3  # of what is kept in files; raise it when measuring changes

_PRESENT = 0.5
_LIDS = ((159, 145, 33, 133), (386, 374, 362, 263))  # upper, lower, corners
_UPPER_FACE = (70, 63, 105, 66, 107, 336, 296, 334, 293, 300, 159, 386)  # brows and upper lids
_EYES = (33, 263)  # outer corners
_LIPS = (61, 291, 0, 17)
_BONES = (33, 133, 168, 263, 362)
_CORNER_SHARE = 10  # a corner of the frame is a tenth of its side
_WINDOW_FRAMES = 5
_STILL_CM = 0.12  # what a mouth at rest may stray within a window, for the networks' own trembling
_STEADY_PLACE = 0.01  # of the distance of the eyes: how far its place may stray from a straight way
_PATCH_PIXELS = 48
_PATCH_SIDE = 0.8  # of the distance of the eyes


class FilmError(Exception):
    """A film that cannot be measured."""


@dataclass(frozen=True, slots=True)
class Track:
    """A film in numbers; where no face was seen the last values hold."""

    seen: NDArray[np.bool_]  # [frames]
    shape: Floats  # [frames, 10] absolute measures in centimetres, in the order of `Channel`
    eyes: Floats  # [frames] height over width, as they look in the picture
    lids: Floats  # [frames] the same with the head's pose taken out: a turned eye is no wide one
    angles: Floats  # [frames, 3] yaw, pitch, roll in radians
    upper: Floats  # [frames, points, 3] brows and upper lids in centimetres, head pose taken out
    bones: Floats  # [frames, 5, 2] points that no expression moves; place, size and tilt taken out
    background: (
        Floats  # [frames] grey levels by which the upper corners differ from the first frame
    )
    frozen: NDArray[np.bool_]  # [frames] equal to the frame before
    flicker: Floats  # [windows], of the windows with a still mouth

    @property
    def opening(self) -> Floats:
        """Gap between the inner lips [frames] in centimetres."""
        return self.shape[:, Channel.UPPER_LIP_UP] + self.shape[:, Channel.LOWER_LIP_DOWN]

    @property
    def width(self) -> Floats:
        """Distance between the corners of the mouth [frames] in centimetres."""
        return self.shape[:, Channel.MOUTH_WIDE]

    def save(self, path: Path) -> None:
        """Write to a file that is whole or not there."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".part.npz")
        np.savez(partial, **{one.name: getattr(self, one.name) for one in fields(self)})
        partial.replace(path)

    @classmethod
    def load(cls, path: Path) -> "Track":
        """Read what `save` wrote."""
        with np.load(path) as arrays:
            return cls(**{one.name: arrays[one.name] for one in fields(cls)})


@dataclass(frozen=True, slots=True)
class _Look:
    shape: Floats
    eyes: float
    lids: float
    angles: Floats
    upper: Floats
    bones: Floats
    lips: Floats  # [2] their middle, in pixels
    eye_distance: float  # pixels
    angle: float


class Watcher:
    """Looks at frames as a stranger would, and follows the face from one to the next."""

    def __init__(self) -> None:
        self._landmarker = FaceLandmarker()
        self._solver = PoseSolver(Canonical.load())
        self._face: Face | None = None
        self._recent: deque[tuple[NDArray[np.uint8], _Look]] = deque(maxlen=_WINDOW_FRAMES)
        self._seen: list[bool] = []
        self._looks: list[_Look] = []
        self._flicker: list[float] = []
        self._first: Picture | None = None
        self._before: Picture | None = None
        self._background: list[float] = []
        self._frozen: list[bool] = []

    def look(self, picture: Picture) -> None:
        """Measure the next frame."""
        self._first = picture if self._first is None else self._first
        self._background.append(corner_change(picture, self._first))
        self._frozen.append(self._before is not None and np.array_equal(picture, self._before))
        self._before = picture
        face = self._find(picture)
        self._face = face
        self._seen.append(face is not None)
        if face is None:
            self._recent.clear()
            self._looks += self._looks[-1:]
            return
        look = self._measure(face, picture.shape[1], picture.shape[0])
        missing = len(self._seen) - 1 - len(self._looks)  # frames before the first face
        self._looks += [look] * (missing + 1)
        self._recent.append((cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.uint8), look))
        self._judge_window()

    def track(self) -> Track:
        """Everything measured so far. Raises `FilmError` if no face was ever seen."""
        if not self._looks:
            raise FilmError(f"no face in any of {len(self._seen)} frames")
        looks = self._looks
        return Track(
            np.array(self._seen),
            np.stack([look.shape for look in looks]),
            np.array([look.eyes for look in looks]),
            np.array([look.lids for look in looks]),
            np.stack([look.angles for look in looks]),
            np.stack([look.upper for look in looks]),
            np.stack([look.bones for look in looks]),
            np.array(self._background),
            np.array(self._frozen),
            np.array(self._flicker),
        )

    def _find(self, picture: Picture) -> Face | None:
        if self._face is not None:
            face = self._landmarker.landmarks(picture, self._face.region)
            if face.presence >= _PRESENT:
                return face
        found = self._landmarker.find(picture)
        return found if found is not None and found.presence >= _PRESENT else None

    def _measure(self, face: Face, width: int, height: int) -> _Look:
        posed = self._solver.solve(face.points, width, height)
        points = face.points[:, :2].astype(np.float64)
        across = points[_EYES[1]] - points[_EYES[0]]
        return _Look(
            measure_shape(posed.mesh),
            eye_opening(points),
            float(np.mean(eye_openings(posed.mesh))),
            np.array(posed.angles),
            posed.mesh[list(_UPPER_FACE)],
            normal_bones(points),
            points[list(_LIPS)].mean(axis=0),
            float(np.linalg.norm(across)),
            float(np.arctan2(across[1], across[0])),
        )

    def _judge_window(self) -> None:
        """If the mouth was still all the while, note how much its pixels changed.

        The head may go its way: the pixels are followed along the straight line that fits it best.
        """
        if len(self._recent) < _WINDOW_FRAMES:
            return
        looks = [look for _, look in self._recent]
        mouths = np.stack([look.shape[MOUTH] for look in looks])
        places = np.stack([look.lips for look in looks])
        ways = _straight(places)
        distance = looks[0].eye_distance
        if np.ptp(mouths, axis=0).max() > _STILL_CM:
            return
        if np.abs(places - ways).max() > _STEADY_PLACE * distance:
            return
        side, angle = _PATCH_SIDE * distance, looks[0].angle
        patches = [
            cut_region(picture, Region(float(x), float(y), side, angle), _PATCH_PIXELS)
            for (picture, _), (x, y) in zip(self._recent, ways, strict=True)
        ]
        found = flicker(np.stack(patches))
        self._flicker += [found] if found is not None else []
        self._recent.clear()


def watched(pictures: Iterable[Picture]) -> Track:
    """The track of a whole film."""
    watcher = Watcher()
    for picture in pictures:
        watcher.look(picture)
    return watcher.track()


@dataclass(frozen=True, slots=True)
class Film:
    """A film file; what comes before `first_frame` does not belong to it."""

    path: Path
    first_frame: int = 0

    def pictures(self, count: int | None = None) -> Iterator[Picture]:
        """The frames, one by one, or the first `count` of them."""
        end = None if count is None else self.first_frame + count
        return islice(_decoded(self.path), self.first_frame, end)


def _decoded(path: Path) -> Iterator[Picture]:
    try:
        with av.open(str(path)) as container:
            for frame in container.decode(video=0):
                yield np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
    except (av.FFmpegError, IndexError) as error:
        raise FilmError(f"{path}: not a film that can be read ({error})") from error


def eye_opening(points: Floats) -> float:
    """Height over width of the eyes of landmarks [478, 2], the mean of both."""
    opened = [
        np.linalg.norm(points[upper] - points[lower]) / np.linalg.norm(points[right] - points[left])
        for upper, lower, right, left in _LIDS
    ]
    return float(np.mean(opened))


def normal_bones(points: Floats) -> Floats:
    """Points about the eyes [5, 2] of landmarks [478, 2], with place, size and tilt taken out."""
    places = points[list(_BONES), 0] + 1j * points[list(_BONES), 1]
    places = (places - places.mean()) / (places[3] - places[0])
    return np.stack([places.real, places.imag], axis=-1)


def corner_change(picture: Picture, first: Picture) -> float:
    """Mean grey levels by which the upper corners of two pictures differ."""
    side = min(picture.shape[:2]) // _CORNER_SHARE
    change = [
        np.abs(picture[:side, columns].astype(int) - first[:side, columns]).mean()
        for columns in (slice(0, side), slice(-side, None))
    ]
    return float(np.mean(change))


def _straight(places: Floats) -> Floats:
    """The places [frames, 2] of even motion that come nearest to those given."""
    times = np.arange(len(places)) - (len(places) - 1) / 2
    speed = times @ places / (times @ times)
    return np.asarray(places.mean(axis=0) + times[:, None] * speed)
