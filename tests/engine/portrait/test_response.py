"""What landmarks see of a portrait, and what must be asked for so that they see it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.tracking import watched
from engine.api import Picture, PortraitOptions
from engine.portrait.acting import SOFT_LIMITS
from engine.portrait.channels import CHANNELS, HEAD, Channel
from engine.portrait.geometry import Canonical, Doubles, Posed, head_turn
from engine.portrait.prepare import Preparer
from engine.portrait.renderer import Renderer
from engine.portrait.response import Response

STEPS = np.linspace(0, 1, 11)
OPENINGS = np.array([1, 0.95, 0.9, 0.86, 0.81, 0.75, 0.69, 0.56, 0.29, 0.12, 0.08])
SHOWN = np.array([0.65, 0.8, 1.0])
BESIDES = np.array([[-0.01, 0, 0, 0], [0, -0.01, 0.06, -0.02], [0, 0, 0, -0.01]])
OWN = np.radians([-1.5, -12.0, -3.0])
RESPONSE = Response(OWN, SHOWN, BESIDES, OPENINGS)
BESIDE_HEAD = [Channel.SHIFT_LEFT, Channel.SHIFT_UP, Channel.BROWS_UP]


def rendered(turns: Doubles) -> Doubles:
    """What is seen of a head that is turned about the picture's axes, apart from how it was."""
    yaw, pitch, roll = turns
    cos, sin = np.cos, np.sin
    about_z = np.array([[cos(roll), -sin(roll), 0], [sin(roll), cos(roll), 0], [0, 0, 1]])
    pose = np.eye(4)
    pose[:3, :3] = about_z @ head_turn(yaw, pitch, 0) @ head_turn(*OWN)
    return np.array(Posed(pose, np.zeros((468, 3))).angles)


@given(seed=st.integers(0, 1000))
def test_what_is_asked_looks_as_what_was_wanted(seed: int) -> None:
    motion = np.random.default_rng(seed).uniform(-0.1, 0.1, (5, CHANNELS)).astype(np.float32)
    lids = np.linspace(0, 1, 5, dtype=np.float32)
    besides = np.column_stack([motion[:, BESIDE_HEAD], lids]) @ BESIDES.T
    asked = RESPONSE.turned(motion, lids).astype(np.float64)
    seen = np.stack([rendered(one * SHOWN) for one in asked]) + besides - OWN
    np.testing.assert_allclose(seen, motion[:, HEAD], atol=1e-5)


def test_what_cannot_be_shown_is_not_asked_for() -> None:
    motion = np.zeros((1, CHANNELS), np.float32)
    motion[0, HEAD] = 0.8, 0.0, 0.0
    asked = Response.usual(np.zeros(3)).turned(motion, np.zeros(1, np.float32))
    assert asked[0, 0] == pytest.approx(SOFT_LIMITS[Channel.YAW], abs=0.01)


@given(one=st.floats(-0.2, 1.5), other=st.floats(-0.2, 1.5))
def test_the_further_eyes_close_the_further_lids_go(one: float, other: float) -> None:
    low, high = sorted((one, other))
    lower, upper = RESPONSE.lowered(np.array([low, high]))
    assert 1 >= lower >= upper >= 0
    assert lower == 1 or low > 0.35
    assert upper == 0 or high < 0.9


def test_eyes_look_as_far_open_as_the_drivers() -> None:
    openings = np.array([0.6, 0.55, 0.5])
    seen = np.interp(RESPONSE.lowered(openings), STEPS, OPENINGS)
    np.testing.assert_allclose(seen, openings, atol=0.02)
    assert Response.usual(OWN).lowered(np.array([0.6]))[0] == pytest.approx(0.667, abs=0.01)


@pytest.mark.slow
def test_raised_brows_and_a_tilt_do_not_turn_what_is_seen_of_a_head(
    preparer: Preparer, canonical: Canonical, astronaut: Picture
) -> None:
    renderer = Renderer(preparer.scene(astronaut, PortraitOptions(size=256)))
    wanted = np.zeros((1, CHANNELS), np.float32)
    wanted[0, Channel.BROWS_UP] = 0.5
    wanted[0, HEAD] = np.radians([4, 0, 8])
    asked = wanted.copy()
    response = Response.of(renderer.render, canonical)
    asked[:, HEAD] = response.turned(wanted, np.zeros(1, np.float32))
    still = np.zeros(CHANNELS, np.float32)
    seen = watched(renderer.render(motion) for motion in (still, wanted[0], asked[0])).angles
    plain, led = np.degrees(seen[1:] - seen[0] - wanted[0, HEAD])
    assert np.abs(led).max() < 1
    assert np.abs(plain).max() > 1.3
