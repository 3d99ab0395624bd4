"""Face points for V-Kps from the project's own landmarks.

The published model was trained on the five points of an insightface detector and uses the first
three: the middle of the eye on the picture's left, that of the eye on its right, the tip of the
nose. In the 478 landmarks an eye's middle is that of its corners and lids, which unlike the iris
stays where it is when the eye looks aside or blinks.
"""

from collections.abc import Iterable, Iterator

import cv2
import numpy as np

from engine.api import BadPictureError, NoFaceError, Picture
from engine.portrait.landmarks import Face, FaceLandmarker, Region
from engine.vexpress.kps import Points, TrackError

# Landmarks that surround each eye: outer corner, inner corner, middle of each lid.
LEFT_EYE, RIGHT_EYE = (33, 133, 159, 145), (263, 362, 386, 374)
NOSE_TIP = 4
MIN_PRESENCE = 0.5


def points_from_landmarks(landmarks: Points) -> Points:
    """478 landmarks [478, 2 or 3] -> the three points [3, 2]."""
    plane = landmarks[:, :2]
    eyes = [plane[list(eye)].mean(axis=0) for eye in (LEFT_EYE, RIGHT_EYE)]
    return np.stack([*eyes, plane[NOSE_TIP]]).astype(np.float32)


def find_points(landmarker: FaceLandmarker, picture: Picture, height: int, width: int) -> Points:
    """The points of the largest face, in pixels of the picture resized to `height` x `width`."""
    return points_from_landmarks(find_face(landmarker, picture, height, width).points)


def find_face(landmarker: FaceLandmarker, picture: Picture, height: int, width: int) -> Face:
    """The largest face, in pixels of the picture resized to `height` x `width`."""
    face = landmarker.find(_resized(picture, height, width))
    if face is None:
        raise NoFaceError("no face found, expected one that looks towards the camera")
    return face


def follow_points(
    landmarker: FaceLandmarker, pictures: Iterable[Picture], height: int, width: int
) -> Iterator[Points]:
    """The points of one face from frame to frame. Raises where it is lost."""
    region: Region | None = None
    for index, picture in enumerate(pictures):
        resized = _resized(picture, height, width)
        face = None if region is None else landmarker.landmarks(resized, region)
        if face is None or face.presence < MIN_PRESENCE:
            face = landmarker.find(resized)
        if face is None:
            raise TrackError(f"frame {index}: no face found, expected one in every frame")
        region = face.region
        yield points_from_landmarks(face.points)


def _resized(picture: Picture, height: int, width: int) -> Picture:
    if picture.ndim != 3 or min(picture.shape[:2]) < 1:  # noqa: PLR2004  height, width, colour
        raise BadPictureError(f"a picture of shape {picture.shape}: expected RGB")
    scaled = cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(scaled, np.uint8)
