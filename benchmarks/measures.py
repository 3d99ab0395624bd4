"""What can be said of a face from curves that were read off its frames, 25 values a second.

Openings are the gap between the inner lips in centimetres of a face of usual size, over the gap at
rest. Every measure is None where there is nothing to measure.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.curves import Floats
from engine.config import TIMING
from engine.training.evaluate import correlation

LAGS = range(-5, 6)  # frames
CLOSED_SHARE = 0.25  # of how far this mouth opens: lips nearer than that look closed
LEAST_CLOSED_CM = 0.08  # what the landmark networks cannot tell from closed
_WIDE_OPEN_QUANTILE = 0.9
_BLINK_SHARE = 0.75  # of the usual opening of the eyes
_PERIOD_FRAMES = 4  # looked at where every frame is a chunk by itself
_STILL_DEGREES = 0.2
_SMOOTH_FRAMES = 5
_FLAT = 1e-9


@dataclass(frozen=True, slots=True)
class Follows:
    """How one curve follows another."""

    at_once: float  # Pearson's r at lag 0
    best: float
    best_lag_frames: int  # by which the first curve comes late


@dataclass(frozen=True, slots=True)
class Closures:
    """How many p, b and m were closed, and how many held open vowels."""

    recalled: int
    shut: int
    false: int
    opened: int

    def __add__(self, other: "Closures") -> "Closures":
        return Closures(
            self.recalled + other.recalled,
            self.shut + other.shut,
            self.false + other.false,
            self.opened + other.opened,
        )

    @property
    def recall(self) -> float | None:
        """Share of the sounds made with closed lips at which the lips were nearly closed."""
        return self.recalled / self.shut if self.shut else None

    @property
    def false_share(self) -> float | None:
        """Share of the open vowels in which the mouth was closed."""
        return self.false / self.opened if self.opened else None


def follows(curve: Floats, truth: Floats) -> Follows:
    """Compare two curves [frames] of equal length at every lag."""
    by_lag = {lag: _at_lag(curve, truth, lag) for lag in LAGS}
    best = max(by_lag, key=lambda lag: by_lag[lag])
    return Follows(by_lag[0], by_lag[best], best)


def closures(
    opening: Floats, shut_s: Sequence[float], open_s: Sequence[float], least_cm: float
) -> Closures:
    """Judge an opening [frames] at the middles of p/b/m, and at those of held open vowels.

    Nearly closed is below a quarter of what the mouth opens in its widest tenth, so that a mouth
    which hardly moves cannot pass. A p, b or m is recalled if the lips are nearly closed at some
    frame within one of its middle; a vowel is falsely closed if they are at all of those frames.
    """
    line = max(CLOSED_SHARE * float(np.quantile(opening, _WIDE_OPEN_QUANTILE)), least_cm)
    shut = [_around(opening, at_s).min() < line for at_s in shut_s]
    false = [_around(opening, at_s).max() < line for at_s in open_s]
    return Closures(int(sum(shut)), len(shut), int(sum(false)), len(false))


def spread_ratio(one: Floats, other: Floats) -> float | None:
    """Standard deviation of one curve over that of another."""
    size = float(other.std())
    return float(one.std()) / size if size > _FLAT else None


def seam_ratio(shapes: Sequence[Floats], chunk_frames: int) -> float | None:
    """How far mouths [frames, channels] jump between chunks, over their usual change per frame.

    Both are medians over all films. Where every frame is a chunk there is no border to know: of
    every fourth change the worst phase is taken, as a seam of any short period would show there.
    """
    period = chunk_frames if chunk_frames > 1 else _PERIOD_FRAMES
    phases: list[list[Floats]] = [[] for _ in range(period)]  # the last is across the border
    for shape in shapes:
        change = np.linalg.norm(np.diff(shape, axis=0), axis=1)  # [k] is from frame k to k + 1
        usual = float(np.median(change)) if len(change) >= 2 * period else 0.0
        if usual > _FLAT:
            for phase, found in enumerate(phases):
                found.append(change[phase::period] / usual)
    jumps = [float(np.median(np.concatenate(found))) for found in phases if found]
    if not jumps:
        return None
    return jumps[-1] if chunk_frames > 1 else max(jumps)


def blinks(eyes: Floats) -> int:
    """How often the eyes [frames] fall below three quarters of their usual opening."""
    closed = eyes < _BLINK_SHARE * np.median(eyes)
    return int((closed[1:] & ~closed[:-1]).sum())


def longest_still_s(angles: Floats) -> float:
    """The longest time in which no angle of the head [frames, 3] in radians leaves 0.2 degrees."""
    kernel = np.ones(_SMOOTH_FRAMES) / _SMOOTH_FRAMES
    degrees = np.degrees(np.stack([np.convolve(one, kernel, "valid") for one in angles.T], 1))
    longest = begin = 0
    for end in range(1, len(degrees) + 1):
        while np.ptp(degrees[begin:end], axis=0).max() > _STILL_DEGREES:
            begin += 1
        longest = max(longest, end - begin)
    return longest * TIMING.frame_s


def largest_turn_degrees(angles: Floats) -> float:
    """How far any angle of the head [frames, 3] in radians goes from where it usually is."""
    return float(np.degrees(np.abs(angles - np.median(angles, axis=0))).max())


def upper_face_motion(upper: Floats) -> float:
    """Mean over points of how far brows and lids [frames, points, 3] stray from their mean, cm."""
    return float(np.sqrt(upper.var(axis=0).sum(axis=-1)).mean())


def shape_drift(bones: Floats) -> float:
    """How far points that no expression moves [frames, points, 2] stray, in eye distances."""
    return float(np.linalg.norm(bones - bones.mean(axis=0), axis=-1).mean())


def flicker(window: NDArray[np.uint8]) -> float | None:
    """Standard deviation in time of the pixels [frames, height, width], over that in space."""
    grey = window.astype(np.float64)
    contrast = float(grey.mean(axis=0).std())
    return float(grey.std(axis=0).mean()) / contrast if contrast > _FLAT else None


def _at_lag(curve: Floats, truth: Floats, lag: int) -> float:
    early, late = max(-lag, 0), max(lag, 0)
    return correlation(curve[late : len(curve) - early], truth[early : len(truth) - late])


def _around(opening: Floats, at_s: float) -> Floats:
    middle = min(int(at_s * TIMING.frame_rate_hz), len(opening) - 1)
    return opening[max(middle - 1, 0) : middle + 2]
