import numpy as np

from engine.portrait.fields import Box, Spread, ThinPlate, smooth_step


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


def test_displacements_of_a_grid_reach_every_pixel() -> None:
    spread = Spread((6, 8), 4, (10, 20))
    spread.displace(np.full((6, 8, 2), (3, -2), np.float32))
    ys, xs = np.mgrid[:24, :32]
    expected = np.stack([xs + 13, ys + 18], -1)
    assert np.abs(spread.places(slice(0, 6), slice(0, 8)) - expected).max() < 1e-4
    part = spread.places(slice(2, 5), slice(3, 7))
    assert np.abs(part - expected[8:20, 12:28]).max() < 1e-4


def test_a_part_of_the_pixels_is_displaced_as_the_whole() -> None:
    spread = Spread((6, 8), 3)
    spread.displace(np.random.default_rng(0).normal(size=(6, 8, 2)).astype(np.float32))
    whole = spread.places(slice(0, 6), slice(0, 8)).copy()
    part = spread.places(slice(1, 4), slice(2, 8))
    assert np.abs(part - whole[3:12, 6:24]).max() < 1e-5
