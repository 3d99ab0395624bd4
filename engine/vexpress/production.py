"""A portrait and a sound file to a film, by the published model."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engine.api import AvatarError, Picture
from engine.audio import AudioReader, Sound, Waveform
from engine.badge import BadgePainter
from engine.offline import peak_rss_mb, read_portrait
from engine.portrait.landmarks import FaceLandmarker
from engine.vexpress.audio_frontend import SAMPLE_RATE_HZ, to_speech_rate
from engine.vexpress.drawn_noise import DrawnNoise
from engine.vexpress.driver import Track, follow_film
from engine.vexpress.exact_clip import check_streamable
from engine.vexpress.film import RatedFilmWriter
from engine.vexpress.head_film import read_head_film
from engine.vexpress.images import LATENT_PIXELS, check_size
from engine.vexpress.keypoints import find_face, find_points
from engine.vexpress.kps import Points, TrackError, check_places, fit_track, read_track
from engine.vexpress.pipeline import (
    ClipInputs,
    Manner,
    Show,
    clip_noise,
    finish,
    prepare,
    sample,
    sample_streamed,
)
from engine.vexpress.quirks import Quirk, Quirks
from engine.vexpress.retarget import Strategy, retarget
from engine.vexpress.sampling import ClipConditions, Sampling
from engine.vexpress.scheduler import Scheduler
from engine.vexpress.slots import Networks
from engine.vexpress.solid_face import SolidFace
from engine.vexpress.windows import Clip, ClipRules, plan_clip
from engine.video import FilmError, check_target

MIB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipJob:
    """What to make of what."""

    portrait: Path  # a picture file, or the name of a bundled portrait
    sound: Path
    target: Path
    strategy: Strategy = Strategy.FIX_FACE
    track: Path | None = None  # face points, by the published tool
    track_rate_hz: float | None = None  # as the film's, unless told
    film: Path | None = None  # a face to follow, in place of a track
    portrait_points: Path | None = None  # a track of one frame; else they are found
    height: int = 512
    width: int = 512
    frame_rate_hz: float = 30.0
    seed: int = 42
    sampling: Sampling = field(default_factory=Sampling)
    streamed: bool = False  # sampled along a front, and finished meanwhile
    manner: Manner = field(default_factory=Manner)
    quirks: Quirks = frozenset()
    badge: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipReport:
    """What came out, and what it took."""

    frames: int
    frame_rate: float
    seconds: float  # of film
    width: int
    height: int
    prepare_s: float
    sample_s: float  # of a streamed clip nothing:
    finish_s: float  # it is sampled while it is finished
    peak_rss_mb: float | None  # of this process
    peak_device_mb: float | None  # of its accelerator, if there is one


class NotFiniteError(AvatarError):
    """The networks went out of the range of their numbers."""


@dataclass(frozen=True, slots=True)
class _Heard:
    """A whole sound file."""

    sound: Sound
    waveform: Waveform  # [channels, samples] at the rate of `sound`
    speech: torch.Tensor  # [samples] 16 kHz


@dataclass(slots=True)
class _Times:
    """Seconds of each part."""

    now_s: Callable[[], float]
    parts: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def of(self, part: str) -> Iterator[None]:
        """Count the time inside the `with`."""
        start_s = self.now_s()
        yield
        self.parts[part] = self.now_s() - start_s


def make_clip(
    networks: Networks,
    scheduler: Scheduler,
    job: ClipJob,
    show: Show,
    now_s: Callable[[], float] = time.perf_counter,
) -> ClipReport:
    """Make the film of `job`. Raises `AvatarError`; then no file is left under the final name.

    Files are read and faces found before any network is loaded, so that mistakes show at once.
    """
    times = _Times(now_s)
    heard, clip, inputs = read_inputs(job)
    with times.of("prepare"):
        conditions = prepare(networks, inputs, job.manner, show)
    with times.of("sample"):
        latents = _latents(networks, scheduler, conditions, inputs, job, show)
    with times.of("finish"):
        pictures = finish(networks, latents, clip.frames, job.manner, show)
        _write(job, clip, heard, pictures)
    return ClipReport(
        frames=clip.frames,
        frame_rate=float(clip.frame_rate_hz),
        seconds=float(clip.frames / clip.frame_rate_hz),
        width=job.width,
        height=job.height,
        prepare_s=times.parts["prepare"],
        sample_s=times.parts["sample"],
        finish_s=times.parts["finish"],
        peak_rss_mb=peak_rss_mb(),
        peak_device_mb=_peak_device_mb(networks.denoising_unet.device),
    )


def _latents(
    networks: Networks,
    scheduler: Scheduler,
    conditions: ClipConditions,
    inputs: ClipInputs,
    job: ClipJob,
    show: Show,
) -> Iterable[Tensor]:
    """The clip's latents: all there, or as they come."""
    if job.streamed:
        sides = (job.height // LATENT_PIXELS, job.width // LATENT_PIXELS)
        noise = DrawnNoise(len(inputs.track), *sides, job.seed)
        return _finite(sample_streamed(networks, scheduler, conditions, noise, job.sampling, show))
    drawn = clip_noise(inputs, job.seed)
    return [*_finite([sample(networks, scheduler, conditions, drawn, job.sampling, show)])]


def _finite(parts: Iterable[Tensor]) -> Iterator[Tensor]:
    for part in parts:
        if not torch.isfinite(part).all():
            raise NotFiniteError(
                "the networks gave numbers that are not finite; expected other weights, or "
                "--dtype bf16 or fp32"
            )
        yield part


def measure_sound(job: ClipJob) -> tuple[Clip, int]:
    """The clip for the sound of `job`, and how many samples at 16 kHz it has."""
    samples = len(_hear(job.sound).speech)
    return _clip(job, samples), samples


def read_inputs(job: ClipJob) -> tuple[_Heard, Clip, ClipInputs]:
    """Read all that was given and find the face points of every frame."""
    check_target(job.target)
    _keep_what_was_given(job)
    check_size(job.height, job.width)
    portrait = read_portrait(job.portrait)
    heard = _hear(job.sound)
    clip = _clip(job, len(heard.speech))
    track = _points(job, portrait, clip)
    inputs = ClipInputs(
        portrait=portrait, speech=heard.speech, track=track, height=job.height, width=job.width
    )
    return heard, clip, inputs


def _keep_what_was_given(job: ClipJob) -> None:
    """Raise if the film would take the place of a file that it is made from."""
    for path in (job.portrait, job.sound, job.film, job.track, job.portrait_points):
        both_exist = path is not None and path.exists() and job.target.exists()
        if path is not None and both_exist and job.target.samefile(path):
            raise FilmError(f"{job.target}: is read to make the film, expected another name")


def _clip(job: ClipJob, samples: int) -> Clip:
    rules = ClipRules(
        cut=Quirk.CLIP_CUT in job.quirks, refuse_short=Quirk.SHORT_AUDIO_FAILS in job.quirks
    )
    clip = plan_clip(samples, SAMPLE_RATE_HZ, job.frame_rate_hz, job.sampling.window, rules)
    if job.streamed:
        check_streamable(job.sampling, clip.frames)
    return clip


def _hear(path: Path) -> _Heard:
    with AudioReader(path) as reader:
        waveform = np.concatenate([block.original for block in reader.blocks()], axis=1)
        sound = reader.sound
    speech = to_speech_rate(torch.from_numpy(waveform), sound.rate_hz)
    return _Heard(sound, waveform, speech)


def _points(job: ClipJob, portrait: Picture, clip: Clip) -> Points:
    """Face points of every frame, as they shall be drawn."""
    landmarker = FaceLandmarker()
    if job.portrait_points is None:
        own = find_points(landmarker, portrait, job.height, job.width)
    else:
        own = _single(job.portrait_points)
    if job.film is not None and job.strategy is Strategy.POSE_RETARGET:
        face = find_face(landmarker, portrait, job.height, job.width)
        solid = SolidFace.of_face(own, face, job.width, job.height)
        film = read_head_film(job.film, float(clip.frames / clip.frame_rate_hz))
        return _checked(film.move(solid, clip.frames, clip.frame_rate_hz))
    fitted = np.repeat(own[None], clip.frames, axis=0)
    if job.strategy.needs_track or Quirk.UNUSED_TRACK_OPENED in job.quirks:
        track = _track(job, landmarker, clip)
        if track is not None:
            fitted = _fit(track, clip, cut=Quirk.TRACK_CUT in job.quirks)
        elif job.strategy.needs_track:
            raise TrackError(f"{job.strategy}: needs a track of face points or a film to follow")
    published_frame = Quirk.RETARGET_FRAME in job.quirks
    return _checked(retarget(job.strategy, own, fitted, published_frame=published_frame))


def _checked(track: Points) -> Points:
    check_places(track)
    return track


def _single(path: Path) -> Points:
    track = read_track(path)
    if len(track) != 1:
        raise TrackError(f"{path}: {len(track)} faces, expected the one of the portrait")
    face: Points = track[0]
    return face


def _track(job: ClipJob, landmarker: FaceLandmarker, clip: Clip) -> Track | None:
    if job.film is not None:
        duration_s = float(clip.frames / clip.frame_rate_hz)
        least = clip.frames if Quirk.TRACK_CUT in job.quirks else 1
        return follow_film(job.film, landmarker, (job.height, job.width), duration_s, least)
    if job.track is None:
        return None
    return Track(read_track(job.track), job.track_rate_hz or job.frame_rate_hz)


def _fit(track: Track, clip: Clip, *, cut: bool) -> Points:
    duration_s = float(clip.frames / clip.frame_rate_hz)
    in_time = None if cut else duration_s * track.frame_rate_hz
    return fit_track(track.points, clip.frames, in_time)


def _write(job: ClipJob, clip: Clip, heard: _Heard, pictures: Iterator[Picture]) -> None:
    badge = BadgePainter(job.width, job.height) if job.badge else None
    size = (job.height, job.width)
    with RatedFilmWriter(job.target, size, heard.sound, clip.frame_rate_hz) as film:
        for index, picture in enumerate(pictures):
            if badge is not None:
                badge.paint(picture)
            film.write_beside(picture, heard.waveform, last=index + 1 == clip.frames)


def _peak_device_mb(device: torch.device) -> float | None:
    return torch.cuda.max_memory_allocated(device) / MIB if device.type == "cuda" else None
