"""Curves made steady without lag, and a film that goes on for ever without a seam."""

import numpy as np
from numpy.typing import NDArray

from engine.config import TIMING
from engine.portrait.landmarks import Floats

_LEAST_CUTOFF_HZ = 4.0  # of what does not move
_CUTOFF_PER_SPEED = 0.6  # Hz per usual change in a second: what moves quickly is left alone
_SPEED_CUTOFF_HZ = 3.0
_EASE_FRAMES = 4  # how long the film slows down before it turns, and speeds up after


def smooth_without_lag(curves: Floats) -> Floats:
    """Curves [frames, channels] through a one-euro filter, forwards and backwards, and their mean.

    The lag of one way is the lead of the other. (Casiez, Roussel, Vogel 2012.)
    """
    if len(curves) < 2:  # noqa: PLR2004  a single picture has no motion
        return curves
    there = _one_euro(curves)
    back = _one_euro(curves[::-1])[::-1]
    return np.asarray((there + back) / 2, np.float32)


def _one_euro(curves: Floats) -> NDArray[np.float64]:
    values = curves.astype(np.float64)
    usual = np.maximum(np.abs(values - np.median(values, axis=0)).mean(axis=0), 1e-6)
    smooth, before = np.empty_like(values), values[0]
    speed = np.zeros(values.shape[1])
    smooth[0] = before
    for frame in range(1, len(values)):
        change = (values[frame] - values[frame - 1]) * TIMING.frame_rate_hz / usual
        speed = speed + _share(_SPEED_CUTOFF_HZ) * (change - speed)
        share = _share(_LEAST_CUTOFF_HZ + _CUTOFF_PER_SPEED * np.abs(speed))
        before = before + share * (values[frame] - before)
        smooth[frame] = before
    return smooth


def _share(cutoff_hz: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Of the way to a new value, for a low-pass of that frequency."""
    turn = 2 * np.pi * np.asarray(cutoff_hz) * TIMING.frame_s
    return np.asarray(turn / (turn + 1))


class Loop:
    """Goes through frames to and fro. It slows down to each end, so that no speed ever jumps."""

    def __init__(self, frames: int) -> None:
        self._last = frames - 1
        self._ease = min(_EASE_FRAMES, self._last / 4)

    def place(self, frame: float) -> float:
        """Where in the film frame number `frame` of the performance is; the first pass is exact."""
        if self._last < 1:
            return 0.0
        first, pass_frames = self._last + self._ease, self._last + 2 * self._ease
        if frame <= self._last - self._ease:
            return float(frame)
        turn = max(round((frame - first) / pass_frames), 0)  # the nearest; 0 is at the film's end
        since = abs(frame - first - turn * pass_frames)
        if self._ease and since < 2 * self._ease:
            away = since**2 / (4 * self._ease)
        else:
            away = since - self._ease
        return away if turn % 2 else self._last - away

    def at(self, motion: Floats, frame: float) -> Floats:
        """The motion [channels] there, between two frames where it has to be."""
        place = self.place(frame)
        first = min(int(place), self._last)
        share = np.float32(place - first)
        if not share:
            return np.asarray(motion[first])
        return np.asarray(motion[first] + share * (motion[first + 1] - motion[first]))
