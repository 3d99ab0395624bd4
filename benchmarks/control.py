"""How well a portrait does what it is told, measured again from its frames.

Everything is read off pictures by the landmark networks, of drivers and of portraits alike.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.curves import Floats
from benchmarks.tracking import Track
from engine.api import Samples
from engine.config import TIMING

LATEST_FRAMES = 5  # lags are looked for so far to both sides
_BLINK_SHARE = 0.6  # of the opening of open eyes: shut further is a blink, less is a squint
_OPEN_QUANTILE = 0.7  # of all frames: eyes are open in most
_ONE_BLINK_FRAMES = 2  # lids that part for so long have not opened
_SAME_BLINK_FRAMES = 4  # further apart two blinks are not the same
_FLAT = 1e-9
_QUIET_DB = -60.0


@dataclass(frozen=True, slots=True)
class Following:
    """How one curve follows another: the best lag, and how alike they are with none."""

    correlation: float
    lag_frames: int


@dataclass(frozen=True, slots=True)
class BlinkTiming:
    """Blinks of a driver, found again in a portrait."""

    driver_blinks: int
    found: int
    prompt: int  # of those found, within one frame
    latest_frames: int  # by which a found one differs most


def following(driver: Floats, output: Floats) -> Following:
    """Compare two curves [frames], shifted against each other by a few frames."""
    count = min(len(driver), len(output))
    driver, output = driver[:count], output[:count]
    alike = {lag: _shifted(driver, output, lag) for lag in range(-LATEST_FRAMES, LATEST_FRAMES + 1)}
    best = max(alike, key=lambda lag: (alike[lag], -abs(lag)))
    return Following(alike[0], best)


def _shifted(driver: Floats, output: Floats, lag: int) -> float:
    first = driver[max(0, -lag) : len(driver) - max(0, lag)]
    return pearson(first, output[max(0, lag) : len(output) + min(0, lag)])


def pearson(first: Floats, second: Floats) -> float:
    """Correlation of two curves; 0 where one is flat."""
    first, second = first - first.mean(), second - second.mean()
    size = float(np.sqrt((first @ first) * (second @ second)))
    return float(first @ second) / size if size > _FLAT else 0.0


def blink_frames(eyes: Floats) -> list[int]:
    """The frames in which the eyes [frames] shut, one for each blink, however long it is."""
    shut = eyes < _BLINK_SHARE * np.quantile(eyes, _OPEN_QUANTILE)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], shut.astype(int), [0]])))
    opened = -len(eyes)
    begins = list[int]()
    for first, end in edges.reshape(-1, 2).tolist():
        if first - opened > _ONE_BLINK_FRAMES:
            begins.append(first)
        opened = end
    return begins


def blink_timing(driver: Floats, output: Floats) -> BlinkTiming:
    """Look for each of the driver's blinks in the output."""
    count = min(len(driver), len(output))
    wanted, got = blink_frames(driver[:count]), blink_frames(output[:count])
    apart = [min((abs(frame - other) for other in got), default=count) for frame in wanted]
    found = [frames for frames in apart if frames <= _SAME_BLINK_FRAMES]
    prompt = sum(frames <= 1 for frames in found)
    return BlinkTiming(len(wanted), len(found), prompt, max(found, default=0))


def loudness(samples: Samples, frames: int) -> Floats:
    """Level of each frame's sound [frames], from 0 at silence."""
    size = TIMING.samples_per_frame
    padded = np.pad(samples, (0, max(0, frames * size - len(samples))))[: frames * size]
    power = np.mean(padded.reshape(frames, size).astype(np.float64) ** 2, axis=1)
    return np.asarray(np.maximum(10 * np.log10(power + 1e-12), _QUIET_DB) - _QUIET_DB)


def lips_follow(track: Track, samples: Samples) -> float:
    """Correlation of the lips' opening with the sound's level."""
    return pearson(track.opening, loudness(samples, len(track.opening)))


def opening_range(track: Track) -> float:
    """How far the lips part in what is said, in centimetres: from closed to well open."""
    low, high = np.quantile(track.opening, [0.1, 0.9])
    return float(high - low)


def seam_ratio(angles: Floats, turns: NDArray[np.int64]) -> float:
    """The head's largest change where a film turns round, over the median change elsewhere.

    angles: [frames, 3] radians; turns: frames about which the film turns.
    """
    change = np.linalg.norm(np.diff(angles, axis=0), axis=1)
    near = np.unique(np.concatenate([turns + offset for offset in (-2, -1, 0, 1)]))
    near = near[(near >= 0) & (near < len(change))]
    return float(change[near].max() / max(float(np.median(change)), _FLAT))
