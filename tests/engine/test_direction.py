import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.direction import LIMITS, MAX_STRENGTH, Direction, Pose, PuppetFrame

ANY = st.floats(-1e6, 1e6)


@given(st.builds(Pose, *[ANY] * 6))
def test_a_limited_pose_lies_inside_and_every_change_is_told(pose: Pose) -> None:
    inside, notes = pose.limited()
    changed = 0
    for name, (low, high) in LIMITS.items():
        assert low <= getattr(inside, name) <= high
        changed += getattr(inside, name) != getattr(pose, name)
    assert len(notes) == changed
    assert inside.limited() == (inside, ())


@given(ANY, ANY)
def test_strengths_are_limited_too(strength: float, mouth: float) -> None:
    inside, _ = Direction(strength=strength, mouth=mouth, pose=Pose(yaw=99)).limited()
    assert 0 <= inside.strength <= MAX_STRENGTH
    assert 0 <= inside.mouth <= MAX_STRENGTH
    assert inside.pose.yaw == LIMITS["yaw"][1]


def test_a_note_names_what_was_given_and_what_is_expected() -> None:
    notes = Direction(pose=Pose(yaw=-90), eyes=3).limited()[1]
    assert notes == ("yaw -90: limited to -10 (-10 to 10)", "eyes 3: limited to 2 (0 to 2)")


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_numbers_must_be_finite(value: float) -> None:
    with pytest.raises(ValueError, match="roll"):
        Pose(roll=value)
    with pytest.raises(ValueError, match="brows"):
        Direction(brows=value)
    with pytest.raises(ValueError, match="gaze_up"):
        PuppetFrame(gaze_up=value)
