"""Head motion to follow: a track of face points from a file or from a film."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import cast

import av
import numpy as np

from engine.api import AvatarError, Picture
from engine.portrait.landmarks import FaceLandmarker
from engine.vexpress.keypoints import follow_points
from engine.vexpress.kps import Points, TrackError

_FFMPEG_ERRORS = (av.FFmpegError, OSError, ValueError)
EXPECTED = "expected a film as MP4, MOV, MKV or WebM"


class DriverError(AvatarError):
    """A film that nobody can be followed in."""


@dataclass(frozen=True, slots=True)
class Track:
    """Face points in time."""

    points: Points  # [frames, 3, 2]
    frame_rate_hz: float


def follow_film(
    path: Path, landmarker: FaceLandmarker, height: int, width: int, duration_s: float
) -> Track:
    """Follow the face in the first `duration_s` of a film, its frames resized as the portrait."""
    with _opened(path) as container:
        stream = container.streams.video[0]
        rate_hz = float(stream.average_rate or 0)
        if rate_hz <= 0:
            raise DriverError(f"{path}: does not say its frame rate, {EXPECTED}")
        wanted = max(1, round(duration_s * rate_hz))
        try:
            frames = islice(_pictures(container), wanted)
            points = list(follow_points(landmarker, frames, height, width))
        except TrackError as error:
            raise DriverError(f"{path}: {error}") from error
        except _FFMPEG_ERRORS as error:
            raise DriverError(f"{path}: damaged ({error})") from error
    if not points:
        raise DriverError(f"{path}: holds no picture, {EXPECTED}")
    return Track(np.stack(points), rate_hz)


def _opened(path: Path) -> "av.container.InputContainer":
    if not path.is_file():
        raise DriverError(f"{path}: no such file, {EXPECTED}")
    try:
        container = av.open(str(path.resolve()), options={"protocol_whitelist": "file"})
    except _FFMPEG_ERRORS as error:
        raise DriverError(f"{path}: cannot be read ({error}), {EXPECTED}") from error
    if not container.streams.video:
        container.close()
        raise DriverError(f"{path}: has no picture, {EXPECTED}")
    return container


def _pictures(container: "av.container.InputContainer") -> Iterator[Picture]:
    for frame in container.decode(video=0):
        yield cast("Picture", frame.to_ndarray(format="rgb24"))
