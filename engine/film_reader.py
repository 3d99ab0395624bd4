"""Reads films of people: any container, upright, with the time of each picture. No torch."""

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import av
import numpy as np

from engine.api import AvatarError, Picture

FFMPEG_ERRORS = (av.FFmpegError, OSError, ValueError)
EXPECTED = "expected a film as MP4, MOV, MKV or WebM"
_MAX_RATE_HZ = 120.0  # what a film claims beyond that is no rate of pictures
_QUARTER_TURN_DEGREES = 90


class DriverError(AvatarError):
    """A film that nobody can be followed in."""


def open_film(path: Path) -> "av.container.InputContainer":
    """Open a film, to be used in a `with`. Raises `DriverError`."""
    if not path.is_file():
        raise DriverError(f"{path}: no such file, {EXPECTED}")
    try:
        container = av.open(str(path.resolve()), options={"protocol_whitelist": "file"})
    except FFMPEG_ERRORS as error:
        raise DriverError(f"{path}: cannot be read ({error}), {EXPECTED}") from error
    if not container.streams.video:
        container.close()
        raise DriverError(f"{path}: has no picture, {EXPECTED}")
    return container


def mean_rate_hz(container: "av.container.InputContainer", path: Path) -> float:
    """Pictures in a second, as the film says. Raises `DriverError`."""
    stream = container.streams.video[0]
    rate_hz = min(float(stream.average_rate or stream.guessed_rate or 0), _MAX_RATE_HZ)
    if rate_hz <= 0:
        raise DriverError(f"{path}: does not say its frame rate, {EXPECTED}")
    return rate_hz


def upright_pictures(
    container: "av.container.InputContainer", rate_hz: float
) -> Iterator[tuple[float, Picture]]:
    """Seconds from the first picture on, and each picture as it is to be seen."""
    first_s: float | None = None
    for index, frame in enumerate(container.decode(video=0)):
        time_s = index / rate_hz if frame.pts is None else frame.time
        first_s = time_s if first_s is None else first_s
        stored = frame.to_ndarray(format="rgb24")
        turns = round(frame.rotation / _QUARTER_TURN_DEGREES)  # as phones note them down
        yield time_s - first_s, cast("Picture", np.ascontiguousarray(np.rot90(stored, turns)))
