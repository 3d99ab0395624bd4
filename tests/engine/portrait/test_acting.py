"""Direction as numbers: eased, closed lips kept, and nothing changed where nothing is asked."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.api import UnknownEmotionError, UnknownGestureError
from engine.direction import Direction, Pose, PuppetFrame
from engine.portrait.acting import SOFT_LIMITS, YAW_SHOWN, Acting, pose_channels, soften
from engine.portrait.channels import CHANNELS, MOUTH, Channel
from engine.portrait.landmarks import Floats
from engine.portrait.life import life
from engine.repertoire import repertoire

REST = np.zeros(CHANNELS, np.float32)
LONG = 50  # frames, after which everything has settled
GAP = [Channel.UPPER_LIP_UP, Channel.LOWER_LIP_DOWN]


def talking(opening: float) -> Floats:
    motion = REST.copy()
    motion[GAP] = opening / 2
    motion[Channel.JAW_OPEN] = opening / 2
    return motion


def run(acting: Acting, motion: Floats, frames: int = LONG) -> Floats:
    return np.stack([acting.apply(motion) for _ in range(frames)])


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_without_direction_motion_is_left_as_it_is(frame: int) -> None:
    motion = life(1, frame)
    motion[MOUTH] = talking(0.8)[MOUTH]
    assert np.array_equal(Acting().apply(motion), motion)


def test_a_first_direction_holds_at_once_and_a_later_one_is_eased() -> None:
    acting, pose = Acting(), Pose(yaw=7, pitch=-5, roll=3, x=0.05, y=-0.02, scale=1.1)
    acting.direct(Direction(pose=pose))
    first = acting.apply(REST)
    assert np.allclose(first, pose_channels(pose), atol=1e-6)
    acting.direct(Direction(pose=Pose(yaw=-7)))
    yaw = np.append(7.0, YAW_SHOWN * np.degrees(run(acting, REST)[:, Channel.YAW]))
    steps = np.diff(yaw)
    assert (steps <= 1e-3).all()
    assert abs(steps[0]) < abs(steps[2])  # starts gently
    assert yaw[-1] == pytest.approx(-7, abs=0.05)


@given(st.lists(st.floats(0, 2), min_size=2, max_size=6, unique=True), st.floats(0.05, 1.0))
@settings(max_examples=40, deadline=None)
def test_the_mouth_opens_further_the_stronger_from_none_at_all(
    strengths: list[float], opening: float
) -> None:
    gaps = []
    for strength in sorted({0.0, *(round(one, 2) for one in strengths)}):
        acting = Acting()
        acting.direct(Direction(strength=strength))
        gaps.append(float(acting.apply(talking(opening))[GAP].sum()))
    assert gaps[0] == 0
    assert all(np.diff(gaps) > 0)


@pytest.mark.parametrize("region", ["mouth", "brows", "eyes"])
def test_each_region_has_a_strength_of_its_own(region: str) -> None:
    motion = talking(0.5)
    motion[[Channel.BROWS_UP, Channel.GAZE_LEFT, Channel.BLINK_LEFT]] = 0.1, 0.1, 0.8
    acting = Acting()
    acting.direct(Direction(**{region: 0.0}))  # type: ignore[arg-type]
    acted = acting.apply(motion)
    assert bool(acted[GAP].sum()) == (region != "mouth")
    assert bool(acted[Channel.BROWS_UP]) == (region != "brows")
    assert bool(acted[Channel.GAZE_LEFT]) == (region != "eyes")
    assert acted[Channel.BLINK_LEFT] == motion[Channel.BLINK_LEFT]  # blinks are no expression


@given(st.sampled_from(sorted(repertoire().emotions)), st.floats(0, 2), st.floats(0, 2))
@settings(max_examples=60, deadline=None)
def test_no_emotion_parts_lips_that_the_voice_closes(
    emotion: str, emotion_strength: float, strength: float
) -> None:
    acting = Acting()
    acting.direct(Direction(emotion=emotion, emotion_strength=emotion_strength, strength=strength))
    acted = run(acting, talking(0.0))
    assert (acted[:, GAP].sum(axis=1) <= 1e-6).all()
    assert (acted[:, Channel.JAW_OPEN] <= 1e-6).all()


def test_emotions_show_and_a_gesture_ends() -> None:
    acting = Acting()
    acting.direct(Direction(emotion="smile"))
    assert acting.apply(REST)[Channel.CORNERS_UP] > 0.2
    acting.direct(Direction())
    assert abs(run(acting, REST)[-1]).max() < 1e-3
    acting.gesture("nod")
    acted = run(acting, REST)
    assert np.degrees(acted[:, Channel.PITCH]).min() < -6
    assert abs(acted[26:]).max() < 1e-9  # one second


def test_a_gesture_that_replaces_another_does_not_jump() -> None:
    acting = Acting()
    acting.gesture("shake")
    before = run(acting, REST, 6)
    acting.gesture("look_right")
    yaw = np.degrees(np.concatenate([before, run(acting, REST)])[:, Channel.YAW])
    assert abs(np.diff(yaw)).max() < 2.5
    assert yaw[-1] == pytest.approx(0, abs=0.01)


def test_a_camera_is_followed_and_let_go_smoothly() -> None:
    acting, frame = Acting(), PuppetFrame(pose=Pose(yaw=7), blink_left=1.0, brows_up=0.3)
    followed = []
    for _ in range(LONG):
        acting.puppet(frame)
        followed.append(acting.apply(talking(0.4)))
    yaw = YAW_SHOWN * np.degrees([one[Channel.YAW] for one in followed])
    assert yaw[-1] == pytest.approx(7, abs=0.01)
    assert (np.diff(yaw) > -1e-4).all()
    assert followed[-1][Channel.BLINK_LEFT] == pytest.approx(1, abs=0.01)
    assert np.array_equal(followed[-1][MOUTH], talking(0.4)[MOUTH])  # the voice keeps the mouth
    silent = YAW_SHOWN * np.degrees(run(acting, REST)[:, Channel.YAW])
    assert silent[10] == pytest.approx(7, abs=0.01)  # half a second may pass without news
    assert silent[-1] == pytest.approx(0, abs=0.01)
    assert (np.diff(silent) < 1e-4).all()
    assert abs(np.diff(silent)).max() < 2


def test_none_lets_go_at_once() -> None:
    acting, before = Acting(), 0.0
    for _ in range(LONG):
        acting.puppet(PuppetFrame(pose=Pose(pitch=8)))
        before = float(acting.apply(REST)[Channel.PITCH])
    acting.puppet(None)
    assert 0 < run(acting, REST, 3)[-1][Channel.PITCH] < before


@given(st.lists(st.floats(-3, 3, width=32), min_size=CHANNELS, max_size=CHANNELS))
@settings(max_examples=60, deadline=None)
def test_limits_are_soft_and_never_passed(values: list[float]) -> None:
    motion = np.array(values, np.float32)
    once = soften(motion.copy())
    for channel, limit in SOFT_LIMITS.items():
        assert abs(once[channel]) <= limit + 1e-6
        assert once[channel] * motion[channel] >= 0
    more = motion.copy()
    more[Channel.YAW] += 0.01
    assert soften(more)[Channel.YAW] >= once[Channel.YAW]


def test_unknown_names_are_refused_and_change_nothing() -> None:
    acting = Acting()
    with pytest.raises(UnknownEmotionError):
        acting.direct(Direction(emotion="envy", pose=Pose(yaw=9)))
    with pytest.raises(UnknownGestureError):
        acting.gesture("somersault")
    assert not acting.apply(REST).any()
