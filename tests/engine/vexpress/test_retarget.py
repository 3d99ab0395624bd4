"""The published ways to bring a track to a portrait, and the quirk in choosing a frame."""

import numpy as np
import pytest

from engine.vexpress.kps import Points, TrackError
from engine.vexpress.retarget import Strategy, face_size, fit_to_portrait, retarget, turn_ratio

PORTRAIT = np.array([[100, 100], [160, 100], [130, 140]], np.float32)


def turned(nose_x: float) -> Points:
    """A smaller face, its nose somewhere between the eyes."""
    return np.array([[50, 50], [80, 50], [nose_x, 70]], np.float32)


TRACK = np.stack([turned(x) for x in (55, 65, 75, 60)])  # the second looks straight ahead


def test_a_fixed_face_never_moves() -> None:
    fixed = retarget(Strategy.FIX_FACE, PORTRAIT, TRACK, published_frame=False)
    np.testing.assert_array_equal(fixed, np.stack([PORTRAIT] * 4))


def test_without_retargeting_the_track_is_taken_as_it_is() -> None:
    assert retarget(Strategy.NO_RETARGET, PORTRAIT, TRACK, published_frame=False) is TRACK


def test_the_most_alike_frame_gives_the_scale() -> None:
    fit = fit_to_portrait(PORTRAIT, TRACK, published_frame=False)
    assert fit.frame == 1
    assert (fit.scale_across, fit.scale_along) == (2.0, 2.0)


def test_as_published_a_less_similar_frame_may_win() -> None:
    # It remembers the ratio of the frame it took, not how far off that was: almost any later
    # frame passes.
    assert fit_to_portrait(PORTRAIT, TRACK, published_frame=True).frame == 3


def test_naive_retargeting_starts_at_the_portraits_nose() -> None:
    moved = retarget(Strategy.NAIVE_RETARGET, PORTRAIT, TRACK, published_frame=False)
    np.testing.assert_allclose(moved[0, 2], PORTRAIT[2])
    np.testing.assert_allclose(moved[1, 2] - moved[0, 2], [20, 0])  # 10 pixels, twice as large
    assert moved.dtype == np.float32


def test_offset_retargeting_moves_the_whole_face_back_by_half() -> None:
    moved = retarget(Strategy.OFFSET_RETARGET, PORTRAIT, TRACK, published_frame=False)
    np.testing.assert_array_equal(moved[0], PORTRAIT)
    np.testing.assert_allclose(moved[1], PORTRAIT - np.array([10, 0]))


@pytest.mark.parametrize("strategy", [Strategy.OFFSET_RETARGET, Strategy.NAIVE_RETARGET])
def test_a_face_without_size_is_refused(strategy: Strategy) -> None:
    flat = np.stack([np.full((3, 2), 9, np.float32)] * 2)
    with pytest.raises(TrackError, match="fall together"):
        retarget(strategy, PORTRAIT, flat, published_frame=False)


def test_a_track_does_not_tell_how_a_head_is_turned() -> None:
    with pytest.raises(TrackError, match="pose_retarget: needs a film"):
        retarget(Strategy.POSE_RETARGET, PORTRAIT, TRACK, published_frame=False)


def test_size_and_turn_do_not_change_with_place_and_roll() -> None:
    angle = np.deg2rad(20)
    roll = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], np.float32)
    moved = PORTRAIT @ roll + np.float32(33)
    np.testing.assert_allclose(face_size(moved), face_size(PORTRAIT), rtol=1e-5)
    assert turn_ratio(moved) == pytest.approx(turn_ratio(PORTRAIT), rel=1e-5)


def test_a_nose_beside_the_eyes_is_measured_to_the_nearer_eye() -> None:
    beside = np.array([[0, 0], [10, 0], [13, 4]], np.float32)
    assert face_size(beside).along == pytest.approx(5.0)


def test_only_a_fixed_face_needs_no_track() -> None:
    assert [strategy for strategy in Strategy if not strategy.needs_track] == [Strategy.FIX_FACE]
