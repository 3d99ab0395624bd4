"""Head motion to follow: a track of face points from a file or from a film."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import cast

import av
import numpy as np
from numpy.typing import NDArray

from engine.api import AvatarError, Picture
from engine.portrait.landmarks import FaceLandmarker
from engine.vexpress.keypoints import follow_points
from engine.vexpress.kps import Points, TrackError

_FFMPEG_ERRORS = (av.FFmpegError, OSError, ValueError)
EXPECTED = "expected a film as MP4, MOV, MKV or WebM"
MAX_RATE_HZ = 120.0  # what a film claims beyond that is no rate of pictures
QUARTER_TURN_DEGREES = 90
SAME_FRAME = 0.1  # of a frame: films round their times


class DriverError(AvatarError):
    """A film that nobody can be followed in."""


@dataclass(frozen=True, slots=True)
class Track:
    """Face points in time."""

    points: Points  # [frames, 3, 2]
    frame_rate_hz: float


def follow_film(
    path: Path,
    landmarker: FaceLandmarker,
    size: tuple[int, int],
    duration_s: float,
    least_frames: int = 1,
) -> Track:
    """Follow the face in the first `duration_s` of a film, at least for `least_frames`.

    Frames are turned upright and resized to `size`, height and width, as the portrait is. Where
    they are unevenly spaced in time, their points are brought to the film's mean rate.
    """
    with _opened(path) as container:
        stream = container.streams.video[0]
        rate_hz = min(float(stream.average_rate or stream.guessed_rate or 0), MAX_RATE_HZ)
        if rate_hz <= 0:
            raise DriverError(f"{path}: does not say its frame rate, {EXPECTED}")
        times_s: list[float] = []

        def wanted() -> Iterator[Picture]:
            for index, (time_s, picture) in zip(count(), _pictures(container, rate_hz)):
                if index >= least_frames and time_s >= duration_s:
                    return
                times_s.append(time_s)
                yield picture

        try:
            points = list(follow_points(landmarker, wanted(), *size))
        except TrackError as error:
            raise DriverError(f"{path}: {error}") from error
        except _FFMPEG_ERRORS as error:
            raise DriverError(f"{path}: damaged ({error})") from error
    if not points:
        raise DriverError(f"{path}: holds no picture, {EXPECTED}")
    return Track(_evenly(np.stack(points), np.array(times_s), rate_hz), rate_hz)


def _evenly(points: Points, times_s: NDArray[np.float64], rate_hz: float) -> Points:
    """Points [frames, 3, 2] seen at `times_s`, as they are every 1 / `rate_hz` seconds."""
    places = np.maximum.accumulate(times_s) * rate_hz  # in frames; a film may step back in time
    frames = round(places[-1]) + 1
    if frames == len(points) and np.abs(places - np.arange(frames)).max() < SAME_FRAME:
        return points
    flat = points.reshape(len(points), -1)
    columns = [np.interp(np.arange(frames), places, column) for column in flat.T]
    return np.stack(columns, axis=1).reshape(frames, *points.shape[1:]).astype(np.float32)


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


def _pictures(
    container: "av.container.InputContainer", rate_hz: float
) -> Iterator[tuple[float, Picture]]:
    """Seconds from the first picture on, and each picture as it is to be seen."""
    first_s: float | None = None
    for index, frame in enumerate(container.decode(video=0)):
        time_s = index / rate_hz if frame.pts is None else frame.time
        first_s = time_s if first_s is None else first_s
        stored = frame.to_ndarray(format="rgb24")
        turns = round(frame.rotation / QUARTER_TURN_DEGREES)  # as phones note them down
        yield time_s - first_s, cast("Picture", np.ascontiguousarray(np.rot90(stored, turns)))
