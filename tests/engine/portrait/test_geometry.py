import numpy as np
import pytest

from engine.api import Picture
from engine.portrait.channels import Channel, lip_gap, measure_shape, rest_mesh
from engine.portrait.geometry import Canonical, PoseSolver
from engine.portrait.landmarks import FaceLandmarker


def _project(
    canonical: Canonical, yaw: float, pitch: float
) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Landmarks of the canonical face turned and seen by the solver's own camera, 640 x 480."""
    cos, sin = np.cos, np.sin
    about_y = np.array([[cos(yaw), 0, sin(yaw)], [0, 1, 0], [-sin(yaw), 0, cos(yaw)]])
    about_x = np.array([[1, 0, 0], [0, cos(pitch), sin(pitch)], [0, -sin(pitch), cos(pitch)]])
    room = canonical.points @ (about_y @ about_x).T + (1.0, -2.0, -60.0)
    focal = 240 / np.tan(np.radians(63 / 2))
    depth = -room[:, 2]
    x = 320 + focal * room[:, 0] / depth
    y = 240 - focal * room[:, 1] / depth
    z = (depth - depth.mean()) * focal / depth.mean()
    return np.column_stack([x, y, z]).astype(np.float32)


@pytest.mark.parametrize(("yaw", "pitch"), [(0.0, 0.0), (0.3, 0.0), (0.0, 0.25), (-0.2, -0.2)])
def test_a_known_pose_is_found(
    canonical: Canonical, solver: PoseSolver, yaw: float, pitch: float
) -> None:
    posed = solver.solve(_project(canonical, yaw, pitch), 640, 480)
    found_yaw, found_pitch, roll = posed.angles
    assert found_yaw == pytest.approx(yaw, abs=0.03)
    assert found_pitch == pytest.approx(pitch, abs=0.03)
    assert roll == pytest.approx(0, abs=0.02)
    assert np.abs(posed.mesh - canonical.points).max() < 0.4


def test_the_canonical_mesh_is_symmetric(canonical: Canonical) -> None:
    assert canonical.points.shape == (468, 3)
    assert canonical.triangles.shape == (898, 3)
    mirrored = canonical.points * (-1, 1, 1)
    gaps = np.linalg.norm(mirrored[:, None] - canonical.points[None], axis=-1).min(1)
    assert gaps.max() < 1e-4


def test_each_channel_measures_its_own_movement(canonical: Canonical) -> None:
    rest = measure_shape(canonical.points)
    moved = canonical.points.copy()
    moved[[148, 152, 377], 1] -= 0.5
    change = measure_shape(moved) - rest
    assert change[Channel.JAW_OPEN] == pytest.approx(0.5)
    assert np.abs(np.delete(change, Channel.JAW_OPEN)).max() < 1e-9
    moved = canonical.points.copy()
    moved[[61, 291], 0] += (-0.1, 0.2)
    change = measure_shape(moved) - rest
    assert change[Channel.MOUTH_WIDE] == pytest.approx(0.3)
    assert change[Channel.MOUTH_LEFT] == pytest.approx(0.05)


def test_rest_is_the_closed_mouth(canonical: Canonical) -> None:
    closed, opened = canonical.points, canonical.points.copy()
    opened[[87, 14, 317], 1] -= 1.0
    rest = rest_mesh(np.array([opened, closed, opened, opened, closed]))
    assert lip_gap(rest) == pytest.approx(lip_gap(closed))


def test_a_smile_shows_a_gap_and_closed_lips_none(
    astronaut: Picture, hopper: Picture, landmarker: FaceLandmarker, solver: PoseSolver
) -> None:
    gaps = []
    for picture in (astronaut, hopper):
        face = landmarker.find(picture)
        assert face is not None
        gaps.append(
            float(lip_gap(solver.solve(face.points, picture.shape[1], picture.shape[0]).mesh))
        )
    assert gaps[0] > 0.6
    assert abs(gaps[1]) < 0.1
