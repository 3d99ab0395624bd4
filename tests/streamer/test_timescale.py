import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.api import Samples
from engine.config import TIMING
from streamer.timescale import FADE_SAMPLES, Concealer, shortened

RATE_HZ = TIMING.sample_rate_hz


def voice(pitch_hz: float, count: int = 640) -> Samples:
    time_s = np.arange(count) / RATE_HZ
    harmonics = [np.sin(2 * np.pi * pitch_hz * n * time_s) / n for n in (1, 2, 3)]
    return np.asarray(0.3 * np.sum(harmonics, axis=0), np.float32)


@pytest.mark.parametrize("pitch_hz", [100, 160, 250])
def test_a_lost_packet_of_a_vowel_is_hardly_missed(pitch_hz: float) -> None:
    spoken = voice(pitch_hz, 960)
    concealer = Concealer()
    concealer.heard(spoken[:640])
    made = concealer.conceal(160)
    level = 1 - np.arange(160) / FADE_SAMPLES
    assert np.abs(made - spoken[640:800] * level).max() < 0.12
    assert np.abs(made[0] - spoken[639]) < 0.15, "no click"


def test_what_was_lost_for_long_fades_to_silence() -> None:
    concealer = Concealer()
    concealer.heard(voice(120))
    made = np.concatenate([concealer.conceal(320) for _ in range(6)])
    loudness = np.abs(made).reshape(-1, 320).max(axis=1)
    assert (np.diff(loudness) <= 0).all()
    assert not made[FADE_SAMPLES:].any()


def test_after_true_sound_it_begins_anew() -> None:
    concealer = Concealer()
    concealer.heard(voice(120))
    first = concealer.conceal(320)
    concealer.heard(voice(120))
    np.testing.assert_array_equal(concealer.conceal(320), first)


def test_nothing_heard_is_continued_by_nothing() -> None:
    assert not Concealer().conceal(1000).any()


@pytest.mark.parametrize("pitch_hz", [100, 160, 250])
def test_a_vowel_is_shortened_by_whole_periods(pitch_hz: float) -> None:
    spoken = voice(pitch_hz, 480)
    left = shortened(spoken, 200)
    periods = (480 - len(left)) * pitch_hz / RATE_HZ
    assert periods >= 1
    assert periods == pytest.approx(round(periods), abs=0.02)
    np.testing.assert_allclose(left, spoken[: len(left)], atol=0.05)


def test_noise_is_left_alone() -> None:
    noise = np.random.default_rng(0).standard_normal(480).astype(np.float32)
    assert shortened(noise, 200) is noise


@given(count=st.integers(0, 700), most=st.integers(0, 400))
def test_never_more_is_cut_than_was_asked_for(count: int, most: int) -> None:
    spoken = voice(130, count)
    assert 0 <= count - len(shortened(spoken, most)) <= most
