import cv2
import numpy as np

from engine.api import Picture
from engine.portrait.landmarks import FaceLandmarker, Region, cut_region


def test_one_face_is_found_with_all_its_points(
    astronaut: Picture, landmarker: FaceLandmarker
) -> None:
    face = landmarker.find(astronaut)
    assert face is not None
    assert face.presence > 0.99
    assert face.points.shape == (478, 3)
    right_iris, left_iris, chin = face.points[468], face.points[473], face.points[152]
    assert right_iris[0] < left_iris[0]
    assert chin[1] > right_iris[1] + 50


def test_no_face_is_found_where_there_is_none(landmarker: FaceLandmarker) -> None:
    assert landmarker.find(np.full((200, 300, 3), 127, np.uint8)) is None


def test_landmarks_turn_with_the_picture(astronaut: Picture, landmarker: FaceLandmarker) -> None:
    matrix = cv2.getRotationMatrix2D((224, 120), 25, 1.0)
    turned = np.asarray(cv2.warpAffine(astronaut, matrix, (512, 512)), np.uint8)
    upright, tilted = landmarker.find(astronaut), landmarker.find(turned)
    assert upright is not None
    assert tilted is not None
    expected = upright.points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    eyes = np.linalg.norm(expected[33] - expected[263])
    assert np.linalg.norm(tilted.points[:, :2] - expected, axis=1).mean() < 0.03 * eyes


def test_tracking_stays_where_detection_was(astronaut: Picture, landmarker: FaceLandmarker) -> None:
    face = landmarker.find(astronaut)
    assert face is not None
    again = landmarker.landmarks(astronaut, face.region)
    assert np.abs(again.points - face.points).max() < 1.5


def test_a_region_is_cut_upright() -> None:
    picture = np.zeros((40, 40, 3), np.uint8)
    picture[10:20, 10:20] = 255
    tile = cut_region(picture, Region(15, 15, 10, 0.0), 20)
    assert tile[2:-2, 2:-2].min() == 255
    quarter = cut_region(picture, Region(10, 15, 20, np.pi / 2), 20)
    assert quarter[:8, 8:12].max() == 255  # what was to the right is now on top
