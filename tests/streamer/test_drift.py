import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.api import Samples
from streamer.drift import MAX_STRETCH, SPARE_SAMPLES, WATCH_FRAMES, DriftControl, HairResampler

RATE_HZ = 48_000


def tone(frequency_hz: float, count: int, rate_hz: float = RATE_HZ) -> Samples:
    time_s = np.arange(count) / rate_hz
    return np.asarray(np.sin(2 * np.pi * frequency_hz * time_s), np.float32)


@pytest.mark.parametrize("stretch", [0.0, 0.0002, -0.001])
def test_a_tone_keeps_its_shape_and_changes_its_length(stretch: float) -> None:
    resampler, wire = HairResampler(), tone(1000, RATE_HZ)
    made = np.concatenate([resampler.push(part, stretch) for part in np.split(wire, 50)])
    assert len(made) == pytest.approx(RATE_HZ * (1 + stretch), abs=1.5)
    wanted = np.sin(2 * np.pi * 1000 * (np.arange(len(made)) / (1 + stretch) - 2) / RATE_HZ)
    assert np.abs(made - wanted)[100:].max() < 2e-3


@given(cuts=st.lists(st.integers(0, 2000), max_size=8).map(sorted), ppm=st.integers(-3000, 3000))
def test_where_the_sound_is_cut_changes_nothing(cuts: list[int], ppm: int) -> None:
    wire = tone(700, 2000)
    whole, pieces = HairResampler(), HairResampler()
    parts = [pieces.push(part, ppm / 1e6) for part in np.split(wire, cuts)]
    made, wanted = np.concatenate(parts), whole.push(wire, ppm / 1e6)
    assert abs(len(made) - len(wanted)) <= 1  # a sample may just not be due yet
    common = min(len(made), len(wanted))
    np.testing.assert_allclose(made[:common], wanted[:common], atol=1e-4)


def observe(control: DriftControl, spare_samples: int, windows: int) -> list[int]:
    seen = [control.observe(spare_samples) for _ in range(windows * WATCH_FRAMES)]
    return [least for least in seen if least is not None]


def test_more_waits_than_is_needed_so_fewer_samples_are_made() -> None:
    control = DriftControl()
    assert observe(control, SPARE_SAMPLES + 160, 1) == [SPARE_SAMPLES + 160]
    assert -MAX_STRETCH <= control.stretch < 0
    observe(control, SPARE_SAMPLES - 160, 3)
    assert 0 < control.stretch <= MAX_STRETCH


def test_it_never_goes_beyond_what_is_heard() -> None:
    control = DriftControl()
    observe(control, 100_000, 50)
    assert control.stretch == -MAX_STRETCH


def test_what_was_learned_of_the_clock_outlives_a_break() -> None:
    control = DriftControl()
    observe(control, SPARE_SAMPLES + 160, 10)
    control.forget()
    assert -MAX_STRETCH < control.stretch < 0
