"""How pictures fill frames of any shape: by rule, whatever the numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.api import MAX_SIZE, MIN_SIZE, Framing, Picture, PortraitOptions
from engine.portrait.framing import frame_portrait
from engine.portrait.geometry import PoseSolver
from engine.portrait.landmarks import Face, FaceLandmarker
from engine.portrait.topology import CHIN, FOREHEAD
from engine.portrait.view import choose_view, cut, frame_size

even = st.integers(MIN_SIZE // 2, MAX_SIZE // 2).map(lambda half: 2 * half)


def face_at(x: float, y: float, height: float) -> Face:
    points = np.zeros((478, 3), np.float32)
    points[:, :2] = x, y
    points[FOREHEAD, 1], points[CHIN, 1] = y - height / 2, y + height / 2
    return Face(points, 1.0)


@given(
    shape=st.tuples(st.integers(150, 1500), st.integers(150, 1500)),
    place=st.tuples(st.floats(0.2, 0.8), st.floats(0.2, 0.8)),
    size=even,
    height=even,
    framing=st.sampled_from(Framing),
)
def test_a_view_has_the_frames_shape_and_shows_the_head(
    shape: tuple[int, int],
    place: tuple[float, float],
    size: int,
    height: int,
    framing: Framing,
) -> None:
    picture = np.zeros((*shape, 3), np.uint8)
    tall = min(shape) * 0.4
    face = face_at(place[0] * shape[1], place[1] * shape[0], tall)
    options = PortraitOptions(size=size, height=height, framing=framing)
    view = choose_view(picture, face, options)
    assert view.width / view.height == pytest.approx(size / height, rel=0.04)
    assert view.top + view.height <= shape[0]  # never below the picture
    top, bottom = face.points[FOREHEAD, 1], face.points[CHIN, 1]
    assert view.top <= max(top, 0) + 1
    assert view.top + view.height >= min(bottom, shape[0]) - 1
    assert view.left <= place[0] * shape[1] <= view.left + view.width
    assert frame_size(view, options) == (size, height)


def test_what_lies_beyond_the_picture_goes_on_from_its_rim() -> None:
    picture = np.full((200, 200, 3), 60, np.uint8)
    picture[60:, 60:140] = 250
    options = PortraitOptions(size=640, height=320)
    face = face_at(100, 100, 130)
    still = cut(picture, choose_view(picture, face, options), (640, 320))
    assert still.shape == (320, 640, 3)
    assert (np.abs(still[:100, :100].astype(int) - 60) < 3).all()
    assert (np.abs(still[:100, -100:].astype(int) - 60) < 3).all()


@pytest.mark.parametrize("size", [(256, 144), (144, 256), (1280, 720)])
def test_any_shape_has_its_face(
    hopper: Picture, landmarker: FaceLandmarker, solver: PoseSolver, size: tuple[int, int]
) -> None:
    options = PortraitOptions(size=size[0], height=size[1])
    framed = frame_portrait(hopper, options, landmarker, solver)
    assert framed.still.shape == (size[1], size[0], 3)
    x, y = framed.face.points[:, :2].mean(0) / size
    assert 0.3 < x < 0.7
    assert 0.25 < y < 0.7
