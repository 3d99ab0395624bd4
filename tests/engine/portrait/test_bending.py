"""All patches bent at once: as each by itself, and back where things came from."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.portrait.bending import Bending
from engine.portrait.fields import Box, Patch, Rigid, grid_places
from engine.portrait.landmarks import Floats
from engine.portrait.renderer import Scene
from tests.engine.portrait import plain_renderer

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


def bent(patch: Patch, coefficient: float, rigid: Rigid) -> Floats:
    """The backward displacement of one patch by itself."""
    coefficients = np.array([coefficient], np.float32)
    bending = Bending([patch], [range(1)])
    return bending.back(coefficients, rigid, np.zeros((1, 2), np.float32))[0]


@given(height=st.floats(-6, 9), wave=st.floats(14, 30))
def test_the_backward_map_undoes_the_forward_one(height: float, wave: float) -> None:
    patch = _patch(height, wave)
    forward = plain_renderer.forward(patch, np.ones(1, np.float32), STILL)
    back = bent(patch, 1.0, STILL)
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
    assert np.allclose(bent(patch, 0.0, shift), (-3, 2), atol=1e-4)


def test_patches_bend_together_as_each_by_itself(scene: Scene) -> None:
    mouth, (right, _) = scene.rig.mouth, scene.rig.eyes
    patches = [scene.rig.head, mouth.upper, mouth.lower, right.upper]
    drivers = [[*range(10)]] * 3 + [[*range(9), 9, 11]]
    bending = Bending(patches, drivers)
    rng = np.random.default_rng(0)
    for _ in range(3):
        coefficients = rng.uniform(-0.3, 0.6, 12).astype(np.float32)
        turn = np.eye(3) + rng.uniform(-0.1, 0.1, (3, 3))
        rigid = Rigid(turn.astype(np.float32), np.array([9.0, -4.0, 0.0], np.float32))
        carried = rng.integers(-5, 5, (4, 2)).astype(np.float32)
        found = bending.back(coefficients, rigid, carried)
        for number, patch in enumerate(patches):
            forward = plain_renderer.forward(patch, coefficients[drivers[number]], rigid)
            expected = plain_renderer.backward(patch, forward - carried[number])
            assert np.abs(found[number] - expected).max() < 0.05
