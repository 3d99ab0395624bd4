"""The mouth is read from pictures; a picture is never skipped."""

import cv2
import numpy as np
import pytest

from benchmarks.mouth import opening
from engine.portraits import bundled_portraits
from tests.benchmarks.parted_lips import parted


def test_a_bar_is_read_as_a_difference() -> None:
    still = np.full((64, 64, 3), 90, np.uint8)
    moved = still.copy()
    moved[32:48, 20:-20] = 255
    found = opening([still] * 60 + [moved] * 2 + [still])
    assert found.method == "difference"
    assert len(found.values) == 63
    assert np.flatnonzero(found.values > 1).tolist() == [60, 61]


def test_no_pictures_have_no_opening() -> None:
    assert not len(opening([]).values)


@pytest.mark.slow
def test_parted_lips_are_seen_though_the_face_sways() -> None:
    portrait = np.ascontiguousarray(bundled_portraits()["astronaut"][:300, 90:390])
    open_mouth = parted(portrait, 8)
    shift = [np.array([[1, 0, 3 * np.sin(n / 4)], [0, 1, 0]]) for n in range(64)]
    film = [
        cv2.warpAffine(open_mouth if 55 <= n < 60 else portrait, matrix, (300, 300)).astype(
            np.uint8
        )
        for n, matrix in enumerate(shift)
    ]
    found = opening(film)
    assert found.method == "landmarks"
    closed = np.concatenate([found.values[:55], found.values[60:]])
    assert found.values[55:60].min() > closed.max() + 2
