"""Follows a person before a camera: pose, brows, lids and gaze, as differences from their rest."""

import numpy as np

from engine.api import Picture
from engine.direction import PuppetFrame
from engine.portrait.channels import CHANNELS, LIDS, Channel
from engine.portrait.face_reading import FaceReading, read_face
from engine.portrait.geometry import Doubles, PoseSolver
from engine.portrait.landmarks import Detection, Face, FaceLandmarker, Region
from engine.portrait.one_euro import OneEuro

REST_S = 1.0  # the first second is taken for the person's rest
FORGET_AFTER_S = 3.0  # without a face: whoever comes then has a rest of their own
_MIN_REST_PICTURES = 5
_OPEN_SHARE = 0.75  # of the pictures of the rest show lids at most as open as the lids at rest
_MIN_PRESENCE = 0.5
_RECOUNT_PICTURES = 50
_OFF_CENTRE = 0.5  # of its size a face loses where it stands at the edge of the picture
_BYSTANDER = 0.4  # of the size of the followed one: what is smaller counts for nobody

_STEADY_HZ = dict.fromkeys(LIDS, 6.0) | {Channel.GAZE_LEFT: 2.0, Channel.GAZE_UP: 1.5}
_USUAL_STEADY_HZ = 2.5
_OPENING_HZ = {
    Channel.YAW: 20.0,  # per radian a second
    Channel.PITCH: 20.0,
    Channel.ROLL: 20.0,
    Channel.GAZE_LEFT: 6.0,
    Channel.GAZE_UP: 6.0,
    Channel.BLINK_RIGHT: 10.0,  # per eye's width a second
    Channel.BLINK_LEFT: 10.0,
}
_USUAL_OPENING_HZ = 1.0  # per centimetre a second


class FaceFollower:
    """Finds the same face in one picture after the other, with the detector only where needed."""

    def __init__(self, landmarker: FaceLandmarker) -> None:
        self.faces = 0  # when last looked for
        self._landmarker = landmarker
        self._region: Region | None = None
        self._pictures = 0  # since faces were counted

    def begin(self, region: Region) -> None:
        """Look there in the next picture first."""
        self._region = region

    def find(self, picture: Picture) -> Face | None:
        """Landmarks of the face in the next picture; None where there is none.

        Of several the largest central one is taken, and kept while it can be followed.
        """
        self._pictures += 1
        if self._region is not None:
            followed = self._landmarker.landmarks(picture, self._region)
            if followed.presence >= _MIN_PRESENCE:
                self._region = followed.region
                if self._pictures >= _RECOUNT_PICTURES:
                    self._count(picture)
                return followed
        self._region = None
        best = self._count(picture)
        if best is None:
            return None
        # Looked at twice, since only landmarks say exactly where a face is.
        region = self._landmarker.landmarks(picture, best.region).region
        found = self._landmarker.landmarks(picture, region)
        if found.presence < _MIN_PRESENCE:
            return None
        self._region = found.region
        return found

    def _count(self, picture: Picture) -> Detection | None:
        """The largest central face of all; counts those that are not much smaller."""
        self._pictures = 0
        centre = np.array([picture.shape[1], picture.shape[0]]) / 2

        def size(found: Detection) -> float:
            place = np.array([found.region.centre_x, found.region.centre_y])
            away = float(np.linalg.norm((place - centre) / centre) / np.sqrt(2))
            return found.width * (1 - _OFF_CENTRE * min(away, 1.0))

        detections = self._landmarker.detect(picture)
        best = max(detections, key=size, default=None)
        if best is None:
            self.faces = 0
            return None
        self.faces = sum(found.width >= _BYSTANDER * best.width for found in detections)
        return best


class CameraWatcher:
    """A `Watcher`."""

    def __init__(self, landmarker: FaceLandmarker, solver: PoseSolver) -> None:
        self._follower, self._solver = FaceFollower(landmarker), solver
        self._smooth = OneEuro(
            _by_channel(_STEADY_HZ, _USUAL_STEADY_HZ), _by_channel(_OPENING_HZ, _USUAL_OPENING_HZ)
        )
        self._first: list[Doubles] = []
        self._begun_s = self._seen_s = 0.0
        self._rest: FaceReading | None = None

    @property
    def faces(self) -> int:
        """How many there were when last looked for."""
        return self._follower.faces

    def see(self, picture: Picture, time_s: float) -> PuppetFrame | None:
        """What the next picture [height, width, 3] uint8 RGB shows; None without a face."""
        face = self._follower.find(picture)
        if face is None:
            self._smooth.reset()
            return None
        if time_s - self._seen_s > FORGET_AFTER_S:
            self._rest = None
            self._first.clear()
            self._smooth.reset()
        self._seen_s = time_s
        reading = read_face(face, self._solver, picture.shape[1], picture.shape[0])
        if self._rest is None:
            self._learn(reading, time_s)
            return None
        return FaceReading(self._smooth.push(reading.vector, time_s)).apart_from(self._rest)

    def close(self) -> None:
        """Nothing of it outlives it; safe to call twice."""

    def _learn(self, reading: FaceReading, time_s: float) -> None:
        """Take part of the first second; at its end there is a rest."""
        if not self._first:
            self._begun_s = time_s
        self._first.append(reading.vector)
        if time_s - self._begun_s >= REST_S and len(self._first) >= _MIN_REST_PICTURES:
            seen = np.stack(self._first)
            rest = np.median(seen, axis=0)
            rest[LIDS] = np.quantile(seen[:, LIDS], _OPEN_SHARE, axis=0)  # a blink is no rest
            self._rest = FaceReading(rest)


def _by_channel(values: dict[Channel, float], usual: float) -> Doubles:
    return np.array([values.get(Channel(index), usual) for index in range(CHANNELS)])
