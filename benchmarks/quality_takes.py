"""What is said before the camera to judge an engine, and how it is filmed."""

import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Self, TypeVar

import cv2
import numpy as np

from benchmarks.filming import EngineProcess, Take
from benchmarks.phoned_speech import TRAINED_VOICES, UNHEARD_VOICES, PhonedSpeech, phoned_speech
from benchmarks.tracking import Track, Watcher
from engine.api import Picture, Samples
from engine.config import TIMING
from engine.training.corpus import TalkingClip

Outcome = TypeVar("Outcome")

QUIET_DB = -18.0
KEPT_PIXELS = 192
_ROOM_NOISE = 0.001  # root mean square, -60 dB of full scale
_GAP_S = 0.3


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is filmed."""

    clips: int | None  # None is all
    clip_s: float  # what is longer is cut
    portraits: int
    voices: tuple[str, ...]
    languages: int
    quiet_clips: int
    speech_s: float  # before the silence
    silence_s: float
    watched_s: float  # half of it speech, to count blinks and see the head move
    size: int  # pixels of the frames


FULL = Plan(None, 10.0, 2, TRAINED_VOICES + UNHEARD_VOICES, 3, 6, 8.0, 10.0, 120.0, 512)
QUICK = Plan(2, 3.0, 1, UNHEARD_VOICES[:1], 1, 1, 2.0, 2.0, 4.0, 256)


@dataclass(frozen=True, slots=True)
class Material:
    """Everything that is said, by the name of its take."""

    clips: Mapping[str, TalkingClip]
    voices: Mapping[str, PhonedSpeech]
    takes: Mapping[str, Sequence[Take]]  # by kind: clips, voices, quiet, pause, still, watched
    silence_s: float  # at the end of each pause


@dataclass(frozen=True, slots=True)
class Performance:
    """A take as it was seen."""

    take: Take
    track: Track
    chunk_frames: int
    ms_per_frame: float | None
    kept: Mapping[int, Picture] = field(repr=False)  # a few frames, made small


def material(clips: Sequence[TalkingClip], plan: Plan, portraits: Sequence[str]) -> Material:
    """Choose what is said from held-out clips and made-up voices."""
    chosen = _spread_out(clips, plan.clips)
    cut = {clip.name: _cut(clip, plan.clip_s) for clip in chosen}
    spoken = {
        f"{one.language}+{one.voice}": one for one in phoned_speech(plan.voices, plan.languages)
    }
    speech = np.concatenate([np.pad(one.samples, (0, _samples(_GAP_S))) for one in spoken.values()])
    noise = np.random.default_rng(1).normal(0, _ROOM_NOISE, _samples(plan.watched_s))
    noise = noise.astype(np.float32)
    paused = np.concatenate([_first(speech, plan.speech_s), noise[: _samples(plan.silence_s)]])
    half_s = plan.watched_s / 2
    watched = np.concatenate([_first(speech, half_s), noise[: _samples(half_s)]])
    says = {name: clip.samples for name, clip in cut.items()}
    quiet = list(cut)[:: max(1, len(cut) // plan.quiet_clips)][: plan.quiet_clips]
    alternate = dict(zip(says, cycle(portraits)))
    takes = {
        "clips": [Take(name, alternate[name], sound) for name, sound in says.items()],
        "voices": [
            Take(name, portrait, one.samples)
            for (name, one), portrait in zip(spoken.items(), cycle(portraits))
        ],
        "quiet": [
            Take(f"{name}, quiet", alternate[name], says[name] * np.float32(10 ** (QUIET_DB / 20)))
            for name in quiet
        ],
        "pause": [Take(f"{name}, pause", name, paused) for name in portraits],
        "still": [Take(f"{name}, still", name, paused, strength=0.0) for name in portraits],
        "watched": [Take(f"{name}, watched", name, watched, seed=2) for name in portraits],
    }
    return Material(cut, spoken, takes, plan.silence_s)


class Studio:
    """As many processes of one engine as may work at a time."""

    def __init__(self, folder: Path, cache: Path, size: int, jobs: int) -> None:
        self._open = ExitStack()
        self._free: SimpleQueue[EngineProcess] = SimpleQueue()
        for _ in range(jobs):
            self._free.put(self._open.enter_context(EngineProcess(folder, cache, size)))
        self._workers = self._open.enter_context(ThreadPoolExecutor(jobs))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.__exit__(kind, error, trace)

    def each(
        self, work: Callable[[EngineProcess, Take], Outcome], takes: Sequence[Take], title: str
    ) -> list[Outcome]:
        """What `work` makes of each take, in their order; progress goes to standard error."""
        told = Told(title, len(takes))

        def one(take: Take) -> Outcome:
            process = self._free.get()
            try:
                outcome = work(process, take)
            finally:
                self._free.put(process)
            told.done(take.name)
            return outcome

        return list(self._workers.map(one, takes))

    def perform(
        self, takes: Sequence[Take], title: str, keep: Mapping[str, Sequence[int]]
    ) -> list[Performance]:
        """Film and watch takes; of each take keep the frames named in `keep`."""
        return self.each(
            lambda process, take: _perform(process, take, frozenset(keep.get(take.name, ()))),
            takes,
            title,
        )


class Told:
    """Progress on standard error, from any thread."""

    def __init__(self, title: str, total: int) -> None:
        self._title, self._total, self._done = title, total, 0
        self._lock = threading.Lock()

    def done(self, name: str) -> None:
        """Say that one more is there."""
        with self._lock:
            self._done += 1
            print(f"{self._title} {self._done}/{self._total}: {name}", file=sys.stderr, flush=True)


def _perform(process: EngineProcess, take: Take, keep: frozenset[int]) -> Performance:
    watcher, kept = Watcher(), dict[int, Picture]()
    for number, picture in enumerate(process.film(take)):
        watcher.look(picture)
        if number in keep:
            kept[number] = small(picture)
    return Performance(take, watcher.track(), process.chunk_frames, process.ms_per_frame, kept)


def small(picture: Picture) -> Picture:
    """A picture [192, 192, 3] of the middle square of another."""
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = picture[top : top + side, left : left + side]
    size = (KEPT_PIXELS, KEPT_PIXELS)
    return np.asarray(cv2.resize(square, size, interpolation=cv2.INTER_AREA), np.uint8)


def _cut(clip: TalkingClip, longest_s: float) -> TalkingClip:
    frames = min(len(clip.mouth), round(longest_s * TIMING.frame_rate_hz))
    sound = clip.samples[: frames * TIMING.samples_per_frame]
    return TalkingClip(clip.name, clip.identity, clip.kind, sound, clip.mouth[:frames])


def _spread_out(clips: Sequence[TalkingClip], count: int | None) -> list[TalkingClip]:
    if count is None or count >= len(clips):
        return list(clips)
    return [clips[place] for place in np.linspace(0, len(clips) - 1, count).round().astype(int)]


def _samples(seconds: float) -> int:
    """Samples of whole frames."""
    return round(seconds * TIMING.frame_rate_hz) * TIMING.samples_per_frame


def _first(speech: Samples, seconds: float) -> Samples:
    """The first seconds of speech, again from its beginning where it ends."""
    return np.resize(speech, _samples(seconds))
