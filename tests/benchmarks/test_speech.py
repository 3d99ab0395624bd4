"""The made-up speech is what its docstring says."""

import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engine.api import Samples
from tests.speech import PEAK, RATE_HZ, Floats, sentences, syllables, write_wav

LOUD = 0.05


def test_the_same_seed_speaks_the_same() -> None:
    first, again, other = syllables(5, 3)[0], syllables(5, 3)[0], syllables(5, 4)[0]
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("speak", [syllables, sentences])
def test_every_onset_follows_true_silence_and_is_loud_at_once(
    speak: Callable[[float, int], tuple[Samples, Floats]],
) -> None:
    samples, onsets_s = speak(30, 0)
    assert len(onsets_s) >= 5
    for begin in np.round(onsets_s * RATE_HZ).astype(int):
        assert not samples[begin - RATE_HZ // 2 : begin].any()
        assert np.sqrt(np.mean(samples[begin : begin + RATE_HZ // 50] ** 2)) > LOUD


def test_the_sound_is_bounded_and_as_long_as_asked() -> None:
    samples, _ = syllables(7.3, 1)
    assert samples.shape == (round(7.3 * RATE_HZ),)
    assert samples.dtype == np.float32
    assert np.abs(samples).max() == pytest.approx(PEAK)


def test_voiced_energy_lies_where_speech_has_it() -> None:
    samples, _ = sentences(20, 2)
    power = np.abs(np.fft.rfft(samples)) ** 2
    frequency_hz = np.fft.rfftfreq(len(samples), 1 / RATE_HZ)
    assert power[(frequency_hz > 100) & (frequency_hz < 4000)].sum() > 0.9 * power.sum()


def test_a_wav_file_holds_the_samples(tmp_path: Path) -> None:
    samples, _ = syllables(2, 0)
    write_wav(tmp_path / "speech.wav", samples)
    with wave.open(str(tmp_path / "speech.wav"), "rb") as file:
        assert (file.getframerate(), file.getnchannels()) == (RATE_HZ, 1)
        read = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32767
    np.testing.assert_allclose(read, samples, atol=1 / 32767)
