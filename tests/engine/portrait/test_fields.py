import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.portrait.fields import Box, Patch, Rigid, ThinPlate, grid_places, smooth_step

STILL = Rigid(np.eye(3, dtype=np.float32), np.zeros(3, np.float32))


def _patch(bend: float, wave: float) -> Patch:
    """A patch of 96 x 64 pixels that moves down by a smooth hill of height `bend`."""
    box = Box(0, 0, 96, 64)
    places = grid_places(box, 4)
    hill = np.exp(-(((places - (48, 32)) / wave) ** 2).sum(1))
    basis = np.stack([np.zeros_like(hill), bend * hill, np.zeros_like(hill)]).reshape(1, -1)
    position = np.column_stack([places, np.zeros(len(places))]).T
    weight = np.ones(len(places))
    return Patch(
        box, 4, position.astype(np.float32), weight.astype(np.float32), basis.astype(np.float32)
    )


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


@given(height=st.floats(-6, 9), wave=st.floats(14, 30))
def test_the_backward_map_undoes_the_forward_one(height: float, wave: float) -> None:
    patch = _patch(height, wave)
    forward = patch.forward(np.ones(1, np.float32), STILL)
    back = patch.backward(forward)
    rows, columns = patch.grid
    column = columns // 2
    source = (np.arange(rows) + 0.5) * 4 - 0.5
    lands = source + forward[:, column, 1]
    came_from = lands + np.interp(lands, source, back[:, column, 1])
    inside = (lands > source[0]) & (lands < source[-1])
    assert np.abs(came_from - source)[inside].max() < 1.6


def test_a_shift_moves_everything_by_itself() -> None:
    patch = _patch(0.0, 20.0)
    shift = Rigid(np.eye(3, dtype=np.float32), np.array([3.0, -2.0, 0.0], np.float32))
    forward = patch.forward(np.zeros(1, np.float32), shift)
    assert np.allclose(forward, (3, -2))
    assert np.allclose(patch.full_size(patch.backward(forward)), (-3, 2), atol=1e-4)


def test_a_box_stays_inside_the_picture() -> None:
    box = Box.around(np.array([[-20.0, 5.0], [300.0, 90.0]]), 10, 4, (200, 100))
    assert (box.left, box.top) == (0, 0)
    assert box.width == 200
    assert box.height == 100


def test_the_smooth_step_is_flat_outside() -> None:
    assert smooth_step(1, 3, np.array([0.0, 1.0, 2.0, 3.0, 9.0])).tolist() == [0, 0, 0.5, 1, 1]
