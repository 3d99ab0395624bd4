"""Portraits that are told what to do, filmed for `benchmarks.control`."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

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
from benchmarks.curves import Floats
from benchmarks.tracking import Film, Track, watched
from engine.api import Avatar, Engine, Picture, PortraitOptions, Samples, StreamOptions
from engine.config import TIMING
from engine.direction import LIMITS, Direction
from engine.portrait.engine import load_engine
from engine.portrait.reference_video import ReferenceVideo, drive_avatar, read_reference_video
from engine.portrait.seamless import Loop
from engine.portraits import bundled_portraits
from engine.script import Script
from engine.training.corpus import TalkingClip, read_corpus

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0)
COLUMNS = 8
_PORTRAIT, _SIZE = "astronaut", 384
_LEAST_S, _MOST_S = 6.0, 12.0
_SHORT_FRAMES, _LOOPS = 50, 4  # of a driver that is shorter than the sound
_MOVES_DEGREES = 1.5  # a head whose angle strays less has nothing to be followed in


@dataclass(frozen=True, slots=True)
class DrivenTake:
    """One portrait driven by one film."""

    name: str
    driver: Track
    output: Track
    yaw: Following | None  # None: the driver hardly moves so
    pitch: Following | None
    lids: Following
    blinks: BlinkTiming
    lips_alone: float  # correlation with the sound's level, without the film
    lips_driven: float
    seam: float
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
    ) -> list[Picture]:
        """The frames of a sound, spoken as directed."""
        options = StreamOptions(seed=1, badge=False, script=script)
        stream = self._engine.open(self.avatar, options)
        stream.direct(direction or Direction())
        units = stream.push(samples) + stream.flush()
        stream.close()
        return [unit.picture for unit in units]

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
        """Let one film drive the portrait, and measure both."""
        path = self._corpus / f"{name}.mp4"
        count = round(_MOST_S * TIMING.frame_rate_hz)
        pictures = list(Film(path).pictures(count))
        driver = watched(pictures)
        samples = self.speech(len(pictures))
        video = read_reference_video(path, _MOST_S)
        script = Script(driver=drive_avatar(video, self.avatar, is_own=False))
        driven = self.film(samples, script)
        output = watched(driven)
        return DrivenTake(
            name,
            driver,
            output,
            _within(driver.angles[:, 0], output.angles[:, 0], LIMITS["yaw"][1]),
            _within(driver.angles[:, 1], output.angles[:, 1], LIMITS["pitch"][1]),
            following(driver.eyes, output.eyes),
            blink_timing(driver.eyes, output.eyes),
            lips_follow(watched(self.film(samples)), samples),
            lips_follow(output, samples),
            self._seam(replace(video, measures=video.measures[:_SHORT_FRAMES])),
            (_picked(pictures), _picked(driven)),
        )

    def _seam(self, short: ReferenceVideo) -> float:
        loop = Loop(_SHORT_FRAMES)
        frames = _LOOPS * _SHORT_FRAMES
        script = Script(driver=drive_avatar(short, self.avatar, is_own=False))
        angles = watched(self.film(self.speech(frames), script)).angles
        places = np.array([loop.place(frame) for frame in range(frames)])
        steps = np.sign(np.diff(places))
        turns = np.flatnonzero((steps[1:] != steps[:-1]) & (steps[1:] != 0)) + 1
        return seam_ratio(angles, turns)

    def openings(self) -> list[tuple[float, list[Picture], float]]:
        """For each strength: the strength, telling frames, and how far the lips part."""
        samples = self.speech(150)
        found = []
        for strength in STRENGTHS:
            pictures = self.film(samples, direction=Direction(strength=strength))
            found.append((strength, _picked(pictures), opening_range(watched(pictures))))
        return found


def _avatar(engine: Engine) -> Avatar:
    return engine.prepare(bundled_portraits()[_PORTRAIT], PortraitOptions(size=_SIZE))


def _within(driver: Floats, output: Floats, limit_degrees: float) -> Following | None:
    """Follow where the driver's head is within what a portrait can show."""
    count = min(len(driver), len(output))
    driver, output = driver[:count], output[:count]
    inside = np.abs(driver - np.median(driver)) <= np.radians(limit_degrees)
    if np.degrees(driver[inside].std()) < _MOVES_DEGREES:
        return None
    whole = following(driver, output)
    return Following(following(driver[inside], output[inside]).correlation, whole.lag_frames)


def _picked(pictures: Sequence[Picture]) -> list[Picture]:
    return [pictures[place] for place in np.linspace(0, len(pictures) - 1, COLUMNS).astype(int)]
