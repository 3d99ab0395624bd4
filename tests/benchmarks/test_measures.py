"""Every measure on curves whose answer is known by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.curves import Floats
from benchmarks.measures import (
    Closures,
    blinks,
    closures,
    flicker,
    follows,
    largest_turn_degrees,
    longest_still_s,
    seam_ratio,
    shape_drift,
    spread_ratio,
    upper_face_motion,
)

SHUT_S = (0.42, 1.22, 2.02)  # in frames 10, 30, 50
OPEN_S = (0.82, 1.62)  # in frames 20, 40


def speaking(closed_frames: tuple[int, ...]) -> Floats:
    opening = np.ones(60)
    opening[list(closed_frames)] = 0.05
    return opening


@pytest.mark.parametrize(
    ("opening", "expected"),
    [
        (speaking((10, 30, 50)), Closures(3, 3, 0, 2)),
        (speaking((11, 29, 52)), Closures(2, 3, 0, 2)),  # one frame off counts, two do not
        (speaking((10, 30, 50, 40)), Closures(3, 3, 0, 2)),  # a passing closure is not held
        (speaking((10, 39, 40, 41)), Closures(1, 3, 1, 2)),
        (np.ones(60), Closures(0, 3, 0, 2)),  # always open: nothing recalled
        (np.zeros(60), Closures(3, 3, 2, 2)),  # never open: every vowel is false
        (0.1 * speaking((10, 30, 50)), Closures(3, 3, 0, 2)),  # whispering lips, judged by size
    ],
)
def test_closures_within_a_frame_of_the_middle(opening: Floats, expected: Closures) -> None:
    found = closures(opening, SHUT_S, OPEN_S, 0.01)
    assert found == expected


def test_a_trembling_that_networks_cannot_see_is_closed() -> None:
    opening = np.tile([0.01, 0.06], 30)
    assert closures(opening, SHUT_S, OPEN_S, 0.08) == Closures(3, 3, 2, 2)


def test_shares_of_closures() -> None:
    both = Closures(8, 10, 1, 4) + Closures(1, 10, 0, 1)
    assert both.recall == pytest.approx(0.45)
    assert both.false_share == pytest.approx(0.2)
    assert Closures(0, 0, 0, 0).recall is Closures(0, 0, 0, 0).false_share is None


def test_moments_beyond_the_film_are_those_of_its_end() -> None:
    assert closures(np.array([1.0, 1.0, 0.0]), [9.0], [], 0.01).recalled == 1


@given(lag=st.integers(-5, 5))
def test_the_lag_is_found(lag: int) -> None:
    truth = np.random.default_rng(1).normal(size=200)
    found = follows(np.roll(truth, lag), truth)
    assert found.best_lag_frames == lag
    assert found.best == pytest.approx(1)
    assert found.at_once == pytest.approx(1) if lag == 0 else abs(found.at_once) < 0.3


def test_spread_ratio() -> None:
    wave = np.sin(np.arange(50))
    assert spread_ratio(0.25 * wave + 3, wave) == pytest.approx(0.25)
    assert spread_ratio(wave, np.ones(50)) is None


def steps(chunk: int, jump: float, frames: int = 80) -> Floats:
    """Even motion by 1 per frame, but by `jump` into every chunk."""
    change = np.ones(frames - 1)
    change[chunk - 1 :: chunk] = jump
    return np.concatenate([[0], change.cumsum()])[:, None]


@pytest.mark.parametrize("jump", [0.5, 1.0, 3.0])
def test_a_seam_is_how_much_more_borders_jump(jump: float) -> None:
    assert seam_ratio([steps(4, jump), steps(4, jump)], 4) == pytest.approx(jump)


def test_a_hidden_seam_shows_in_an_engine_without_chunks() -> None:
    assert seam_ratio([steps(4, 3.0)], 1) == pytest.approx(3)
    assert seam_ratio([steps(4, 1.0)], 1) == pytest.approx(1)


def test_a_mouth_that_never_moves_has_no_seam() -> None:
    assert seam_ratio([np.zeros((80, 9))], 4) is None
    assert seam_ratio([steps(4, 2.0, frames=5)], 4) is None
    assert seam_ratio([], 4) is None


def test_blinks_are_counted_once_each() -> None:
    eyes = np.full(100, 0.3)
    eyes[[10, 11, 12, 40, 70, 71]] = 0.1
    eyes[90] = 0.25  # lids that only sink
    assert blinks(eyes) == 3


def test_how_long_a_head_is_still() -> None:
    turning = np.radians(np.arange(200) * 0.1)
    angles = np.zeros((200, 3))
    angles[:, 1] = turning
    moving_s = longest_still_s(angles)
    assert moving_s <= 4 * 0.04
    angles[50:120, 1] = angles[50, 1]
    assert longest_still_s(angles) == pytest.approx(70 * 0.04, abs=0.2)
    assert longest_still_s(np.zeros((100, 3))) == pytest.approx(96 * 0.04)  # five make one value


def test_how_far_a_head_turns() -> None:
    angles = np.zeros((99, 3))
    angles[:, 0] = 0.5  # how the portrait is turned anyway
    angles[7, 2] = np.radians(-4)
    assert largest_turn_degrees(angles) == pytest.approx(4)


def test_the_motion_of_the_upper_face() -> None:
    upper = np.zeros((100, 2, 3))
    upper[::2, 0, 1] = 0.2  # one of two points goes up and down by 0.1
    assert upper_face_motion(upper) == pytest.approx(0.05)


def test_bones_that_stay_do_not_drift() -> None:
    bones = np.ones((10, 5, 2))
    assert shape_drift(bones) == 0
    bones[::2, :, 0] = 1.2
    assert shape_drift(bones) == pytest.approx(0.1)


def test_flicker_is_in_time_what_contrast_is_in_space() -> None:
    checks = np.indices((8, 8)).sum(0) % 2 * 100 + 50
    still = np.repeat(checks[None], 4, axis=0).astype(np.uint8)
    assert flicker(still) == 0
    trembling = still + np.array([0, 10, 0, 10], np.uint8)[:, None, None]
    assert flicker(trembling) == pytest.approx(5 / 50)
    assert flicker(np.zeros((4, 8, 8), np.uint8)) is None
