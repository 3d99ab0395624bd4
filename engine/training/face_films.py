"""A film of a talking person as clips of one face, 25 frames a second, beside their sound."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from engine.api import Picture, Samples
from engine.audio import AudioReader
from engine.config import TIMING
from engine.film_reader import FFMPEG_ERRORS, DriverError, mean_rate_hz, open_film, upright_pictures
from engine.portrait.landmarks import POINTS, Face, FaceLandmarker, Floats, Region, cut_region
from engine.portrait.view import face_height
from engine.portrait.watcher import FaceFollower

MAX_SECONDS = 600.0  # of a film that are looked at
LONGEST_S, SHORTEST_S = 60.0, 1.0  # of a clip
_MARGIN = 1.5  # of what the face covers in the whole clip
_SIDES_PIXELS = (192, 256)  # of a clip: the larger one for faces that have the detail
_CUT_SHARE = 0.35  # of the face's size, by which no head moves between two frames
_GROWN = 1.4
_TIE_S = 0.001  # of two pictures that are equally near the earlier one is taken
_QUALITY = {"crf": "16", "preset": "veryfast"}


@dataclass(frozen=True, slots=True)
class WatchedFilm:
    """What was seen in a film at 25 frames a second; where no face was, its last place holds."""

    pictures: NDArray[np.int64]  # [frames] which picture of the film is shown
    points: Floats  # [frames, 478, 3] landmarks in its pixels
    present: NDArray[np.bool_]  # [frames]
    face_pixels: float  # forehead to chin, the median
    cuts: tuple[int, ...]  # frames that begin another scene


def watch_film(path: Path, landmarker: FaceLandmarker) -> WatchedFilm:
    """Follow the largest central face. Raises `DriverError`, also where there is none."""
    follower = FaceFollower(landmarker)
    times_s: list[float] = []
    faces: list[Face | None] = []
    with open_film(path) as container:
        try:
            for time_s, picture in upright_pictures(container, mean_rate_hz(container, path)):
                if time_s >= MAX_SECONDS:
                    break
                times_s.append(time_s)
                faces.append(follower.find(picture))
        except FFMPEG_ERRORS as error:
            raise DriverError(f"damaged: {error}") from error
    seen = [face for face in faces if face is not None]
    if not seen:
        raise DriverError(f"no face in any of {len(faces)} pictures")
    shown = shown_at_rate(np.array(times_s))
    kept = [faces[picture] for picture in shown]
    return WatchedFilm(
        shown,
        _held([None if face is None else face.points for face in kept], seen[0].points),
        np.array([face is not None for face in kept]),
        float(np.median([face_height(face) for face in seen])),
        tuple(_cuts(kept)),
    )


def shown_at_rate(times_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """Which of the pictures at these times is nearest to each 25th of a second."""
    times_s = np.maximum.accumulate(times_s - times_s[0])
    usual_s = float(np.median(np.diff(times_s))) if len(times_s) > 1 else TIMING.frame_s
    frames = max(round((float(times_s[-1]) + usual_s) * TIMING.frame_rate_hz), 1)
    wanted_s = np.arange(frames) * TIMING.frame_s
    borders = (times_s[1:] + times_s[:-1]) / 2 + _TIE_S
    return np.searchsorted(borders, wanted_s, side="right")


def clip_ranges(film: WatchedFilm) -> list[range]:
    """Frames of each clip: without cuts, with a face, neither too long nor too short."""
    longest, shortest = (round(limit_s / TIMING.frame_s) for limit_s in (LONGEST_S, SHORTEST_S))
    edges = [0, *film.cuts, len(film.present)]
    found = []
    for first, last in pairwise(edges):
        seen = first + np.flatnonzero(film.present[first:last])
        if len(seen):
            pieces = range(int(seen[0]), int(seen[-1]) + 1)
            found += [pieces[start : start + longest] for start in range(0, len(pieces), longest)]
    return [piece for piece in found if len(piece) >= shortest]


def clip_square(points: Floats) -> Region:
    """The square about a face [frames, 478, 3] in all its frames."""
    low, high = points[..., :2].min(axis=(0, 1)), points[..., :2].max(axis=(0, 1))
    side = float((high - low).max()) * _MARGIN
    centre = (low + high) / 2
    return Region(float(centre[0]), float(centre[1]), side, 0.0)


def clip_pixels(square: Region) -> int:
    """The side in which a square is kept."""
    return _SIDES_PIXELS[square.side >= _SIDES_PIXELS[-1]]


def points_in_square(points: Floats, square: Region) -> Floats:
    """Landmarks [frames, 478, 3] in pixels of the clip that is kept."""
    pixels = clip_pixels(square)
    scale = pixels / square.side
    moved = points * np.float32(scale)
    moved[..., :2] += pixels / 2 - scale * np.array([square.centre_x, square.centre_y])
    return moved.astype(np.float32)


def write_crops(path: Path, pictures: NDArray[np.int64], square: Region, target: Path) -> None:
    """Cut the square from the pictures [frames] of a film, and write them as a film."""
    pixels = clip_pixels(square)
    with av.open(str(target), "w", "mp4") as container:
        stream = container.add_stream("libx264", TIMING.frame_rate_hz, options=_QUALITY)
        context = stream.codec_context
        context.width = context.height = pixels
        context.pix_fmt, context.max_b_frames, context.thread_count = "yuv420p", 0, 1
        for number, picture in enumerate(_pictures(path, pictures)):
            tile = cut_region(picture, square, pixels)
            frame = av.VideoFrame.from_ndarray(tile, "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, TIMING.frame_rate_hz)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def read_sound(path: Path) -> Samples:
    """All sound of a film, 16 kHz mono, from the time of its first picture on.

    Raises `BadAudioError`.
    """
    late = _sound_late_s(path)
    with AudioReader(path) as reader:
        samples = np.concatenate([block.samples for block in reader.blocks()])
    count = round(abs(late) * TIMING.sample_rate_hz)
    return np.pad(samples, (count, 0)) if late > 0 else samples[count:]


def _sound_late_s(path: Path) -> float:
    with open_film(path) as container:
        starts = [
            float((stream.start_time or 0) * stream.time_base) if stream.time_base else 0.0
            for stream in (container.streams.video[0], *container.streams.audio[:1])
        ]
    return starts[-1] - starts[0]


def _pictures(path: Path, wanted: NDArray[np.int64]) -> Iterator[Picture]:
    """The pictures with these rising numbers, each as often as it is named."""
    counts = np.bincount(wanted)
    with open_film(path) as container:
        upright = upright_pictures(container, mean_rate_hz(container, path))
        for count, (_, picture) in zip(counts, upright, strict=False):
            for _ in range(count):
                yield picture


def _held(found: list[Floats | None], first: Floats) -> Floats:
    points = np.empty((len(found), POINTS, 3), np.float32)
    for place, one in enumerate(found):
        points[place] = first = first if one is None else one
    return points


def _cuts(faces: list[Face | None]) -> Iterator[int]:
    before: Region | None = None
    for place, face in enumerate(faces):
        if face is None:
            continue
        region = face.region
        if before is not None and _jumped(before, region):
            yield place
        before = region


def _jumped(before: Region, after: Region) -> bool:
    apart = np.hypot(before.centre_x - after.centre_x, before.centre_y - after.centre_y)
    small, large = sorted((before.side, after.side))
    return bool(apart > _CUT_SHARE * small or large > _GROWN * small)
