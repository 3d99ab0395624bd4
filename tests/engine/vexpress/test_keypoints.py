"""The three points from the project's own landmarks, by the conventions of the stored ones."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from engine.api import NoFaceError, Picture
from engine.portrait.landmarks import FaceLandmarker
from engine.portraits import bundled_portraits
from engine.vexpress.goldens import read_golden
from engine.vexpress.keypoints import find_points, follow_points, points_from_landmarks
from engine.vexpress.kps import TrackError
from engine.vexpress.retarget import face_size, turn_ratio


@pytest.fixture(scope="module")
def landmarker() -> FaceLandmarker:
    return FaceLandmarker()


@pytest.fixture(scope="module")
def astronaut() -> Picture:
    return bundled_portraits()["astronaut"]


def test_eyes_are_the_middle_of_their_outline_and_the_nose_is_its_tip() -> None:
    landmarks = np.zeros((478, 3), np.float32)
    landmarks[[33, 133, 159, 145], :2] = [[0, 5], [10, 5], [5, 0], [5, 10]]
    landmarks[[263, 362, 386, 374], :2] = [[30, 5], [20, 5], [25, 2], [25, 8]]
    landmarks[4, :2] = [15, 20]
    landmarks[468:, :2] = 99  # the irises may look where they want
    points = points_from_landmarks(landmarks)
    np.testing.assert_array_equal(points, [[5, 5], [25, 5], [15, 20]])
    assert points.dtype == np.float32


def test_points_of_a_face_are_ordered_as_the_stored_ones(
    landmarker: FaceLandmarker, astronaut: Picture, committed: Path
) -> None:
    """Left eye in the picture, right eye, nose below: what every stored reference face has."""
    golden = read_golden(committed / "f_kps.safetensors")
    faces = [
        golden.inputs(case["name"])["reference_kps"].numpy()
        for case in golden.cases
        if case["kind"] == "retarget"
    ]
    found = find_points(landmarker, astronaut, 512, 512)
    proportions = []
    for left, right, nose in [*faces, found]:
        assert left[0] < nose[0] < right[0]
        assert nose[1] > max(left[1], right[1])
        size = face_size(np.stack([left, right, nose]))
        proportions.append(size.along / size.across)
    assert min(proportions[:-1]) * 0.8 < proportions[-1] < max(proportions[:-1]) * 1.25


def test_points_are_in_pixels_of_the_resized_picture(
    landmarker: FaceLandmarker, astronaut: Picture
) -> None:
    large = find_points(landmarker, astronaut, 512, 512)
    small = find_points(landmarker, astronaut, 256, 384)
    np.testing.assert_allclose(small / [384, 256], large / 512, atol=0.012)


def test_a_mirrored_face_swaps_its_eyes(landmarker: FaceLandmarker, astronaut: Picture) -> None:
    points = find_points(landmarker, astronaut, 512, 512)
    mirrored = find_points(landmarker, np.ascontiguousarray(astronaut[:, ::-1]), 512, 512)
    expected = np.array([[511, 0]], np.float32) + points[[1, 0, 2]] * [-1, 1]
    np.testing.assert_allclose(mirrored, expected, atol=4)
    assert turn_ratio(mirrored) == pytest.approx(1 / turn_ratio(points), rel=0.15)


def test_a_moving_face_is_followed(landmarker: FaceLandmarker, astronaut: Picture) -> None:
    pictures = [
        np.asarray(
            cv2.warpAffine(astronaut, np.array([[1, 0, shift], [0, 1, 0]], np.float32), (512, 512)),
            np.uint8,
        )
        for shift in (0, 6, 12)
    ]
    track = np.stack(list(follow_points(landmarker, pictures, 512, 512)))
    np.testing.assert_allclose(
        track[:, :, 0] - track[0, :, 0], [[0] * 3, [6] * 3, [12] * 3], atol=2
    )


def test_no_face_is_an_error_that_says_where(
    landmarker: FaceLandmarker, astronaut: Picture
) -> None:
    grey = np.full((64, 64, 3), 127, np.uint8)
    with pytest.raises(NoFaceError, match="no face found"):
        find_points(landmarker, grey, 512, 512)
    with pytest.raises(TrackError, match="frame 1: no face"):
        list(follow_points(landmarker, [astronaut, grey], 512, 512))
