"""Face points of V-Kps: the track file, its fitting to a clip, and the drawings.

A face is three points [3, 2] in pixels (x, y): the eye on the picture's left, the eye on its
right, the nose. A track is [frames, 3, 2].
"""

import math
import pickle
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from engine.api import AvatarError, Picture
from engine.vexpress.stored_arrays import allowed, as_arrays

Points: TypeAlias = NDArray[np.float32]

FACE_SHAPE = (3, 2)
COLOURS = ((255, 0, 0), (0, 255, 0), (0, 0, 255))  # RGB of the points, in their order
STICK_SHADE = 0.6  # of an eye's colour, towards the nose
RADIUS_PIXELS = 4  # of discs and half the sticks' width, whatever the picture's size
FULL_TURN_DEGREES = 360
MAX_PLACE_PIXELS = 100_000  # from the corner; drawing counts in 32 bits
NOSE, EYES = 2, (0, 1)


class TrackError(AvatarError):
    """A track that is not one."""


def read_track(path: Path) -> Points:
    """A track from a file as the published tool writes it: a list with one array a frame.

    The file is unpickled with nothing allowed but arrays and tensors.
    """
    if not path.is_file():
        raise TrackError(f"{path}: there is no such file of face points")
    try:
        with torch.serialization.safe_globals(allowed()):
            content = as_arrays(torch.load(path, map_location="cpu", weights_only=True))
    except pickle.UnpicklingError as error:
        raise TrackError(f"{path}: not a file of face points, or one with more in it") from error
    except Exception as error:  # a damaged pickle makes its reader raise anything
        reason = str(error).partition("\n")[0]
        raise TrackError(f"{path}: cut short or damaged ({reason})") from error
    try:
        return as_track(content)
    except TrackError as error:
        raise TrackError(f"{path}: {error}") from error


def write_track(path: Path, track: Points) -> None:
    """Write `track` in the published format, whole or not at all."""
    partial = path.with_name(f".{path.name}.part")
    try:
        torch.save([np.array(face, np.float32) for face in track], partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def as_track(content: Any) -> Points:
    """Check that `content` is a list of faces, or an array of them."""
    expected = "expected for every frame three points (x, y)"
    if not isinstance(content, list | tuple | np.ndarray | torch.Tensor) or len(content) == 0:
        raise TrackError(f"{expected}, got {type(content).__name__} without any")
    faces = []
    for index, face in enumerate(content):
        try:
            points = np.asarray(face, np.float32)
        except (TypeError, ValueError, RuntimeError) as error:
            raise TrackError(f"{expected}, frame {index} is no array of numbers") from error
        if points.shape != FACE_SHAPE:
            raise TrackError(f"{expected}, frame {index} has the shape {points.shape}")
        if not np.isfinite(points).all():
            raise TrackError(f"{expected}, frame {index} holds NaN or infinity")
        faces.append(points)
    track = np.stack(faces)
    check_places(track)
    return track


def check_places(track: Points) -> None:
    """Raise if a point lies further from any picture than can be drawn."""
    far = np.abs(track).max(axis=(1, 2)) > MAX_PLACE_PIXELS
    if far.any():
        raise TrackError(
            f"frame {int(far.argmax())} holds a point that is not within {MAX_PLACE_PIXELS} pixels"
        )


def fit_track(track: Points, frames: int, frames_in_time: float | None = None) -> Points:
    """Bring a track to `frames` frames.

    `frames_in_time` says how many frames of the track play during the clip. What is beyond them
    is left out, what remains is stretched or squeezed. As published, without it, a longer track
    is cut after `frames` frames whatever their rate.
    """
    kept = frames if frames_in_time is None else max(1, round(frames_in_time))
    stacked = torch.from_numpy(np.ascontiguousarray(track[:kept], np.float32))
    rows = stacked.reshape(1, len(stacked), -1).transpose(1, 2)
    fitted = functional.interpolate(rows, size=frames, mode="linear", align_corners=False)
    return np.asarray(fitted[0].T.reshape(frames, *FACE_SHAPE).numpy(), np.float32)


def draw_face(points: Points, height: int, width: int) -> Picture:
    """Draw three points as the V that the guider was trained on [height, width, 3]."""
    canvas = np.zeros((height, width, 3), np.uint8)
    for eye in EYES:
        colour = [int(part * STICK_SHADE) for part in COLOURS[eye]]
        cv2.fillConvexPoly(canvas, _stick(points[eye], points[NOSE]), colour)
    for point, colour_of_point in zip(points, COLOURS, strict=True):
        centre = (int(point[0]), int(point[1]))
        cv2.circle(canvas, centre, RADIUS_PIXELS, colour_of_point, -1)
    return canvas


def draw_track(track: Points, height: int, width: int) -> NDArray[np.uint8]:
    """Draw every frame of a track [frames, height, width, 3]."""
    return np.stack([draw_face(face, height, width) for face in track])


def _stick(eye: Points, nose: Points) -> NDArray[np.int32]:
    """Corners of the narrow ellipse between two points."""
    x, y = (np.array([eye[axis], nose[axis]]) for axis in (0, 1))
    length = ((x[0] - x[1]) ** 2 + (y[0] - y[1]) ** 2) ** 0.5
    degrees = math.degrees(math.atan2(y[0] - y[1], x[0] - x[1]))
    centre = (int(np.mean(x)), int(np.mean(y)))
    axes = (int(length / 2), RADIUS_PIXELS)
    corners = cv2.ellipse2Poly(centre, axes, int(degrees), 0, FULL_TURN_DEGREES, 1)
    return np.asarray(corners, np.int32)
