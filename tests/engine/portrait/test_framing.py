import cv2
import numpy as np
import pytest

from engine.api import (
    BadPictureError,
    FaceTooSmallError,
    Framing,
    NoFaceError,
    Picture,
    PortraitOptions,
    SeveralFacesError,
)
from engine.portrait.framing import frame_portrait
from engine.portrait.geometry import PoseSolver
from engine.portrait.landmarks import FaceLandmarker
from engine.portrait.view import face_height


def test_a_crop_is_square_and_holds_the_face(
    hopper: Picture, landmarker: FaceLandmarker, solver: PoseSolver
) -> None:
    framed = frame_portrait(hopper, PortraitOptions(size=256), landmarker, solver)
    assert framed.still.shape == (256, 256, 3)
    assert 90 < face_height(framed.face) < 180
    centre = framed.face.points[:, :2].mean(0)
    assert abs(centre[0] - 128) < 40


def test_the_full_picture_keeps_its_shape(
    hopper: Picture, landmarker: FaceLandmarker, solver: PoseSolver
) -> None:
    wide = np.zeros((600, 1400, 3), np.uint8)
    wide[:, 700:1212] = hopper
    options = PortraitOptions(size=1280, framing=Framing.FULL)
    framed = frame_portrait(wide, options, landmarker, solver)
    assert framed.still.shape == (548, 1280, 3)


def test_a_small_face_in_a_large_picture_is_found(
    astronaut: Picture, landmarker: FaceLandmarker, solver: PoseSolver
) -> None:
    large = np.full((1500, 2600, 3), 80, np.uint8)
    large[700:1212, 1900:2412] = astronaut
    framed = frame_portrait(large, PortraitOptions(), landmarker, solver)
    assert face_height(framed.face) > 200


@pytest.mark.parametrize(
    ("picture", "error", "words"),
    [
        ("two_people", SeveralFacesError, "2 faces of similar size"),
        ("tiny_face", FaceTooSmallError, "expected at least 64"),
    ],
)
def test_faces_that_will_not_do_are_named(
    request: pytest.FixtureRequest,
    picture: str,
    error: type[BadPictureError],
    words: str,
) -> None:
    landmarker, solver = request.getfixturevalue("landmarker"), request.getfixturevalue("solver")
    with pytest.raises(error, match=words):
        frame_portrait(request.getfixturevalue(picture), PortraitOptions(), landmarker, solver)


def test_a_picture_without_a_face_is_refused(
    landmarker: FaceLandmarker, solver: PoseSolver
) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (300, 400, 3), np.uint8)
    with pytest.raises(NoFaceError, match="400x300"):
        frame_portrait(noise, PortraitOptions(), landmarker, solver)


def test_a_background_face_does_not_stop_the_speaker(
    astronaut: Picture, landmarker: FaceLandmarker, solver: PoseSolver
) -> None:
    both = np.full((512, 900, 3), 120, np.uint8)
    both[:, :512] = astronaut
    both[100:300, 600:800] = cv2.resize(astronaut, (200, 200), interpolation=cv2.INTER_AREA)
    framed = frame_portrait(both, PortraitOptions(), landmarker, solver)
    assert face_height(framed.face) > 200
