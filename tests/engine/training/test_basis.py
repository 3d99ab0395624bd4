import numpy as np
from safetensors.numpy import load_file

from engine.portrait.channels import SHAPE_CHANNELS, Channel, measure_shape
from engine.portrait.geometry import Canonical
from engine.portrait.prepare import BASIS_PATH
from engine.training.basis import fit_basis, mirror_pairs


def test_moving_one_channel_of_the_shipped_basis_moves_its_own_measure() -> None:
    basis = load_file(BASIS_PATH)["shape_basis"].astype(np.float64)
    assert np.abs(measure_shape(basis) - np.eye(SHAPE_CHANNELS)).max() < 1e-3


def test_the_shipped_basis_keeps_to_its_part_of_the_face() -> None:
    basis = load_file(BASIS_PATH)["shape_basis"]
    forehead, chin = [10, 151, 9], [152, 148, 377]
    mouth = np.delete(np.arange(SHAPE_CHANNELS), Channel.BROWS_UP)
    assert np.abs(basis[mouth][:, forehead]).max() < 1e-6
    assert np.abs(basis[Channel.BROWS_UP, chin]).max() < 1e-6


def test_mirror_pairs_are_pairs() -> None:
    pairs = mirror_pairs(Canonical.load())
    assert np.array_equal(pairs[pairs], np.arange(len(pairs)))
    assert pairs[61] == 291
    assert pairs[152] == 152


def test_a_known_movement_is_learned() -> None:
    """A jaw that drags the cheeks: the fit finds by how much, from frames of two people."""
    canonical = Canonical.load()
    rng = np.random.default_rng(0)
    jaw = np.zeros((468, 3))
    jaw[[148, 152, 377], 1] = -1.0
    jaw[[205, 425], 1] = -0.3
    people = []
    for frames in (80, 120):
        amount = np.abs(rng.normal(0.5, 0.3, (frames, 1, 1)))
        meshes = canonical.points + amount * jaw + rng.normal(0, 0.01, (frames, 468, 3))
        people.append(meshes)
    basis = fit_basis(people, canonical)
    assert np.allclose(basis[Channel.JAW_OPEN, [205, 425], 1], -0.3, atol=0.03)
    assert np.abs(measure_shape(basis)[Channel.JAW_OPEN, Channel.JAW_OPEN] - 1) < 0.01
