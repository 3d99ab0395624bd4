"""Portraits that are told what to do, filmed for `benchmarks.control`."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from benchmarks.control import (
    BlinkTiming,
    Following,
    blink_timing,
    following,
    lips_follow,
    opening_range,
    seam_ratio,
)
from benchmarks.tracking import Film, Track, Watcher
from engine.api import Avatar, Engine, Picture, PortraitOptions, Samples, StreamOptions
from engine.config import TIMING
from engine.direction import LIMITS, Direction
from engine.portrait.channels import CHANNELS
from engine.portrait.engine import load_engine
from engine.portrait.reference_video import ReferenceVideo, drive_avatar, read_reference_video
from engine.portrait.seamless import Loop
from engine.portraits import bundled_portraits
from engine.script import Script
from engine.training.corpus import TalkingClip, read_corpus

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0)
COLUMNS = 8
THUMB_PIXELS = 160
_PORTRAIT, _SIZE = "astronaut", 384
_LEAST_S, _MOST_S = 6.0, 12.0
_MOST_FRAMES = round(_MOST_S * TIMING.frame_rate_hz)
_SHORT_FRAMES, _LOOPS = 50, 4  # of a driver that is shorter than the sound
_MOVES_DEGREES = 1.5  # a head whose angle strays less has nothing to be followed in
_TILT_DEGREES, _SHRINK = 5.0, 0.93  # as which a film is looked at a second time


@dataclass(frozen=True, slots=True)
class Axis:
    """How one angle of the driver is followed, and how alike the landmarks find it to itself.

    `ceiling` compares the film with the same film tilted and made a little smaller: what differs is
    the trembling of the landmarks, which a portrait shows too, and once more.
    """

    found: Following
    ceiling: float


@dataclass(frozen=True, slots=True)
class DrivenTake:
    """One portrait driven by one film."""

    name: str
    driver: Track
    output: Track
    yaw: Axis | None  # None: the driver hardly moves so
    pitch: Axis | None
    lids: Following
    blinks: BlinkTiming
    same_blinks: BlinkTiming  # found again in the film itself, looked at a second time
    lips_alone: float  # correlation with the sound's level, without the film
    lips_driven: float
    seam: float  # of the loop while the portrait speaks
    silent_seam: float  # lips that move pull at the landmarks; here they do not
    rows: tuple[list[Picture], list[Picture]]  # driver and portrait


class ControlStudio:
    """One engine and one portrait."""

    def __init__(self, corpus: Path, cache: Path) -> None:
        self._corpus, self._engine = corpus, load_engine("cpu", cache)
        self.avatar = _avatar(self._engine)
        clips = read_corpus(corpus, "eval", cache)
        self._speech: TalkingClip = max(clips, key=lambda clip: clip.seconds)

    def film(
        self, samples: Samples, script: Script | None = None, direction: Direction | None = None
    ) -> Iterator[Picture]:
        """The frames of a sound, spoken as directed, one after the other."""
        options = StreamOptions(seed=1, badge=False, script=script)
        stream = self._engine.open(self.avatar, options)
        stream.direct(direction or Direction())
        size = TIMING.samples_per_frame
        for first in range(0, len(samples), size):
            for unit in stream.push(samples[first : first + size]):
                yield unit.picture
        for unit in stream.flush():
            yield unit.picture
        stream.close()

    def shot(self, direction: Direction, gesture: str | None = None, frame: int = 2) -> Picture:
        """A small picture of one frame in silence, as directed, badge and all."""
        stream = self._engine.open(self.avatar, StreamOptions(seed=3))
        stream.direct(direction)
        if gesture is not None:
            stream.gesture(gesture)
        frames = frame + 1 + stream.look_ahead_frames
        units = stream.push(np.zeros(frames * TIMING.samples_per_frame, np.float32))
        stream.close()
        return _thumb(units[frame].picture)

    def speech(self, frames: int) -> Samples:
        """A held-out voice, said again from its beginning as long as needed."""
        return np.resize(self._speech.samples, frames * TIMING.samples_per_frame)

    def drivers(self, most: int) -> list[str]:
        """Films of different people in which somebody can be followed."""
        entries = json.loads((self._corpus / "index.json").read_text())["clips"]
        chosen: dict[str, str] = {}
        for entry in entries:
            fits = entry["role"] == "eval" and entry["seconds"] >= _LEAST_S
            if fits and entry["kind"] == "real" and "grid" not in entry["name"]:
                chosen.setdefault(entry["identity"], entry["name"])
        return list(chosen.values())[:most]

    def drive(self, name: str) -> DrivenTake:
        """Let one film drive the portrait, and measure both. Raises `FilmError`, `DriverError`."""
        path = self._corpus / f"{name}.mp4"
        driver, again, row = _looked_at_twice(Film(path).pictures(_MOST_FRAMES))
        samples = self.speech(len(driver.seen))
        video = read_reference_video(path, _MOST_S)
        script = Script(driver=drive_avatar(video, self.avatar, is_own=False))
        output, driven = _looked_at(self.film(samples, script))
        alone, _ = _looked_at(self.film(samples))
        tracks = driver, again, output
        return DrivenTake(
            name,
            driver,
            output,
            _axis(tracks, 0),
            _axis(tracks, 1),
            following(driver.lids, output.lids),
            blink_timing(driver.lids, output.lids),
            blink_timing(driver.lids, again.lids),
            lips_follow(alone, samples),
            lips_follow(output, samples),
            *self._seams(replace(video, measures=video.measures[:_SHORT_FRAMES])),
            (row, driven),
        )

    def trembling_degrees(self) -> tuple[float, float]:
        """How far yaw and pitch of a head that is held still seem to stray while it speaks."""
        still = np.zeros(CHANNELS, np.float32)
        script = Script(driver=lambda _: still)
        track, _ = _looked_at(self.film(self.speech(_MOST_FRAMES), script))
        yaw, pitch = np.degrees(track.angles[:, :2].std(axis=0))
        return float(yaw), float(pitch)

    def _seams(self, short: ReferenceVideo) -> tuple[float, float]:
        """Of a film that is shorter than the sound, in speech and in silence."""
        loop = Loop(_SHORT_FRAMES)
        frames = _LOOPS * _SHORT_FRAMES
        script = Script(driver=drive_avatar(short, self.avatar, is_own=False))
        places = np.array([loop.place(frame) for frame in range(frames)])
        steps = np.sign(np.diff(places))
        turns = np.flatnonzero((steps[1:] != steps[:-1]) & (steps[1:] != 0)) + 1
        speech = self.speech(frames)
        speaking, silent = (
            seam_ratio(_looked_at(self.film(samples, script))[0].angles, turns)
            for samples in (speech, np.zeros_like(speech))
        )
        return speaking, silent

    def openings(self) -> list[tuple[float, list[Picture], float]]:
        """For each strength: the strength, telling frames, and how far the lips part."""
        samples = self.speech(150)
        found = []
        for strength in STRENGTHS:
            directed = self.film(samples, direction=Direction(strength=strength))
            track, row = _looked_at(directed)
            found.append((strength, row, opening_range(track)))
        return found


def _avatar(engine: Engine) -> Avatar:
    return engine.prepare(bundled_portraits()[_PORTRAIT], PortraitOptions(size=_SIZE))


def _axis(tracks: tuple[Track, Track, Track], number: int) -> Axis | None:
    """Follow one angle where all of the driver's are within what a portrait can show."""
    count = min(len(track.seen) for track in tracks)
    apart = np.degrees(tracks[0].angles[:count] - np.median(tracks[0].angles[:count], axis=0))
    inside = (np.abs(apart) <= [LIMITS[name][1] for name in ("yaw", "pitch", "roll")]).all(axis=1)
    driver, again, output = (track.angles[:count, number] for track in tracks)
    if np.degrees(driver[inside].std()) < _MOVES_DEGREES:
        return None
    alike = following(driver[inside], output[inside]).correlation
    ceiling = following(driver[inside], again[inside]).correlation
    return Axis(Following(alike, following(driver, output).lag_frames), ceiling)


def _looked_at(pictures: Iterable[Picture]) -> tuple[Track, list[Picture]]:
    """Measures of a film, and a row of small pictures of it."""
    watcher, thumbs = Watcher(), list[Picture]()
    for picture in pictures:
        watcher.look(picture)
        thumbs.append(_thumb(picture))
    return watcher.track(), _picked(thumbs)


def _looked_at_twice(pictures: Iterable[Picture]) -> tuple[Track, Track, list[Picture]]:
    """The same, and measures of the film as it is tilted and made smaller."""
    again = Watcher()

    def shown() -> Iterator[Picture]:
        for picture in pictures:
            again.look(_tilted(picture))
            yield picture

    track, row = _looked_at(shown())
    return track, again.track(), row


def _tilted(picture: Picture) -> Picture:
    height, width = picture.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), _TILT_DEGREES, _SHRINK)
    moved = cv2.warpAffine(picture, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.uint8)


def _thumb(picture: Picture) -> Picture:
    size = (THUMB_PIXELS, THUMB_PIXELS)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def _picked(pictures: Sequence[Picture]) -> list[Picture]:
    return [pictures[place] for place in np.linspace(0, len(pictures) - 1, COLUMNS).astype(int)]
