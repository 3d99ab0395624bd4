"""A portrait and a sound file to a film, in flat memory: the live engine without the network."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from engine.api import (
    Avatar,
    Engine,
    Picture,
    PortraitOptions,
    Stream,
    StreamOptions,
    Unit,
)
from engine.audio import AudioReader
from engine.config import TIMING
from engine.direction import Direction
from engine.picture import read_picture_file
from engine.portraits import bundled_portrait_path
from engine.script import Script
from engine.video import FilmError, FilmWriter, check_target


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What to make of what."""

    portrait: Path  # a picture file, or the name of a bundled portrait
    sound: Path
    target: Path
    portrait_options: PortraitOptions
    stream_options: StreamOptions
    direction: Direction = field(default_factory=Direction)
    script: Callable[[Avatar], Script] | None = None  # made once the avatar is known


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a film is."""

    frames: int
    total_frames: int | None  # None: the sound file does not say how long it is


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came out, and what it took."""

    frames: int
    seconds: float  # of film
    width: int
    height: int
    engine_ms_per_frame: float  # of wall time inside the engine
    realtime_factor: float  # seconds of film per second of rendering and encoding
    load_s: float
    prepare_s: float
    render_s: float
    peak_rss_mb: float | None  # of this process, from its start; None where nobody tells
    silent: bool  # nothing could be heard, the portrait only idles
    damaged_packets: int  # of the sound file, skipped


@dataclass(slots=True)
class _Watch:
    """Adds up the time between `start` and `stop`."""

    now_s: Callable[[], float]
    total_s: float = 0.0
    _since_s: float = field(default=0.0, init=False)

    def __enter__(self) -> None:
        self._since_s = self.now_s()

    def __exit__(self, *_: object) -> None:
        self.total_s += self.now_s() - self._since_s


def make_film(
    load_engine: Callable[[], Engine],
    job: Job,
    show: Callable[[Progress], None],
    now_s: Callable[[], float] = time.perf_counter,
) -> Report:
    """Make the film of `job`. Raises `AvatarError`; then no file is left under the final name.

    What was given is looked at before the engine is loaded, so that mistakes show at once.
    """
    check_target(job.target)
    picture = read_portrait(job.portrait)
    loading, preparing, rendering, thinking = (_Watch(now_s) for _ in range(4))
    with AudioReader(job.sound) as reader:
        if job.target.exists() and job.target.samefile(job.sound):
            raise FilmError(f"{job.target}: is the sound itself, expected another name")
        with loading:
            engine = load_engine()
        with preparing:
            avatar = engine.prepare(picture, job.portrait_options)
        height, width = avatar.still.shape[:2]
        with rendering, FilmWriter(job.target, width, height, reader.sound) as film:
            script = None if job.script is None else job.script(avatar)
            stream = engine.open(avatar, replace(job.stream_options, script=script))
            try:
                stream.direct(job.direction)
                frames = _perform(reader, stream, film, show, thinking)
            finally:
                stream.close()
    seconds = frames * TIMING.frame_s
    return Report(
        frames=frames,
        seconds=seconds,
        width=width,
        height=height,
        engine_ms_per_frame=1000 * thinking.total_s / frames,
        realtime_factor=seconds / rendering.total_s,
        load_s=loading.total_s,
        prepare_s=preparing.total_s,
        render_s=rendering.total_s,
        peak_rss_mb=peak_rss_mb(),
        silent=reader.is_silent,
        damaged_packets=reader.damaged_packets,
    )


def _perform(
    reader: AudioReader,
    stream: Stream,
    film: FilmWriter,
    show: Callable[[Progress], None],
    thinking: _Watch,
) -> int:
    """Let the stream speak the whole file into the film; return the number of frames."""
    duration_s = reader.sound.duration_s
    total = None if duration_s is None else max(1, round(duration_s * TIMING.frame_rate_hz))
    frames = 0

    def write(units: list[Unit]) -> int:
        for unit in units:
            film.write_picture(unit.picture)
        show(Progress(frames + len(units), total))
        return frames + len(units)

    for block in reader.blocks():
        film.write_sound(block.original)
        with thinking:
            units = stream.push(block.samples)
        frames = write(units)
    with thinking:
        units = stream.flush()
    return write(units)


def read_portrait(portrait: Path) -> Picture:
    """Read a picture file, or a bundled portrait by its name. Raises `BadPictureError`."""
    bundled = None if portrait.exists() else bundled_portrait_path(str(portrait))
    return read_picture_file(bundled or portrait)


def peak_rss_mb() -> float | None:
    """Tell the most memory that this process ever held, in MiB."""
    if sys.platform == "win32":
        return None
    import resource  # noqa: PLC0415  Windows has no such module

    per_mib = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / per_mib
