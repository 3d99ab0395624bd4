"""A face that keeps its own proportions, however its head is moved."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.direction import Pose
from engine.portrait.geometry import Canonical, Posed, head_turn, into_picture, into_room
from engine.vexpress.kps import Points
from engine.vexpress.retarget import face_size
from engine.vexpress.solid_face import SolidFace

SIZE = 512
OWN = np.array([[200, 200], [312, 200], [256, 262]], np.float32)
angles = st.floats(-0.6, 0.6)


def face(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> SolidFace:
    """The usual face, 40 centimetres before the camera."""
    pose = np.eye(4)
    pose[:3, :3] = head_turn(yaw, pitch, roll)
    pose[2, 3] = -40
    return SolidFace.of(OWN, Posed(pose, Canonical.load().points), SIZE, SIZE)


FACE = face()


@given(yaw=angles, pitch=angles, roll=angles)
def test_a_turn_has_the_angles_it_was_made_of(yaw: float, pitch: float, roll: float) -> None:
    pose = np.eye(4)
    pose[:3, :3] = head_turn(yaw, pitch, roll)
    np.testing.assert_allclose(Posed(pose, np.zeros((468, 3))).angles, (yaw, pitch, roll))


@given(
    places=st.tuples(st.floats(-99, 900), st.floats(-99, 900)),
    distance=st.floats(5, 500),
    height=st.integers(64, 2000),
)
def test_what_goes_into_the_room_comes_back(
    places: tuple[float, float], distance: float, height: int
) -> None:
    room = into_room(np.array(places), np.array(distance), 640, height)
    assert room[2] == -distance
    np.testing.assert_allclose(into_picture(room, 640, height), places, atol=1e-6)


def test_a_head_at_rest_is_where_the_portrait_has_it() -> None:
    np.testing.assert_array_equal(FACE.moved(Pose()), OWN)
    np.testing.assert_allclose(FACE.moved(Pose(yaw=1e-5)), OWN, atol=0.01)


@given(roll=st.floats(-30, 30), yaw=angles)
def test_a_roll_changes_no_proportion_of_a_face_ahead(roll: float, yaw: float) -> None:
    own, moved = face_size(OWN), face_size(FACE.moved(Pose(roll=roll)))
    np.testing.assert_allclose(moved, own, rtol=0.03)  # perspective
    turned = face(yaw).moved(Pose(yaw=-float(np.degrees(yaw))))
    assert np.isfinite(turned).all()


def middle(points: Points) -> Points:
    return np.asarray(points[:2].mean(axis=0))


def test_every_part_of_a_pose_moves_the_face_its_own_way() -> None:
    def moved(pose: Pose) -> Points:
        return FACE.moved(pose) - OWN

    assert moved(Pose(yaw=10))[2, 0] > moved(Pose(yaw=10))[:2, 0].max() + 4  # the nose leads
    assert moved(Pose(pitch=10))[2, 1] < -4  # up
    rolled = moved(Pose(roll=10))
    assert rolled[0, 1] > 4 > -4 > rolled[1, 1]  # to the right shoulder
    shifted = moved(Pose(x=0.1, y=0.1))
    assert shifted[:, 0].min() > 8
    assert shifted[:, 1].max() < -8
    np.testing.assert_allclose(np.ptp(shifted, axis=0), 0, atol=3)
    larger = face_size(FACE.moved(Pose(scale=1.2)))
    np.testing.assert_allclose(larger, 1.2 * np.array(face_size(OWN)), rtol=0.05)


@pytest.mark.parametrize("degrees", [-25.0, 25.0])
def test_angles_count_from_the_portraits_own(degrees: float) -> None:
    added = face(yaw=float(np.radians(degrees)))
    # Of the same drawn face, a head that is known to be turned moves its nose less on.
    ahead, aside = (one.moved(Pose(yaw=np.sign(degrees) * 5)) - OWN for one in (FACE, added))
    assert abs(ahead[2, 0] - middle(ahead)[0]) > 0
    assert not np.allclose(ahead, aside)
