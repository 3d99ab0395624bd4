"""Follows a person before a camera: pose, brows, lids and gaze, as differences from their rest."""

from collections import deque

import numpy as np

from engine.api import Picture
from engine.direction import PuppetFrame
from engine.portrait.face_reading import FaceReading, read_face
from engine.portrait.geometry import PoseSolver
from engine.portrait.landmarks import Face, FaceLandmarker, Region

_REST_FRAMES = 50  # the rest is the median of so many frames
_REST_EVERY = 5  # and is looked at so often: the rest of the whole minute, not of two seconds
_MIN_PRESENCE = 0.5


class FaceFollower:
    """Finds the same face in one picture after the other, with the detector only where needed."""

    def __init__(self, landmarker: FaceLandmarker) -> None:
        self._landmarker = landmarker
        self._region: Region | None = None

    def find(self, picture: Picture) -> Face | None:
        """Landmarks of the face in the next picture; None where there is none."""
        if self._region is not None:
            followed = self._landmarker.landmarks(picture, self._region)
            if followed.presence >= _MIN_PRESENCE:
                self._region = followed.region
                return followed
        found = self._landmarker.find(picture)
        if found is None or found.presence < _MIN_PRESENCE:
            self._region = None
            return None
        self._region = found.region
        return found


class CameraWatcher:
    """A `Watcher`. Rest is the running median of what was seen, so it settles within a second."""

    def __init__(self, landmarker: FaceLandmarker, solver: PoseSolver) -> None:
        self._follower, self._solver = FaceFollower(landmarker), solver
        self._seen: deque[np.ndarray[tuple[int], np.dtype[np.float64]]] = deque(maxlen=_REST_FRAMES)
        self._frames = 0

    def see(self, picture: Picture) -> PuppetFrame | None:
        """What the next picture [height, width, 3] uint8 RGB shows; None without a face."""
        face = self._follower.find(picture)
        if face is None:
            return None
        reading = read_face(face, self._solver, picture.shape[1], picture.shape[0])
        if self._frames < _REST_FRAMES or self._frames % _REST_EVERY == 0:
            self._seen.append(reading.vector)
        self._frames += 1
        rest = FaceReading(np.median(np.stack(self._seen), axis=0))
        return reading.apart_from(rest)

    def close(self) -> None:
        """Nothing is held that does not go by itself."""
