"""Streaming log-mel features: what differs from how this voice sounds on average.

Levelled by a running estimate of the speech level; the mean of each band over the speech so far is
taken away, so that a voice, its microphone and its room are heard as any other. The bands that the
phone network listens to are finer and only levelled.

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

PHONE_BANDS = 80
_PHONE_LOW_HZ, _PHONE_HIGH_HZ = 40.0, 7600.0
_PHONE_LINEAR_HZ, _PHONE_HZ_A_STEP = 1000.0, 200 / 3  # below, steps of the scale are even
_PHONE_STEPS_AN_OCTAVE = 27 * np.log(2) / np.log(6.4)
PHONE_SPEECH_DB = -26.0  # of full scale: every voice is brought to that
PHONE_FLOOR = -13.0  # natural logarithm of a power
NATURAL_PER_DB = np.log(10) / 10

LEAST_POWER = 1e-10
_LEVEL_FLOOR = 10 ** (LOWEST_DB / 10)


@dataclass(frozen=True, slots=True)
class Hops:
    """What is known of consecutive hops of 10 ms."""

    features: Floats  # [hops, BANDS], 0 is what the band has in speech so far, 1 is 20 dB more
    excess_db: Floats  # [hops], above 0 counts as speech
    loudness: Floats  # [hops], 0 for silence, about 1 at the running speech level
    speech_db: Floats  # [hops] running level of the speech, of full scale
    phone_bands: Floats  # [hops, PHONE_BANDS] natural logarithms of power

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
        self._phone_bank = _phone_bank()
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
        # The same view as `sliding_window_view` makes, which takes longer than the transform.
        step = heard.itemsize
        shape, strides = (count, _WINDOW_SAMPLES), (HOP_SAMPLES * step, step)
        windows = np.ndarray(shape, heard.dtype, heard, strides=strides) * self._window
        spectrum = np.fft.rfft(windows, _TRANSFORM_SAMPLES)
        power = (spectrum.real**2 + spectrum.imag**2) @ self._bank
        spectrum = np.fft.rfft(windows)
        return self._level(power, (spectrum.real**2 + spectrum.imag**2) @ self._phone_bank)

    def _level(self, power: NDArray[np.float64], phone_power: NDArray[np.float64]) -> Hops:
        """Hops of the band powers [hops, BANDS] (1 is full scale) and [hops, PHONE_BANDS]."""
        excess_db, loudness, speech_db = [], [], []
        for whole in power.sum(1).tolist():
            level_db = 10 * log10(whole + _LEVEL_FLOOR)
            excess_db.append(self._tracker.push(level_db))
            speech_db.append(self._tracker.speech_db)
            over_db = level_db - speech_db[-1]
            loudness.append(min(max(1 + over_db / _UNIT_DB, 0), 1.5) * (excess_db[-1] > 0))
        speech = np.array(speech_db)[:, None]
        per_typical = 10 ** ((_BAND_SHARE_DB - speech) / 10)
        bands = np.log10(power * per_typical + 10 ** (_FLOOR_DB / 10)) * (10 / _UNIT_DB)
        for band, excess in zip(bands, excess_db, strict=True):
            self._colour.take_from(band, spoken=excess > 0)
        return Hops(
            bands.astype(np.float32),
            np.array(excess_db, np.float32),
            np.array(loudness, np.float32),
            np.array(speech_db, np.float32),
            _levelled(phone_power, speech),
        )


def _levelled(power: NDArray[np.float64], speech_db: NDArray[np.float64]) -> Floats:
    gain = NATURAL_PER_DB * (PHONE_SPEECH_DB - speech_db)
    bands = np.log(power + LEAST_POWER) + gain
    return np.asarray(np.maximum(bands, PHONE_FLOOR), np.float32)


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


@cache
def _phone_bank() -> NDArray[np.float64]:
    """Triangular bands [frequencies, PHONE_BANDS] of equal area, as the phone network knows them.

    Mel after Slaney's Auditory Toolbox (1998): even to 1 kHz, logarithmic above. Edges are rounded
    down to frequencies of the transform, and lie apart by one at least.
    """
    low, high = _phone_step(_PHONE_LOW_HZ), _phone_step(_PHONE_HIGH_HZ)
    steps = np.linspace(low, high, PHONE_BANDS + 2)
    linear_steps = _PHONE_LINEAR_HZ / _PHONE_HZ_A_STEP
    octaves = np.maximum(steps - linear_steps, 0) / _PHONE_STEPS_AN_OCTAVE
    edges_hz = np.minimum(steps, linear_steps) * _PHONE_HZ_A_STEP * 2**octaves
    places = np.floor(edges_hz * (_WINDOW_SAMPLES + 1) / TIMING.sample_rate_hz)
    left = places[:-2]
    middle = np.maximum(places[1:-1], left + 1)
    right = np.maximum(places[2:], middle + 1)
    frequency = np.arange(_WINDOW_SAMPLES // 2 + 1)[:, None]
    rising, falling = (frequency - left) / (middle - left), (right - frequency) / (right - middle)
    bank = np.maximum(np.minimum(rising, falling), 0) * 2 / (edges_hz[2:] - edges_hz[:-2])
    return np.asarray(bank)


def _phone_step(hz: float) -> float:
    linear = min(hz, _PHONE_LINEAR_HZ) / _PHONE_HZ_A_STEP
    octaves = np.log2(max(hz, _PHONE_LINEAR_HZ) / _PHONE_LINEAR_HZ)
    return float(linear + octaves * _PHONE_STEPS_AN_OCTAVE)
