"""Streaming log-mel features: what differs from how this voice sounds on average.

Levelled by a running estimate of the speech level; the mean of each band over the speech so far is
taken away, so that a voice, its microphone and its room are heard as any other.

Windows of 25 ms every 10 ms, each ending with its hop: no future sample is looked at.
"""

from dataclasses import dataclass
from functools import cache
from math import log10

import numpy as np
from numpy.typing import NDArray

from engine.api import Samples
from engine.config import TIMING
from engine.portrait.landmarks import Floats
from engine.portrait.level import HOP_S, LOWEST_DB, LevelTracker

BANDS = 48
HOP_SAMPLES = round(HOP_S * TIMING.sample_rate_hz)
HOPS_PER_FRAME = TIMING.samples_per_frame // HOP_SAMPLES

_WINDOW_SAMPLES = 400
_TRANSFORM_SAMPLES = 512
_LOW_HZ, _HIGH_HZ = 60.0, 7600.0
_PAST_SAMPLES = _WINDOW_SAMPLES - HOP_SAMPLES
_BAND_SHARE_DB = 15.0  # how far a typical band lies below the level of the whole
_UNIT_DB = 20.0  # decibels per unit of the features
_FLOOR_DB = -45.0  # below the typical band: weaker sound looks like silence
_USUAL_COLOUR = (-0.3, -1.5)  # of the lowest and highest band, the mean over many voices
_USUAL_HOPS = 50.0  # how many hops of speech that counts for
_COLOUR_KEPT = 1 - 1 / 1000  # per spoken hop: forgotten in about ten seconds of speech
_LEVEL_FLOOR = 10 ** (LOWEST_DB / 10)


@dataclass(frozen=True, slots=True)
class Hops:
    """What is known of consecutive hops of 10 ms."""

    features: Floats  # [hops, BANDS], 0 is what the band has in speech so far, 1 is 20 dB more
    excess_db: Floats  # [hops], above 0 counts as speech
    loudness: Floats  # [hops], 0 for silence, about 1 at the running speech level

    def __len__(self) -> int:
        return len(self.excess_db)


class _RunningColour:
    """The mean of each band over recent speech; before any, that of voices in general."""

    def __init__(self) -> None:
        self._sum = np.linspace(*_USUAL_COLOUR, BANDS) * _USUAL_HOPS
        self._hops = _USUAL_HOPS

    def take_from(self, bands: NDArray[np.float64], *, spoken: bool) -> None:
        """Take the mean from a hop [BANDS], in place; that hop counts in it if it is `spoken`."""
        if spoken:
            self._sum *= _COLOUR_KEPT
            self._sum += bands
            self._hops = self._hops * _COLOUR_KEPT + 1
        bands -= self._sum / self._hops


class MelStream:
    """Turns samples into hops. Fixed in size; the input may be cut anywhere."""

    def __init__(self) -> None:
        self._bank, self._window = _mel_bank(), _hann_window()
        self.reset()

    def reset(self) -> None:
        """Forget everything heard."""
        self._rest: Samples = np.zeros(_PAST_SAMPLES, np.float32)
        self._tracker = LevelTracker()
        self._colour = _RunningColour()

    def push(self, samples: Samples) -> Hops:
        """Take any number of samples, return the hops that are now whole."""
        heard = np.concatenate([self._rest, samples])
        count = max(0, (len(heard) - _PAST_SAMPLES) // HOP_SAMPLES)
        self._rest = heard[count * HOP_SAMPLES :].copy()
        if not count:
            return Hops(np.empty((0, BANDS), np.float32), *np.empty((2, 0), np.float32))
        # The same view as `sliding_window_view` makes, which takes longer than the transform.
        step = heard.itemsize
        shape, strides = (count, _WINDOW_SAMPLES), (HOP_SAMPLES * step, step)
        windows = np.ndarray(shape, heard.dtype, heard, strides=strides) * self._window
        spectrum = np.fft.rfft(windows, _TRANSFORM_SAMPLES)
        power = (spectrum.real**2 + spectrum.imag**2) @ self._bank
        return self._level(power)

    def _level(self, power: NDArray[np.float64]) -> Hops:
        """Hops of the band powers [hops, BANDS] (1 is full scale)."""
        excess_db, loudness, per_typical = [], [], []
        for whole in power.sum(1).tolist():
            level_db = 10 * log10(whole + _LEVEL_FLOOR)
            excess_db.append(self._tracker.push(level_db))
            over_db = level_db - self._tracker.speech_db
            loudness.append(min(max(1 + over_db / _UNIT_DB, 0), 1.5) * (excess_db[-1] > 0))
            per_typical.append([10 ** ((_BAND_SHARE_DB - self._tracker.speech_db) / 10)])
        bands = np.log10(power * per_typical + 10 ** (_FLOOR_DB / 10)) * (10 / _UNIT_DB)
        for band, excess in zip(bands, excess_db, strict=True):
            self._colour.take_from(band, spoken=excess > 0)
        return Hops(
            bands.astype(np.float32),
            np.array(excess_db, np.float32),
            np.array(loudness, np.float32),
        )


def _hann_window() -> NDArray[np.float64]:
    return np.hanning(_WINDOW_SAMPLES + 1)[:-1]


@cache
def _mel_bank() -> NDArray[np.float64]:
    """Triangular bands [frequencies, BANDS], so scaled that the bands of a sound sum to its power.

    Mel after O'Shaughnessy (1987).
    """
    low, high = (2595 * np.log10(1 + hz / 700) for hz in (_LOW_HZ, _HIGH_HZ))
    edges_hz = 700 * (10 ** (np.linspace(low, high, BANDS + 2) / 2595) - 1)
    hz = np.fft.rfftfreq(_TRANSFORM_SAMPLES, 1 / TIMING.sample_rate_hz)[:, None]
    rising = (hz - edges_hz[:-2]) / np.diff(edges_hz[:-1])
    falling = (edges_hz[2:] - hz) / np.diff(edges_hz[1:])
    bank = np.maximum(np.minimum(rising, falling), 0)
    scale = 2 / (_TRANSFORM_SAMPLES * (_hann_window() ** 2).sum())
    return np.asarray(bank * scale)
