"""What can be read from two curves over time: when one rises, how late it follows the other.

A curve is what passed the observer's border: its times are moments of sending or decoding on one
monotonic clock, and a value holds until the next one comes, as a picture on a screen does.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

STEP_S = 0.002
QUIET_S = 0.2  # what is looked at before an event to know the level at rest
RISE_SHARE = 0.15  # of the way from rest to peak: beyond noise, well before the vowel is full
_NOISE_FACTOR = 6.0  # median absolute deviations (about four standard deviations)
_FEWEST_VALUES = 3
_FLAT = 1e-9


@dataclass(frozen=True, slots=True)
class Curve:
    """Values [count] at ascending times [count] in seconds."""

    times_s: Floats
    values: Floats

    def __post_init__(self) -> None:
        if self.times_s.shape != self.values.shape or self.times_s.ndim != 1:
            raise ValueError(f"{self.times_s.shape} times for {self.values.shape} values")

    def between(self, begin_s: float, end_s: float) -> "Curve":
        """The part with begin <= time < end."""
        first, last = np.searchsorted(self.times_s, [begin_s, end_s])
        return Curve(self.times_s[first:last], self.values[first:last])

    def held_at(self, times_s: Floats) -> Floats:
        """Values at other times; each holds until the next. Before the first: the first."""
        index = np.searchsorted(self.times_s, times_s, side="right") - 1
        return self.values[np.maximum(index, 0)]


@dataclass(frozen=True, slots=True)
class Lag:
    """How late one curve follows another, and how alike they are then (Pearson)."""

    delay_s: float
    correlation: float


def noise_at_rest(curve: Curve) -> float:
    """How far a curve strays at rest from where it just was: what a rise must clearly exceed."""
    strays = [
        abs(value - np.median(before))
        for at_s, value in zip(curve.times_s, curve.values, strict=True)
        if len(before := curve.between(at_s - QUIET_S, at_s).values) >= _FEWEST_VALUES
    ]
    return _NOISE_FACTOR * float(np.median(strays)) if strays else 0.0


def rise_s(curve: Curve, begin_s: float, end_s: float, noise: float = 0.0) -> float | None:
    """When the curve first leaves its rest before `begin_s`, if it does so before `end_s`.

    It must pass both a share of the way to its own peak and the noise at rest, and stay there for
    the following value, so that one bad value is no rise.
    """
    rest = curve.between(begin_s - QUIET_S, begin_s).values
    event = curve.between(begin_s, end_s)
    if len(rest) < _FEWEST_VALUES or len(event.values) < _FEWEST_VALUES:
        return None
    level = float(np.median(rest))
    peak = float(event.values.max()) - level
    if peak <= max(2 * noise, 0):
        return None
    above = event.values - level > max(RISE_SHARE * peak, noise)
    steady = above & np.append(above[1:], True)
    return float(event.times_s[np.argmax(steady)]) if steady.any() else None


def falls_silent_s(curve: Curve, begin_s: float, level: float, stays_s: float) -> float | None:
    """The first time from `begin_s` on from which the curve stays below `level` for `stays_s`."""
    event = curve.between(begin_s, np.inf)
    loud = event.times_s[event.values >= level]
    edges = np.concatenate([[begin_s], loud, [np.inf]])
    for before_s, after_s in pairwise(edges):
        quiet = event.between(np.nextafter(before_s, np.inf), after_s).times_s
        if len(quiet) and quiet[-1] - quiet[0] >= stays_s:
            return float(quiet[0])
    return None


def lag(cause: Curve, effect: Curve, longest_s: float, earliest_s: float = 0.0) -> Lag | None:
    """The delay at which `effect` is most like `cause`, searched from `earliest_s`, to about 1 ms.

    None when there is too little to compare or one of the two never changes.
    """
    if not _usable(cause, effect):
        return None
    begin_s = max(cause.times_s[0], effect.times_s[0] - earliest_s)
    end_s = min(cause.times_s[-1], effect.times_s[-1] - longest_s)
    if end_s - begin_s < longest_s - earliest_s:
        return None
    count = round((end_s - begin_s) / STEP_S)
    delays = round((longest_s - earliest_s) / STEP_S) + 1
    grid_s = begin_s + np.arange(count + delays) * STEP_S
    later = sliding_window_view(effect.held_at(grid_s + earliest_s), count)[:delays]
    alike = _pearson(cause.held_at(grid_s[:count]), later)
    best = int(np.argmax(alike))
    if alike[best] <= 0:
        return None
    steps = best + _vertex(alike, best)
    return Lag(earliest_s + steps * STEP_S, float(alike[best]))


def gaps_s(times_s: Floats, at_least_s: float) -> Floats:
    """The pauses between neighbours that are at least so long."""
    pauses = np.diff(times_s)
    return np.asarray(pauses[pauses >= at_least_s])


def _usable(*curves: Curve) -> bool:
    return all(len(curve.times_s) >= _FEWEST_VALUES for curve in curves)


def _pearson(first: Floats, rows: Floats) -> Floats:
    """Correlation of `first` [time] with each of `rows` [row, time]; zero where one is flat."""
    first = first - first.mean()
    products = rows @ first
    sizes = rows.std(axis=1) * first.std() * len(first)
    return np.asarray(np.where(sizes > _FLAT, products / np.maximum(sizes, _FLAT), 0.0))


def _vertex(values: Floats, best: int) -> float:
    """Where between the neighbours of `best` the parabola through the three has its top."""
    if not 0 < best < len(values) - 1:
        return 0.0
    left, middle, right = values[best - 1 : best + 2]
    bend = left - 2 * middle + right
    return float((left - right) / (2 * bend)) if bend else 0.0
