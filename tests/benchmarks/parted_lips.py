"""A portrait whose lips are parted by hand."""

from benchmarks.mouth import LIPS
from engine.api import Picture
from engine.portrait.landmarks import FaceLandmarker


def parted(picture: Picture, pixels: int) -> Picture:
    """The face with everything below the middle of the lips moved down, the gap dark."""
    face = FaceLandmarker().find(picture)
    assert face is not None
    lips = round(float(face.points[list(LIPS), 1].mean()))
    left, right = (round(float(face.points[corner, 0])) for corner in (78, 308))
    out = picture.copy()
    out[lips + pixels :, left:right] = picture[lips:-pixels, left:right]
    out[lips : lips + pixels, left:right] = 20
    return out
