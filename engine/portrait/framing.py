"""From a picture to the framed still: which face speaks, and how much of the picture is shown."""

from dataclasses import dataclass

import numpy as np

from engine.api import (
    FaceTooSmallError,
    FaceTurnedError,
    NoFaceError,
    Picture,
    PortraitOptions,
    SeveralFacesError,
)
from engine.portrait.geometry import Posed, PoseSolver
from engine.portrait.landmarks import Detection, Face, FaceLandmarker, Region
from engine.portrait.view import choose_view, cut, face_height, frame_size

MIN_FACE_PIXELS = 64  # face height, forehead to chin
MAX_TURN_DEGREES = 30.0
MAX_TILT_DEGREES = 28.0
_SIMILAR_SIZE = 0.6  # a second face of this share of the first one's width leaves doubt
_MIN_PRESENCE = 0.5
_SAME_FACE_DISTANCE = 0.3  # of the face region's side


@dataclass(frozen=True, slots=True)
class Framed:
    """The still at output size, with its face."""

    still: Picture  # [height, width, 3]
    face: Face  # in pixels of the still
    posed: Posed


def frame_portrait(
    picture: Picture, options: PortraitOptions, landmarker: FaceLandmarker, solver: PoseSolver
) -> Framed:
    """Find the one face of `picture`, check it, and frame it. Raises `BadPictureError`."""
    face = find_speaker(picture, landmarker)
    view = choose_view(picture, face, options)
    size = frame_size(view, options)
    scale = size[0] / view.width
    moved = Region(
        (face.region.centre_x - view.left) * scale,
        (face.region.centre_y - view.top) * scale,
        face.region.side * scale,
        face.region.angle,
    )
    still = cut(picture, view, size)
    return look_closely(still, moved, landmarker, solver)


def look_closely(
    still: Picture, region: Region, landmarker: FaceLandmarker, solver: PoseSolver
) -> Framed:
    """The face of a framed still, which is about `region`. Raises `FaceTurnedError`."""
    face = landmarker.landmarks(still, region)
    posed = solver.solve(face.points, still.shape[1], still.shape[0])
    _check_pose(posed)
    return Framed(still, face, posed)


def find_speaker(picture: Picture, landmarker: FaceLandmarker) -> Face:
    """The one face of `picture`, if it is large enough to speak. Raises `BadPictureError`."""
    face = choose_face(picture, landmarker)
    height = face_height(face)
    if height < MIN_FACE_PIXELS:
        raise FaceTooSmallError(
            f"the face is {height:.0f} pixels high; expected at least {MIN_FACE_PIXELS}"
        )
    return face


def choose_face(picture: Picture, landmarker: FaceLandmarker) -> Face:
    """The one face that shall speak. Raises `NoFaceError` or `SeveralFacesError`."""
    height, width = picture.shape[:2]
    faces = faces_everywhere(picture, landmarker)
    if not faces:
        raise NoFaceError(f"no face found in the {width}x{height} picture; expected one face")
    similar = sum(face.region.side > _SIMILAR_SIZE * faces[0].region.side for face in faces)
    if similar > 1:
        raise SeveralFacesError(
            f"{similar} faces of similar size found; expected one: crop the picture to the speaker"
        )
    return landmarker.landmarks(picture, faces[0].region)


def faces_everywhere(picture: Picture, landmarker: FaceLandmarker) -> list[Face]:
    """Faces of the whole picture and of its overlapping parts, the largest first.

    The detector sees 128 pixels: small faces of large pictures only show in the parts.
    """
    found = landmarker.detect(picture) + _detect_parts(picture, landmarker, 2)
    faces = _confirm(picture, found, landmarker)
    if not faces:
        faces = _confirm(picture, _detect_parts(picture, landmarker, 5), landmarker)
    return sorted(faces, key=lambda face: -face.region.side)


def _confirm(picture: Picture, found: list[Detection], landmarker: FaceLandmarker) -> list[Face]:
    """The detections that hold a face when looked at closely, each face once."""
    faces: list[Face] = []
    for detection in sorted(found, key=lambda item: -item.score):
        face = landmarker.landmarks(picture, detection.region)
        known = any(_distance(face.region, other.region) < _SAME_FACE_DISTANCE for other in faces)
        if face.presence >= _MIN_PRESENCE and not known:
            faces.append(face)
    return faces


def _detect_parts(picture: Picture, landmarker: FaceLandmarker, parts: int) -> list[Detection]:
    height, width = picture.shape[:2]
    side = max(height, width) // parts
    found = []
    for top in range(0, max(1, height - side // 2), max(1, side // 2)):
        for left in range(0, max(1, width - side // 2), max(1, side // 2)):
            part = np.ascontiguousarray(picture[top : top + side, left : left + side])
            found += [_shift(item, left, top) for item in landmarker.detect(part)]
    return [item for item in found if _inside(item, width, height)]


def _shift(item: Detection, left: int, top: int) -> Detection:
    region, box = item.region, item.box
    moved = Region(region.centre_x + left, region.centre_y + top, region.side, region.angle)
    return Detection((box[0] + left, box[1] + top, box[2] + left, box[3] + top), moved, item.score)


def _inside(item: Detection, width: int, height: int) -> bool:
    return 0 <= item.region.centre_x < width and 0 <= item.region.centre_y < height


def _distance(first: Region, second: Region) -> float:
    """Between the centres, in sides of the larger region."""
    apart = np.hypot(first.centre_x - second.centre_x, first.centre_y - second.centre_y)
    return float(apart / max(first.side, second.side))


def _check_pose(posed: Posed) -> None:
    yaw, pitch, _ = (float(np.degrees(angle)) for angle in posed.angles)
    if abs(yaw) > MAX_TURN_DEGREES:
        raise FaceTurnedError(
            f"the face is turned {abs(yaw):.0f} degrees to the side;"
            f" expected at most {MAX_TURN_DEGREES:.0f}"
        )
    if abs(pitch) > MAX_TILT_DEGREES:
        raise FaceTurnedError(
            f"the face looks {abs(pitch):.0f} degrees {'up' if pitch > 0 else 'down'};"
            f" expected at most {MAX_TILT_DEGREES:.0f}"
        )
