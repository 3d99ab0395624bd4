import numpy as np

from engine.portrait.fields import Box, ThinPlate, smooth_step


def test_a_thin_plate_passes_through_its_points() -> None:
    rng = np.random.default_rng(0)
    points, values = rng.uniform(0, 100, (30, 2)), rng.normal(size=(30, 3))
    assert np.abs(ThinPlate(points, values).at(points) - values).max() < 0.05


def test_a_thin_plate_keeps_a_plane() -> None:
    points = np.random.default_rng(0).uniform(0, 100, (30, 2))
    plane = points @ np.array([0.3, -0.2]) + 5
    elsewhere = np.array([[150.0, -40.0], [7.0, 7.0]])
    expected = elsewhere @ np.array([0.3, -0.2]) + 5
    assert np.abs(ThinPlate(points, plane).at(elsewhere) - expected).max() < 1e-6


def test_a_box_stays_inside_the_picture() -> None:
    box = Box.around(np.array([[-20.0, 5.0], [300.0, 90.0]]), 10, 4, (200, 100))
    assert (box.left, box.top) == (0, 0)
    assert box.width == 200
    assert box.height == 100


def test_the_smooth_step_is_flat_outside() -> None:
    assert smooth_step(1, 3, np.array([0.0, 1.0, 2.0, 3.0, 9.0])).tolist() == [0, 0, 0.5, 1, 1]
