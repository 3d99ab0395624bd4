"""Speech made a little longer or shorter by whole periods of its pitch, so that nobody hears it.

Lost sound is continued from what came before it, fading; a standing delay is shortened by leaving
out one period at a time. Both are plain arithmetic on 16 kHz samples.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from engine.api import Samples
from engine.config import TIMING

FADE_SAMPLES = TIMING.sample_rate_hz * 80 // 1000  # of lost sound, until nothing is left of it
# Periods of 400 to 100 Hz, so that two of the longest fit into one packet.
_SHORTEST, _LONGEST = TIMING.sample_rate_hz // 400, TIMING.sample_rate_hz // 100
_ALIKE = 0.7  # normalised correlation from which a period may go unheard
_TINY = 1e-9


class Concealer:
    """Continues sound that stopped: its last period again and again, ever more quietly."""

    def __init__(self) -> None:
        self._past = np.zeros(2 * _LONGEST, np.float32)
        self._period: Samples | None = None
        self._made_samples = 0

    def heard(self, samples: Samples) -> None:
        """Note true sound."""
        self._past = np.concatenate([self._past, samples])[-2 * _LONGEST :]
        self._period = None
        self._made_samples = 0

    def conceal(self, count_samples: int) -> Samples:
        """What may stand for the next samples, [count]."""
        if self._period is None:
            lag, _ = _best_lag(self._past[::-1])
            self._period = self._past[len(self._past) - lag :]
        positions = self._made_samples + np.arange(count_samples)
        level = np.clip(1 - positions / FADE_SAMPLES, 0, 1)
        self._made_samples += count_samples
        return np.asarray(self._period[positions % len(self._period)] * level, np.float32)


def shortened(samples: Samples, most_samples: int) -> Samples:
    """Samples [time] less one period of at most so many samples; as they are if none would do."""
    if len(samples) < 2 * _LONGEST or most_samples < _SHORTEST:
        return samples
    lag, alike = _best_lag(samples, min(most_samples, _LONGEST))
    if alike < _ALIKE:
        return samples
    weight = np.linspace(0, 1, len(samples) - _LONGEST, dtype=np.float32)
    joint = len(weight)
    blended = samples[:joint] * (1 - weight) + samples[lag : lag + joint] * weight
    return np.concatenate([blended, samples[lag + joint :]])


def _best_lag(samples: Samples, longest: int = _LONGEST) -> tuple[int, float]:
    """The shift [samples] at which sound [time] is most like itself, and how much."""
    size = len(samples) - _LONGEST
    first = samples[:size]
    shifted = sliding_window_view(samples, size)[_SHORTEST : longest + 1]
    sizes = np.sqrt(np.sum(shifted**2, axis=1) * np.sum(first**2))
    alike = shifted @ first / np.maximum(sizes, _TINY)
    best = int(np.argmax(alike))
    return _SHORTEST + best, float(alike[best])
