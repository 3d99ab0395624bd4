import numpy as np

from benchmarks.quality import _corner_change, _eye_opening, _normal_bones
from engine.portrait.landmarks import Floats


def _points() -> Floats:
    return np.random.default_rng(0).uniform(0, 500, (478, 3)).astype(np.float32)


def test_bones_do_not_care_for_place_size_and_tilt() -> None:
    points = _points()
    turned = points.copy()
    angle = 0.4
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turned[:, :2] = 1.7 * points[:, :2] @ turn.T + (30, -12)
    assert np.allclose(_normal_bones(points), _normal_bones(turned), atol=1e-4)
    moved = points.copy()
    moved[168] += 20
    assert not np.allclose(_normal_bones(points), _normal_bones(moved), atol=1e-2)


def test_closed_eyes_have_no_opening() -> None:
    points = _points()
    points[[159, 386]] = points[[145, 374]]
    assert _eye_opening(points) == 0


def test_a_change_in_a_corner_is_seen() -> None:
    still = np.full((100, 100, 3), 50, np.uint8)
    frame = still.copy()
    frame[40:60, 40:60] = 200
    assert _corner_change(frame, still) == 0
    frame[:10, :10] = 60
    assert _corner_change(frame, still) == 5
