"""A person before a camera, played by still portraits that are moved about."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from engine.api import Picture
from engine.direction import PuppetFrame
from engine.portrait.geometry import PoseSolver
from engine.portrait.landmarks import FaceLandmarker
from engine.portrait.watcher import FORGET_AFTER_S, REST_S, CameraWatcher

PERIOD_S = 0.2
SIZE = (240, 180)

See = Callable[[Picture], PuppetFrame | None]


@pytest.fixture
def watcher(landmarker: FaceLandmarker, solver: PoseSolver) -> CameraWatcher:
    return CameraWatcher(landmarker, solver)


def scene(portrait: Picture, left: int = 40, top: int = 0, side: int = 160) -> Picture:
    """A small camera's picture with a portrait somewhere in it."""
    picture = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
    small = cv2.resize(portrait[:512], (side, side), interpolation=cv2.INTER_AREA)
    picture[top : top + side, left : left + side] = small
    return picture


def settled(watcher: CameraWatcher, picture: Picture) -> float:
    """Let the watcher learn the rest; returns the time after that."""
    count = round(REST_S / PERIOD_S) + 1
    for number in range(count):
        assert watcher.see(picture, number * PERIOD_S) is None, "the rest is not known yet"
    return count * PERIOD_S


def last(watcher: CameraWatcher, picture: Picture, now_s: float) -> PuppetFrame | None:
    """What a picture shows that stays long enough for the smoothing to arrive."""
    return [watcher.see(picture, now_s + step * PERIOD_S) for step in range(6)][-1]


def test_the_first_second_is_the_rest_and_what_follows_differs_from_it(
    watcher: CameraWatcher, hopper: Picture
) -> None:
    now_s = settled(watcher, scene(hopper))
    same = watcher.see(scene(hopper), now_s)
    assert same is not None
    assert abs(same.pose.yaw) < 0.5
    assert abs(same.pose.scale - 1) < 0.02
    assert same.blink_left < 0.1
    moved = last(watcher, scene(hopper, left=50, top=10), now_s + PERIOD_S)
    assert moved is not None
    assert moved.pose.x > 0.03
    assert moved.pose.y < -0.03


def test_a_tilted_picture_is_a_tilted_head(watcher: CameraWatcher, hopper: Picture) -> None:
    now_s = settled(watcher, scene(hopper))
    turn = cv2.getRotationMatrix2D((120.0, 80.0), -8.0, 1.0)  # clockwise as one looks at it
    tilted = np.asarray(cv2.warpAffine(scene(hopper), turn, SIZE), np.uint8)
    frame = last(watcher, tilted, now_s)
    assert frame is not None
    assert abs(abs(frame.pose.roll) - 8) < 1.5
    assert abs(frame.pose.yaw) < 3


def test_without_a_face_there_is_nothing_and_the_rest_is_kept_for_a_while(
    watcher: CameraWatcher, hopper: Picture
) -> None:
    now_s = settled(watcher, scene(hopper))
    nobody = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
    assert watcher.see(nobody, now_s) is None
    assert watcher.faces == 0
    assert watcher.see(scene(hopper), now_s + 1) is not None
    later_s = now_s + 1 + FORGET_AFTER_S + 0.1
    assert watcher.see(scene(hopper), later_s) is None, "somebody new has a rest of their own"


def test_of_several_faces_the_largest_central_one_is_followed(
    watcher: CameraWatcher, hopper: Picture
) -> None:
    both = scene(hopper, left=80, side=130)
    both[:80, :80] = cv2.resize(hopper[:512], (80, 80), interpolation=cv2.INTER_AREA)
    now_s = settled(watcher, both)
    assert watcher.faces == 2
    moved = scene(hopper, left=80, top=20, side=130)
    moved[:80, :80] = both[:80, :80]
    frame = last(watcher, moved, now_s)
    assert frame is not None
    assert frame.pose.y < -0.05, "the large face moved, the small one did not"
