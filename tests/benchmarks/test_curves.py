"""The measuring functions find delays that are known because the test made them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.curves import Curve, Floats, falls_silent_s, gaps_s, lag, noise_at_rest, rise_s

FRAME_S = 0.04


def bumps(times_s: Floats, onsets_s: Floats, rise_s: float = 0.02) -> Floats:
    """Zero, but up to one and back within 0.3 s after every onset."""
    since = times_s[:, None] - onsets_s
    ramps = np.minimum(since / rise_s, (0.3 - since) / rise_s)
    return np.asarray(np.clip(ramps, 0, 1).max(axis=1))


def noisy(values: Floats, amount: float) -> Floats:
    return values + np.random.default_rng(0).standard_normal(len(values)) * amount


ONSETS_S = np.array([1.2, 2.41, 3.53, 4.76, 5.98, 7.03])
SENT_S = np.arange(0, 9, 0.005)
SENT = Curve(SENT_S, bumps(SENT_S, ONSETS_S))


@settings(deadline=None)
@given(delay_s=st.floats(0.02, 0.45), phase_s=st.floats(0, FRAME_S))
def test_a_rise_is_found_to_within_a_frame(delay_s: float, phase_s: float) -> None:
    shown_s = np.arange(phase_s, 9, FRAME_S)
    mouth = Curve(shown_s, noisy(bumps(shown_s, ONSETS_S + delay_s) * 20, 0.3))
    noise = noise_at_rest(mouth.between(0, 1))
    found = [rise_s(mouth, onset, onset + 0.8, noise) for onset in ONSETS_S]
    late_s = np.array([at for at in found if at is not None]) - ONSETS_S - delay_s
    assert (late_s > -0.001).all()
    assert (late_s < FRAME_S + 0.006).all()  # a frame, and the way up to the threshold


@settings(deadline=None)
@given(delay_s=st.floats(0.0, 0.45))
def test_a_lag_is_found_to_within_half_a_frame(delay_s: float) -> None:
    shown_s = np.arange(0.013, 9, FRAME_S)
    mouth = Curve(shown_s, noisy(bumps(shown_s, ONSETS_S + delay_s), 0.05))
    found = lag(SENT, mouth, 0.6)
    assert found is not None
    # What is sampled every 40 ms and held is 20 ms late on average.
    assert found.delay_s == pytest.approx(delay_s + FRAME_S / 2, abs=FRAME_S / 2)
    assert found.correlation > 0.8


def test_a_lag_may_be_negative() -> None:
    early = Curve(SENT_S, bumps(SENT_S, ONSETS_S - 0.06))
    found = lag(SENT, early, 0.5, -0.5)
    assert found is not None
    assert found.delay_s == pytest.approx(-0.06, abs=0.002)


def test_nothing_is_found_where_nothing_moves() -> None:
    shown_s = np.arange(0, 9, FRAME_S)
    still = Curve(shown_s, noisy(np.zeros(len(shown_s)), 0.3))
    noise = noise_at_rest(still)
    assert all(rise_s(still, onset, onset + 0.8, noise) is None for onset in ONSETS_S)
    assert lag(SENT, Curve(shown_s, np.ones(len(shown_s))), 0.6) is None
    assert lag(SENT, Curve(np.empty(0), np.empty(0)), 0.6) is None


def test_one_bad_value_is_no_rise() -> None:
    shown_s = np.arange(0, 3, FRAME_S)
    values = bumps(shown_s, np.array([1.5])) * 20
    values[np.searchsorted(shown_s, 1.2)] = 30
    assert rise_s(Curve(shown_s, values), 1.1, 2.0) == pytest.approx(1.52, abs=0.021)


def test_silence_counts_once_it_lasts() -> None:
    times_s = np.arange(0, 2, 0.01)
    level = np.where((times_s < 0.505) | ((times_s > 0.555) & (times_s < 0.705)), 1.0, 0.0)
    curve = Curve(times_s, level)
    assert falls_silent_s(curve, 0.3, 0.5, 0.2) == pytest.approx(0.71)
    assert falls_silent_s(curve, 0.9, 0.5, 0.2) == pytest.approx(0.9, abs=0.011)
    assert falls_silent_s(curve, 0.3, 0.5, 5.0) is None


def test_gaps() -> None:
    times_s = np.array([0.0, 0.04, 0.3, 0.34, 0.53])
    assert gaps_s(times_s, 0.19).tolist() == pytest.approx([0.26, 0.19])


def test_a_curve_holds_its_values() -> None:
    curve = Curve(np.array([1.0, 2.0]), np.array([5.0, 7.0]))
    assert curve.held_at(np.array([0.0, 1.0, 1.99, 2.0, 9.0])).tolist() == [5, 5, 5, 7, 7]
    with pytest.raises(ValueError, match="times for"):
        Curve(np.zeros(2), np.zeros(3))
