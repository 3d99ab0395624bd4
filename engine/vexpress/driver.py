"""Head motion to follow: a track of face points from a file or from a film."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.api import Picture
from engine.film_reader import (
    EXPECTED,
    FFMPEG_ERRORS,
    DriverError,
    mean_rate_hz,
    open_film,
    upright_pictures,
)
from engine.portrait.landmarks import FaceLandmarker
from engine.vexpress.keypoints import follow_points
from engine.vexpress.kps import Points, TrackError

__all__ = ["DriverError", "Track", "follow_film"]

SAME_FRAME = 0.1  # of a frame: films round their times


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
    with open_film(path) as container:
        rate_hz = mean_rate_hz(container, path)
        times_s: list[float] = []

        def wanted() -> Iterator[Picture]:
            for index, (time_s, picture) in zip(count(), upright_pictures(container, rate_hz)):
                if index >= least_frames and time_s >= duration_s:
                    return
                times_s.append(time_s)
                yield picture

        try:
            points = list(follow_points(landmarker, wanted(), *size))
        except TrackError as error:
            raise DriverError(f"{path}: {error}") from error
        except FFMPEG_ERRORS as error:
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
