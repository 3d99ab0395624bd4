"""A film drives a portrait: its head, brows, lids, gaze and, as far as asked, its mouth.

Measures of the driver become differences from the driver's own rest, in the proportions of the
portrait's face, so that two faces that differ still move alike.
"""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.api import Avatar, AvatarError, Picture
from engine.config import TIMING
from engine.film_reader import (
    EXPECTED,
    FFMPEG_ERRORS,
    DriverError,
    mean_rate_hz,
    open_film,
    upright_pictures,
)
from engine.portrait.acting import soften
from engine.portrait.channels import HEAD, LIDS, MOUTH, Channel
from engine.portrait.engine import PortraitAvatar
from engine.portrait.face_reading import FaceReading, read_face
from engine.portrait.framing import faces_everywhere
from engine.portrait.geometry import Canonical, Doubles, PoseSolver
from engine.portrait.landmarks import Face, FaceLandmarker
from engine.portrait.renderer import Renderer
from engine.portrait.response import Response
from engine.portrait.seamless import Loop, smooth_without_lag
from engine.portrait.watcher import FaceFollower
from engine.script import Motion

MAX_SECONDS = 600.0
_LONGEST_SIDE = 720  # larger pictures are made smaller: landmarks are found on 256 pixels
_SIMILAR_SIZE = 0.6  # a second face of this share of the first one's width is mentioned
_CUT_SHARE = 0.35  # of the face's size, by which no head moves between two pictures
_REST_SHARE = 0.15  # of the frames, those with the smallest opening, are the closed mouth
_OPEN_EYES = 70  # per cent: eyes at rest are open, however often somebody blinks
_PROPORTIONS = (0.7, 1.4)  # further apart no two faces are, landmarks err
_SHIFTS = [Channel.SHIFT_LEFT, Channel.SHIFT_UP, Channel.SHIFT_NEAR]
_LIPS = [Channel.UPPER_LIP_UP, Channel.LOWER_LIP_DOWN]


@dataclass(frozen=True, slots=True)
class ReferenceVideo:
    """What was read of a film: measures of one face, 25 times a second."""

    measures: Doubles  # [frames, CHANNELS] absolute, as `FaceReading`
    notes: tuple[str, ...]  # what the one who gave the film should know

    @property
    def rest(self) -> FaceReading:
        """The driver's own neutral face."""
        rest = np.median(self.measures, axis=0)
        opening = self.measures[:, _LIPS].sum(axis=1)
        closed = opening <= np.quantile(opening, _REST_SHARE)
        rest[MOUTH] = np.median(self.measures[closed][:, MOUTH], axis=0)
        rest[LIDS] = np.percentile(self.measures[:, LIDS], _OPEN_EYES, axis=0)
        return FaceReading(rest)


class Driver:
    """Motion [CHANNELS] of every frame of a performance, however long: the film goes to and fro."""

    def __init__(self, motion: NDArray[np.float32]) -> None:
        self._motion = motion
        self._loop = Loop(len(motion))

    def __call__(self, frame: int) -> Motion:
        """What frame number `frame` does."""
        return self._loop.at(self._motion, frame)


def read_reference_video(path: Path, max_s: float = MAX_SECONDS) -> ReferenceVideo:
    """Follow the largest, most central face of a film. Raises `DriverError`."""
    follower = _Follower(FaceLandmarker(), PoseSolver(Canonical.load()))
    times: list[float] = []
    with open_film(path) as container:
        try:
            for time_s, picture in upright_pictures(container, mean_rate_hz(container, path)):
                if time_s > max_s:
                    break
                follower.look(picture)
                times.append(time_s)
        except FFMPEG_ERRORS as error:
            raise DriverError(f"{path}: damaged ({error})") from error
    if not times:
        raise DriverError(f"{path}: holds no picture, {EXPECTED}")
    return _chosen(path, follower, np.array(times))


def drive_avatar(video: ReferenceVideo, avatar: Avatar, *, is_own: bool) -> Driver:
    """Bring a film's motion to an avatar.

    `is_own`: the film shows the portrait's own person, whose face is followed as it is, apart from
    the portrait's pose and not from the film's rest. Raises `AvatarError`.
    """
    own = _reading_of(avatar.still)
    rest = video.rest
    if is_own:
        absolute = own.vector.copy()
        absolute[[*_SHIFTS, *LIDS]] = rest.vector[[*_SHIFTS, *LIDS]]
        absolute[MOUTH] = rest.vector[MOUTH]
        rest = FaceReading(absolute)
    motion = np.stack([FaceReading(one).channels_from(rest) for one in video.measures])
    if not is_own:
        motion[:, MOUTH] *= _proportion(own, rest, Channel.MOUTH_WIDE)
        motion[:, Channel.BROWS_UP] *= _proportion(own, rest, Channel.BROWS_UP)
    response = _response_of(avatar, own)
    openings = video.measures[:, LIDS] / np.maximum(rest.vector[LIDS], 1e-3)
    motion[:, LIDS] = response.lowered(openings)
    steady = smooth_without_lag(motion)
    steady[:, HEAD] = response.turned(steady, steady[:, LIDS].mean(axis=1))
    steady[:, LIDS] = motion[:, LIDS]  # no blink is too quick
    return Driver(np.stack([soften(one) for one in steady]))


def _proportion(own: FaceReading, other: FaceReading, channel: Channel) -> np.float32:
    """How much larger the portrait has it than the driver."""
    ratio = own.vector[channel] / max(float(other.vector[channel]), 1e-3)
    return np.float32(np.clip(ratio, *_PROPORTIONS))


def _response_of(avatar: Avatar, own: FaceReading) -> Response:
    if not isinstance(avatar, PortraitAvatar):
        return Response.usual(own.vector[HEAD])
    return Response.of(Renderer(avatar.scene, avatar.mouth_painter).render, Canonical.load())


def _reading_of(still: Picture) -> FaceReading:
    face = FaceLandmarker().find(still)
    if face is None:
        raise AvatarError("no face found in the avatar at rest, expected the one that was prepared")
    return read_face(face, PoseSolver(Canonical.load()), still.shape[1], still.shape[0])


class _Follower:
    """Reads one face from picture to picture; notes where it was lost, and where films were cut."""

    def __init__(self, landmarker: FaceLandmarker, solver: PoseSolver) -> None:
        self._landmarker, self._solver = landmarker, solver
        self._faces = FaceFollower(landmarker)
        self._before: Face | None = None
        self._scale = 1.0
        self.readings: list[Doubles | None] = []
        self.cuts: list[int] = []
        self.similar_faces = 0

    def look(self, picture: Picture) -> None:
        height, width = picture.shape[:2]
        shrink = _LONGEST_SIDE / max(height, width)
        if shrink < 1:
            size = (round(width * shrink), round(height * shrink))
            picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
        if not self.similar_faces:
            self._choose(picture)
        face = self._faces.find(picture)
        if face is None:
            self.readings.append(None)
            self._before = None
            return
        if self._before is not None and _jumped(self._before, face):
            self.cuts.append(len(self.readings))
        self._before = face
        reading = read_face(face, self._solver, picture.shape[1], picture.shape[0])
        self.readings.append(reading.vector)

    def _choose(self, picture: Picture) -> None:
        """Begin with the largest face; of those nearly as large, the most central."""
        found = [face.region for face in faces_everywhere(picture, self._landmarker)]
        if not found:
            return
        near = [region for region in found if region.side >= _SIMILAR_SIZE * found[0].side]
        middle = picture.shape[1] / 2
        self.similar_faces = len(near)
        self._faces.begin(max(near, key=lambda one: one.side - abs(one.centre_x - middle)))


def _jumped(before: Face, after: Face) -> bool:
    one, two = before.region, after.region
    apart = np.hypot(one.centre_x - two.centre_x, one.centre_y - two.centre_y)
    return bool(
        apart > _CUT_SHARE * min(one.side, two.side)
        or one.side > 1.4 * two.side
        or two.side > 1.4 * one.side
    )


def _chosen(path: Path, follower: _Follower, times_s: Doubles) -> ReferenceVideo:
    """The longest part without a cut, without holes, at the engine's rate."""
    notes: list[str] = []
    if follower.similar_faces > 1:
        notes.append(
            f"{path}: {follower.similar_faces} people: the largest, most central face is followed"
        )
    edges = [0, *follower.cuts, len(follower.readings)]
    first, last = max(pairwise(edges), key=lambda part: part[1] - part[0])
    seen = np.array([one is not None for one in follower.readings[first:last]])
    if not seen.any():
        raise DriverError(f"{path}: no face found, expected one that looks towards the camera")
    if follower.cuts:
        length_s = times_s[last - 1] - times_s[first]
        notes.append(f"{path}: cut {len(follower.cuts)} times: its longest part, {length_s:.1f} s")
    if not seen.all():
        notes.append(f"{path}: no face in {int((~seen).sum())} pictures: bridged from those beside")
    known = np.stack([one for one in follower.readings[first:last] if one is not None])
    return ReferenceVideo(_evenly(known, times_s[first:last], seen), tuple(notes))


def _evenly(known: Doubles, times_s: Doubles, seen: NDArray[np.bool_]) -> Doubles:
    """Measures at the engine's rate; where there is no face, on the way between its neighbours."""
    times_s = np.maximum.accumulate(times_s - times_s[0])  # a film may step back in time
    frames = round(float(times_s[-1]) * TIMING.frame_rate_hz) + 1
    wanted = np.arange(frames) * TIMING.frame_s
    columns = [np.interp(wanted, times_s[seen], column) for column in known.T]
    return np.stack(columns, axis=1)
