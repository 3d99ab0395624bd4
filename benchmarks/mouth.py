"""How far the mouth is open, read from pictures alone.

With a face: landmarks. The gap between the inner lips, in percent of the distance between the outer
eye corners, is blind to head sway, blinks and zoom. Without one (a test engine's moving bar): how
much the lower middle of the picture differs from how it looked at rest.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np

from benchmarks.curves import Floats
from engine.api import Picture
from engine.portrait.landmarks import FaceLandmarker, Region

LIPS = (13, 14)  # the middle of the inner upper and lower lip
EYES = (33, 263)  # the outer corners
_PRESENT = 0.5
_REST_PICTURES = 25
_SEEKS = 50  # pictures in which a face is looked for before it is taken that there is none


@dataclass(frozen=True, slots=True)
class Opening:
    """The opening in each picture, and how it was read: "landmarks" or "difference"."""

    values: Floats
    method: str


def opening(pictures: Iterable[Picture]) -> Opening:
    """Measure all pictures of a film, which begins at rest."""
    stream = iter(pictures)
    head = list(islice(stream, _SEEKS))
    if not head:
        return Opening(np.empty(0), "none")
    landmarker = FaceLandmarker()
    if any(landmarker.find(picture) for picture in head[:: max(1, _SEEKS // 4)]):
        return Opening(_lip_gaps(landmarker, chain(head, stream)), "landmarks")
    rest = np.median([_lower_middle(picture) for picture in head[:_REST_PICTURES]], axis=0)
    differences = [
        float(np.abs(_lower_middle(picture) - rest).mean()) for picture in chain(head, stream)
    ]
    return Opening(np.array(differences), "difference")


def _lip_gaps(landmarker: FaceLandmarker, pictures: Iterator[Picture]) -> Floats:
    """The face is followed from picture to picture; where it is lost the last gap holds."""
    gaps, region = list[float](), None
    for picture in pictures:
        gap, region = _lip_gap(landmarker, picture, region)
        gaps.append(gap if gap is not None else (gaps[-1] if gaps else 0.0))
    return np.array(gaps)


def _lip_gap(
    landmarker: FaceLandmarker, picture: Picture, region: Region | None
) -> tuple[float | None, Region | None]:
    face = landmarker.landmarks(picture, region) if region else landmarker.find(picture)
    if face is None or face.presence < _PRESENT:
        return None, None
    lips, eyes = (np.linalg.norm(face.points[a, :2] - face.points[b, :2]) for a, b in (LIPS, EYES))
    return float(100 * lips / eyes), face.region


def _lower_middle(picture: Picture) -> Floats:
    height, width = picture.shape[:2]
    part = picture[height // 2 :, width // 4 : -(width // 4)]
    return np.asarray(part.astype(np.float64).mean(axis=2))
