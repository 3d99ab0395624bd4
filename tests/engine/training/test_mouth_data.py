"""Mouth pairs: bent by landmarks, cut with the skull, kept whole or not at all."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from engine.training.corpus import CorpusError
from engine.training.mouth_data import (
    MouthPairs,
    closed_frame,
    make_pairs,
    read_mouth_pairs,
    read_pictures,
    same_view,
    skull_map,
    warp_lips,
)

SIDE, FRAMES = 256, 60
Project = Callable[[np.ndarray], np.ndarray]


def write_film(path: Path, frames: int) -> None:
    """A film of smooth colours that grows brighter."""
    ys, xs = np.mgrid[:SIDE, :SIDE]
    with av.open(str(path), "w") as film:
        stream = film.add_stream("mpeg4", rate=25)
        stream.width = stream.height = SIDE
        stream.pix_fmt = "yuv420p"
        for index in range(frames):
            picture = np.stack([xs // 2, ys // 2, np.full_like(xs, index)], -1).astype(np.uint8)
            film.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        film.mux(stream.encode(None))


@pytest.fixture
def filmed(corpus: Path, landmarks: Project) -> Path:
    """The corpus with films: the first person opens its mouth in every second frame."""
    for name in ("anna", "bert", "carl"):
        write_film(corpus / f"{name}.mp4", FRAMES)
    return corpus


def entry(name: str) -> dict[str, Any]:
    return {"name": name, "identity": name, "seconds": 4.0, "frames": 100, "video_px": SIDE}


def test_lips_that_do_not_move_are_not_bent(landmarks: Project) -> None:
    random = np.random.default_rng(0)
    picture = np.kron(random.integers(0, 255, (16, 16, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    points = landmarks(np.array([0.3]))[0, :, :2] - (64, 90)
    same = warp_lips(picture, np.eye(2, 3), points, points)
    assert np.abs(same.astype(int) - picture).max() <= 1


def test_a_lowered_lip_takes_its_colours_along(landmarks: Project) -> None:
    closed, opened = landmarks(np.array([0.0, 1.5]))[:, :, :2] - (64, 90)
    picture = np.zeros((128, 128, 3), np.uint8)
    x, y = closed[17].round().astype(int)  # the middle of the lower lip's outer line
    picture[y - 3 : y + 4, x - 3 : x + 4] = 255
    moved = warp_lips(picture, np.eye(2, 3), closed, closed + (0, 4) * _lower(closed, opened))
    rows = np.flatnonzero(moved[:, x, 0] > 128)
    assert rows.mean() == pytest.approx(y + 4, abs=1.5)


def _lower(closed: np.ndarray, opened: np.ndarray) -> np.ndarray:
    """One for what lies below the upper lip, zero elsewhere [478, 1]."""
    assert opened[14, 1] > closed[14, 1]
    return np.asarray(closed[:, 1:] > closed[13, 1] + 0.5, float)


def test_the_skull_does_not_follow_the_lips(landmarks: Project) -> None:
    closed, opened = landmarks(np.array([0.0, 1.5]))
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])
    moved = opened.copy()
    moved[:, :2] = 2 * opened[:, :2] @ turn.T + (5, -3)
    expected = np.column_stack([2 * turn, (5, -3)])
    np.testing.assert_allclose(skull_map(closed, moved), expected, atol=1e-9)
    assert same_view(closed, moved)
    assert closed_frame(np.stack([opened, closed]), [0, 1]) == 1


def test_pairs_are_kept_and_found_again(filmed: Path, tmp_path: Path) -> None:
    made = read_mouth_pairs(filmed, "ship", tmp_path / "cache", 4.0)
    assert len(made.warped) == len(made.follows) > 100
    assert set(made.identity) == {0, 1}
    assert not made.follows[0]
    assert made.reference.max() + 1 == len(made.still)
    for name in ("anna", "bert"):
        (filmed / f"{name}.mp4").unlink()
    again = read_mouth_pairs(filmed, "ship", tmp_path / "cache", 4.0)
    np.testing.assert_array_equal(again.target, made.target)


def test_no_person_counts_for_longer_than_asked(filmed: Path) -> None:
    pairs = make_pairs(filmed, [entry("anna")], 2.0)
    assert len(pairs.warped) <= 50


def test_an_interrupted_save_is_not_taken_for_pairs(filmed: Path, tmp_path: Path) -> None:
    pairs = make_pairs(filmed, [entry("anna")], 2.0)
    (tmp_path / "kept.part").mkdir()
    (tmp_path / "kept.part" / "warped.npy").write_bytes(b"half")
    pairs.save(tmp_path / "kept")
    np.testing.assert_array_equal(MouthPairs.load(tmp_path / "kept").warped, pairs.warped)


def test_clips_without_faces_are_an_error(filmed: Path) -> None:
    with np.load(filmed / "anna.npz") as arrays:
        moved = arrays["landmarks_delta"]
    np.savez(filmed / "anna.npz", landmarks_delta=moved, present=np.zeros(len(moved), bool))
    with pytest.raises(CorpusError, match="no clip gives a pair"):
        make_pairs(filmed, [entry("anna")], 4.0)


def test_a_film_is_read_no_further_than_asked(filmed: Path) -> None:
    assert len(read_pictures(filmed / "anna.mp4", 7)) == 7
    assert len(read_pictures(filmed / "anna.mp4", 1000)) == FRAMES
