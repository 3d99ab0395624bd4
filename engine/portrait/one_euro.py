"""Takes the trembling out of measures that come one by one, without lagging behind fast motion."""

import numpy as np

from engine.portrait.geometry import Doubles

_SPEED_CUTOFF_HZ = 1.0  # of the speed itself, as published


class OneEuro:
    """The 1 euro filter (Casiez, Roussel, Vogel 2012): slow motion is smoothed, fast is not.

    `steady_hz` [values] is the cut-off of what stands still; `opening` [values] is by how many
    hertz it rises for each unit of speed.
    """

    def __init__(self, steady_hz: Doubles, opening: Doubles) -> None:
        self._steady_hz, self._opening = steady_hz, opening
        self._value = self._speed = np.zeros_like(steady_hz)
        self._time_s: float | None = None

    def reset(self) -> None:
        """The next values are the first ones."""
        self._time_s = None

    def push(self, values: Doubles, time_s: float) -> Doubles:
        """Take values [values] measured at a time, which must grow; return them smoothed."""
        if self._time_s is None:
            self._value, self._speed = values, np.zeros_like(values)
        elif time_s > self._time_s:
            passed_s = time_s - self._time_s
            speed = (values - self._value) / passed_s
            share = _share(np.full_like(speed, _SPEED_CUTOFF_HZ), passed_s)
            self._speed = self._speed + (speed - self._speed) * share
            cutoff_hz = self._steady_hz + self._opening * np.abs(self._speed)
            self._value = self._value + (values - self._value) * _share(cutoff_hz, passed_s)
        self._time_s = time_s
        return self._value


def _share(cutoff_hz: Doubles, passed_s: float) -> Doubles:
    """Of the way that a first-order low-pass goes in `passed_s`."""
    turned = 2 * np.pi * cutoff_hz * passed_s
    return np.asarray(turned / (1 + turned))
