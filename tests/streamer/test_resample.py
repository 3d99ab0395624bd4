from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.api import Samples
from engine.config import TIMING
from streamer.resample import DELAY_WIRE_SAMPLES, FACTOR, Downsampler, Upsampler

CONVERTERS = [Downsampler, Upsampler]
cuts = st.lists(st.integers(0, 3000), max_size=12).map(sorted)


def tone(rate_hz: int, frequency_hz: float, count: int) -> Samples:
    return np.asarray(np.sin(2 * np.pi * frequency_hz / rate_hz * np.arange(count)), np.float32)


@pytest.mark.parametrize("make", CONVERTERS)
@given(cuts=cuts, seed=st.integers(0, 9))
def test_chunk_borders_do_not_matter(
    make: Callable[[], Downsampler | Upsampler], cuts: list[int], seed: int
) -> None:
    audio = np.random.default_rng(seed).standard_normal(3000).astype(np.float32)
    converter = make()
    streamed = np.concatenate([converter.push(piece) for piece in np.split(audio, cuts)])
    np.testing.assert_allclose(streamed, make().push(audio), atol=2e-6)


def test_counts_are_exact() -> None:
    assert len(Downsampler().push(np.zeros(960, np.float32))) == 320
    assert len(Upsampler().push(np.zeros(640, np.float32))) == 1920


@pytest.mark.parametrize("frequency_hz", [100, 1000, 6500])
def test_speech_survives_both_ways_with_the_stated_delay(frequency_hz: int) -> None:
    audio = tone(TIMING.sample_rate_hz, frequency_hz, 4000)
    back = Downsampler().push(Upsampler().push(audio))
    delay = 2 * DELAY_WIRE_SAMPLES // FACTOR
    np.testing.assert_allclose(back[200:3000], audio[200 - delay : 3000 - delay], atol=0.02)


def test_the_delay_is_under_two_milliseconds() -> None:
    assert DELAY_WIRE_SAMPLES / TIMING.wire_rate_hz < 0.002


@pytest.mark.parametrize("frequency_hz", [8500, 12_000, 20_000])
def test_what_16_khz_cannot_hold_is_removed(frequency_hz: int) -> None:
    low = Downsampler().push(tone(TIMING.wire_rate_hz, frequency_hz, 9600))
    assert np.abs(low[100:]).max() < 0.002


def test_no_images_above_8_khz() -> None:
    wire = Upsampler().push(tone(TIMING.sample_rate_hz, 3000, 4000))[1000:10_600]
    spectrum = np.abs(np.fft.rfft(wire * np.hanning(len(wire))))
    above = np.fft.rfftfreq(len(wire), 1 / TIMING.wire_rate_hz) > 8500
    assert spectrum[above].max() < spectrum.max() * 1e-3
