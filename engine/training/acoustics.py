"""What rooms, microphones and distances do to a voice: gain, noise, echo."""

from typing import Literal, TypeAlias

import numpy as np
from scipy.signal import fftconvolve, resample_poly

from engine.api import Samples
from engine.config import TIMING
from engine.portrait.landmarks import Floats

Generator = np.random.Generator
NoiseKind: TypeAlias = Literal["white", "pink", "brown", "hum"]

_ACTIVE_SHARE = 0.1  # samples louder than that share of the peak level count as speech
_WINDOW_SAMPLES = 320
_HUM_HZ = 100.0


def active_level(samples: Samples) -> float:
    """Root mean square of the spoken part."""
    count = len(samples) // _WINDOW_SAMPLES
    if not count:
        return 0.0
    power = (samples[: count * _WINDOW_SAMPLES].reshape(count, -1) ** 2).mean(1)
    loud = power > _ACTIVE_SHARE**2 * np.quantile(power, 0.95)
    return float(np.sqrt(power[loud].mean())) if loud.any() else 0.0


def at_level(samples: Samples, level_db: float) -> Samples:
    """The same sound with its spoken part at `level_db` of full scale, clipped where too loud."""
    level = active_level(samples)
    gain = 10 ** (level_db / 20) / level if level > 0 else 0.0
    return np.asarray(np.clip(samples * np.float32(gain), -1, 1), np.float32)


def noise(kind: NoiseKind, count: int, generator: Generator) -> Samples:
    """Room noise [count] with a root mean square of 1."""
    slope = {"white": 0.0, "pink": 0.5, "brown": 1.0, "hum": 1.0}[kind]
    spectrum = generator.normal(size=(2, count // 2 + 1))
    hz = np.fft.rfftfreq(count, 1 / TIMING.sample_rate_hz)
    shaped = (spectrum[0] + 1j * spectrum[1]) / np.maximum(hz, 20.0) ** slope
    sound = np.fft.irfft(shaped, count)
    sound /= sound.std() + 1e-12
    if kind == "hum":
        time_s = np.arange(count) / TIMING.sample_rate_hz
        for harmonic in (1, 2, 3, 5):
            sound += np.sin(2 * np.pi * _HUM_HZ * harmonic * time_s) / harmonic
        sound /= sound.std()
    return sound.astype(np.float32)


def echo(samples: Samples, generator: Generator) -> Samples:
    """The same sound in a small room: a direct path and a short decaying tail."""
    decay_s = generator.uniform(0.05, 0.25)
    count = int(decay_s * 2 * TIMING.sample_rate_hz)
    tail = generator.normal(size=count) * np.exp(
        -np.arange(count) / TIMING.sample_rate_hz / decay_s * 3
    )
    tail *= generator.uniform(0.1, 0.6) / np.sqrt((tail**2).sum())
    tail[0] = 1.0
    return np.asarray(fftconvolve(samples, tail)[: len(samples)], np.float32)


def stretched(samples: Samples, mouth: Floats, percent: int) -> tuple[Samples, Floats]:
    """Another voice from the same clip: played at `percent` of its length, so higher or lower."""
    sound = resample_poly(samples, percent, 100).astype(np.float32)
    frames = len(sound) // TIMING.samples_per_frame
    at = (np.arange(frames) + 0.5) * 100 / percent - 0.5
    known = np.arange(len(mouth))
    moved = np.stack([np.interp(at, known, channel) for channel in mouth.T], 1)
    return sound[: frames * TIMING.samples_per_frame], moved.astype(np.float32)
