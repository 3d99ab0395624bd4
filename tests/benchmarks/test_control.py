import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.control import blink_frames, blink_timing, following, loudness, seam_ratio
from benchmarks.curves import Floats
from engine.config import TIMING

WAVE = np.sin(np.arange(200) / 9) + 0.4 * np.sin(np.arange(200) / 3.3)


@given(st.integers(-5, 5))
def test_a_known_lag_is_found(lag: int) -> None:
    found = following(WAVE[10:-10], WAVE[10 - lag : 190 - lag])
    assert found.lag_frames == lag
    assert (found.correlation > 0.999) == (lag == 0)


def test_what_does_not_move_is_followed_by_nothing() -> None:
    assert following(np.zeros(50), WAVE[:50]).correlation == 0


def eyes(*blinks: int) -> Floats:
    opened = np.full(100, 0.3)
    for frame in blinks:
        opened[frame - 1 : frame + 2] = 0.15, 0.05, 0.18
    return opened


def test_blinks_are_found_in_the_frame_in_which_the_eyes_shut() -> None:
    assert blink_frames(eyes(10, 55)) == [9, 54]
    timing = blink_timing(eyes(10, 55, 80), eyes(11, 55))
    assert (timing.driver_blinks, timing.found, timing.prompt, timing.latest_frames) == (3, 2, 2, 1)


def test_a_squint_is_no_blink_and_one_that_flutters_is_one() -> None:
    assert blink_frames(np.where(np.arange(100) == 40, 0.2, 0.3)) == []
    assert blink_frames(np.minimum(eyes(10), eyes(14))) == [9]


def test_loudness_is_zero_in_silence_and_grows() -> None:
    size = TIMING.samples_per_frame
    samples = np.concatenate([np.zeros(size), np.full(size, 0.1)]).astype(np.float32)
    level = loudness(samples, 3)
    assert level[0] == level[2] == 0
    assert 39 < level[1] < 41


def test_a_jump_where_a_film_turns_is_seen() -> None:
    angles = np.cumsum(np.full((40, 3), 0.01), axis=0)
    turns = np.array([20])
    assert 0.99 < seam_ratio(angles, turns) < 1.01
    angles[20:] += 0.05
    assert seam_ratio(angles, turns) > 5
