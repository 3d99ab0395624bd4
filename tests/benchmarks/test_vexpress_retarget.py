"""What is said about drawn face points is what was done to them."""

import numpy as np
import pytest

from benchmarks.vexpress_retarget import measure
from engine.vexpress.head_film import HeadFilm
from engine.vexpress.kps import Points

OWN = np.array([[200, 200], [300, 200], [250, 260]], np.float32)
FRAMES = 40
SWAY = np.sin(np.arange(FRAMES) / 5)


def head() -> HeadFilm:
    poses = np.zeros((FRAMES, 6), np.float32)
    poses[:, 0], poses[:, 5] = 8 * SWAY, 1
    return HeadFilm(poses)


def drawn(scale: float = 1.0, shift: float = 0.0, turn: float = 0.0) -> Points:
    faces = np.stack([(OWN - OWN.mean(axis=0)) * scale + OWN.mean(axis=0) + shift] * FRAMES)
    faces[:, 2, 0] += turn * SWAY
    return faces.astype(np.float32)


def test_a_face_that_stays_keeps_everything_and_follows_nothing() -> None:
    found = measure(drawn(), OWN, head())
    assert found.proportion == found.size == found.place == found.jitter == 0
    assert found.yaw == found.pitch == 0


def test_each_change_shows_in_its_own_measure() -> None:
    assert measure(drawn(scale=1.5), OWN, head()).size == pytest.approx(50)
    assert measure(drawn(shift=10), OWN, head()).place == pytest.approx(14.1, abs=0.1)
    turned = measure(drawn(turn=9), OWN, head())
    assert turned.yaw == pytest.approx(1)
    shaken = drawn()
    shaken[::2] += 1
    assert measure(shaken, OWN, head()).jitter == pytest.approx(2.83, abs=0.01)
    wide = drawn()
    wide[:, 2, 1] -= 6
    assert measure(wide, OWN, head()).proportion == pytest.approx(11.1, abs=0.1)
