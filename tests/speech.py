"""Speech-like sound made from numbers: the same for everyone, with onsets known to the sample.

Vowels are trains of damped formant waves, one burst per glottal pulse, so that formants glide from
a consonant into its vowel. Between words there is true silence.
"""

import wave
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.api import Samples
from engine.config import TIMING

Floats: TypeAlias = NDArray[np.float64]

RATE_HZ = TIMING.sample_rate_hz
PEAK = 0.5

_GRAIN_SAMPLES = RATE_HZ * 30 // 1000
_GLIDE_S = 0.05  # from the consonant's formants to the vowel's
_FADE_S = 0.03  # at the end of a syllable
_FORMANTS_HZ = {
    "a": (730, 1090, 2440, 3400),
    "e": (530, 1840, 2480, 3400),
    "i": (280, 2250, 2900, 3500),
    "o": (500, 880, 2410, 3300),
    "u": (320, 870, 2240, 3200),
}
_BANDWIDTHS_HZ = np.array([70.0, 100.0, 140.0, 220.0])
_STRENGTHS = np.array([1.0, 0.55, 0.3, 0.15])
_OPEN_VOWELS = ("a", "e", "o")  # words begin with these: the lips must part at once
_CLOSURES = ("b", "d", "m", "s")


@dataclass(frozen=True, slots=True)
class Pace:
    """How words are strung together."""

    syllables: tuple[int, int]  # fewest and most per word or sentence
    pause_s: tuple[float, float]


WORDS = Pace((1, 3), (0.8, 1.2))
SENTENCES = Pace((5, 14), (0.6, 1.5))


def syllables(seconds: float, seed: int, pace: Pace = WORDS) -> tuple[Samples, Floats]:
    """Speech at 16 kHz, and when (in seconds) each word begins after silence."""
    random = np.random.default_rng(seed)
    total = round(seconds * RATE_HZ)
    samples, onsets = np.zeros(total, np.float32), []
    position = round(random.uniform(*pace.pause_s) * RATE_HZ)
    while position < total:
        word = _word(random, int(random.integers(pace.syllables[0], pace.syllables[1] + 1)))
        if position + len(word) > total:
            break
        samples[position : position + len(word)] = word
        onsets.append(position / RATE_HZ)
        position += len(word) + round(random.uniform(*pace.pause_s) * RATE_HZ)
    return samples, np.array(onsets)


def sentences(seconds: float, seed: int) -> tuple[Samples, Floats]:
    """As `syllables`, in sentences of one to three seconds."""
    return syllables(seconds, seed, SENTENCES)


def write_wav(path: Path, samples: Samples, rate_hz: int = RATE_HZ) -> None:
    """Write mono samples as a 16 bit WAV file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())


def _word(random: np.random.Generator, count: int) -> Samples:
    pitch_hz = random.uniform(105, 135)
    parts = [
        _syllable(random, pitch_hz * (1 - 0.03 * min(number, 8)), number) for number in range(count)
    ]
    word = np.concatenate(parts)
    return np.asarray(word * (PEAK / np.abs(word).max()), np.float32)


def _syllable(random: np.random.Generator, pitch_hz: float, number: int) -> Floats:
    vowel = str(random.choice(list(_FORMANTS_HZ) if number else list(_OPEN_VOWELS)))
    vowel_part = _vowel(random, vowel, pitch_hz, random.uniform(0.14, 0.22))
    if not number:  # the first of a word: a plosive burst straight into the vowel
        burst = random.standard_normal(RATE_HZ * 6 // 1000) * 0.4 * np.abs(vowel_part).max()
        return np.concatenate([burst, vowel_part])
    return np.concatenate([_closure(random, pitch_hz, vowel_part), vowel_part])


def _closure(random: np.random.Generator, pitch_hz: float, vowel_part: Floats) -> Floats:
    kind = str(random.choice(_CLOSURES))
    loudness = float(np.abs(vowel_part).max())
    if kind == "s":
        hiss = np.diff(random.standard_normal(RATE_HZ * 90 // 1000 + 2), 2)
        return np.asarray(hiss * np.hanning(len(hiss)) * loudness * 0.08)
    murmur = _pulses(random, np.full(_STRENGTHS.size, 250.0)[None], pitch_hz, 0.06)
    level = 0.25 if kind == "m" else 0.08
    return np.asarray(murmur / np.abs(murmur).max() * loudness * level)


def _vowel(random: np.random.Generator, vowel: str, pitch_hz: float, length_s: float) -> Floats:
    target = np.array(_FORMANTS_HZ[vowel], float)
    start = target * np.array([0.45, 0.8, 0.9, 1.0])  # a closed mouth lowers all formants
    steps = np.arange(0, length_s, 0.005)
    share = np.clip(steps / _GLIDE_S, 0, 1)[:, None]
    sound = _pulses(random, start + (target - start) * share, pitch_hz, length_s)
    fade = round(_FADE_S * RATE_HZ)
    sound[-fade:] *= np.linspace(1, 0, fade) ** 2
    return sound


def _pulses(
    random: np.random.Generator, track_hz: Floats, pitch_hz: float, length_s: float
) -> Floats:
    """One damped formant burst per glottal pulse; `track_hz` [step, formant] spans the length."""
    length = round(length_s * RATE_HZ)
    sound = np.zeros(length + _GRAIN_SAMPLES)
    at_s = 0.0
    while at_s < length_s:
        step = min(int(at_s / length_s * len(track_hz)), len(track_hz) - 1)
        begin = round(at_s * RATE_HZ)
        sound[begin : begin + _GRAIN_SAMPLES] += _grain(track_hz[step])
        at_s += (1 + 0.01 * random.standard_normal()) / pitch_hz
    return sound[:length]


def _grain(formants_hz: Floats) -> Floats:
    time_s = np.arange(_GRAIN_SAMPLES)[:, None] / RATE_HZ
    waves = np.exp(-np.pi * _BANDWIDTHS_HZ * time_s) * np.sin(2 * np.pi * formants_hz * time_s)
    attack = np.minimum(1, time_s[:, 0] / 0.001)
    return np.asarray(attack * (waves @ _STRENGTHS))
