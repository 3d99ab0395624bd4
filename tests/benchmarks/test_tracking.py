"""Films are measured by what can be seen in them."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.tracking import (
    Film,
    FilmError,
    Track,
    Watcher,
    corner_change,
    eye_opening,
    normal_bones,
    watched,
)
from engine.api import Picture
from engine.portraits import bundled_portraits
from tests.benchmarks.parted_lips import parted


def _points() -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 500, (478, 2))


def test_bones_do_not_care_for_place_size_and_tilt() -> None:
    points = _points()
    angle = 0.4
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    assert np.allclose(normal_bones(points), normal_bones(1.7 * points @ turn.T + (30, -12)))
    moved = points.copy()
    moved[168] += 20
    assert not np.allclose(normal_bones(points), normal_bones(moved), atol=1e-2)


def test_closed_eyes_have_no_opening() -> None:
    points = _points()
    points[[159, 386]] = points[[145, 374]]
    assert eye_opening(points) == 0


def test_a_change_in_a_corner_is_seen() -> None:
    still = np.full((100, 100, 3), 50, np.uint8)
    frame = still.copy()
    frame[40:60, 40:60] = 200
    assert corner_change(frame, still) == 0
    frame[:10, :10] = 60
    assert corner_change(frame, still) == 5


def face() -> Picture:
    return np.ascontiguousarray(bundled_portraits()["astronaut"][:300, 90:390])


def noisy(picture: Picture, amount: float, seed: int) -> Picture:
    noise = np.random.default_rng(seed).normal(0, amount, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


@pytest.mark.slow
def test_parted_lips_open_and_noise_flickers() -> None:
    closed, opened = face(), parted(face(), 8)
    quiet = watched([closed] * 10 + [opened] * 6)
    assert quiet.opening[10:].mean() > quiet.opening[:10].mean() + 0.2
    assert quiet.frozen.tolist() == [False] + [True] * 9 + [False] + [True] * 5
    assert quiet.flicker[0] < 0.01  # the eye settles
    assert quiet.flicker[1] < 0.005
    restless = watched([noisy(closed, 12, number) for number in range(6)])
    assert restless.flicker.min() > 0.02
    assert np.abs(restless.opening - quiet.opening[0]).max() < 0.15


@pytest.mark.slow
def test_flicker_is_blind_to_a_head_that_glides() -> None:
    film = [
        cv2.warpAffine(face(), np.array([[1, 0, 2.0 * number], [0, 1, 0]]), (300, 300))
        for number in range(5)
    ]
    gliding = watched(np.asarray(picture, np.uint8) for picture in film)
    assert len(gliding.flicker) == 1
    assert gliding.flicker[0] < 0.1
    assert gliding.background.max() > 0


@pytest.mark.slow
def test_the_last_look_holds_where_the_face_is_gone(tmp_path: Path) -> None:
    blank = np.zeros((300, 300, 3), np.uint8)
    track = watched([blank, face(), blank, face()])
    assert track.seen.tolist() == [False, True, False, True]
    np.testing.assert_array_equal(track.shape[0], track.shape[1])
    np.testing.assert_array_equal(track.shape[2], track.shape[1])
    track.save(tmp_path / "deep" / "track.npz")
    again = Track.load(tmp_path / "deep" / "track.npz")
    np.testing.assert_array_equal(again.upper, track.upper)


def test_films_without_faces_and_broken_films_are_named(tmp_path: Path) -> None:
    with pytest.raises(FilmError, match="no face in any of 2 frames"):
        watched([np.zeros((64, 64, 3), np.uint8)] * 2)
    with pytest.raises(FilmError, match="no face in any of 0 frames"):
        Watcher().track()
    (tmp_path / "film.mp4").write_bytes(b"no film")
    with pytest.raises(FilmError, match=r"film\.mp4: not a film"):
        list(Film(tmp_path / "film.mp4").pictures())
