import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.control import following
from engine.portrait.seamless import Loop, smooth_without_lag


@given(st.integers(1, 200), st.integers(1, 700))
def test_a_film_goes_to_and_fro_without_a_jump_in_place_or_speed(frames: int, count: int) -> None:
    places = np.array([Loop(frames).place(frame) for frame in range(count)])
    assert (places >= 0).all()
    assert (places <= frames - 1).all()
    speed = np.diff(places)
    assert (np.abs(speed) <= 1 + 1e-9).all()
    if frames > 20:
        assert (np.abs(np.diff(speed)) < 0.3).all()


def test_the_first_pass_is_the_film_itself() -> None:
    motion = np.arange(50, dtype=np.float32)[:, None]
    played = np.concatenate([Loop(50).at(motion, frame) for frame in range(45)])
    assert np.array_equal(played, motion[:45, 0])


def test_all_of_a_film_is_shown() -> None:
    places = [Loop(50).place(frame) for frame in range(300)]
    assert max(places) > 48.5
    assert min(places[60:]) < 0.5


def test_smoothing_takes_noise_and_adds_no_lag() -> None:
    chance = np.random.default_rng(0)
    clean = np.sin(np.arange(300) / 8)[:, None].astype(np.float32)
    noisy = clean + 0.1 * chance.standard_normal(clean.shape).astype(np.float32)
    smooth = smooth_without_lag(noisy)
    assert np.abs(smooth - clean).mean() < 0.8 * np.abs(noisy - clean).mean()
    found = following(clean[:, 0].astype(np.float64), smooth[:, 0].astype(np.float64))
    assert found.lag_frames == 0
    assert found.correlation > 0.99


def test_one_picture_is_a_film_too() -> None:
    one = np.ones((1, 3), np.float32)
    assert np.array_equal(smooth_without_lag(one), one)
    assert np.array_equal(Loop(1).at(one, 99), one[0])
