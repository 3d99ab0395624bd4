"""The badge is seen, stays in its corner, and leaves the rest of the frame alone."""

import numpy as np
import pytest

from engine.badge import BadgePainter

SIZES = [(128, 128), (512, 512), (720, 1280), (1920, 1080), (1920, 128)]


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_badge_is_in_the_bottom_right_corner_only(width: int, height: int) -> None:
    frame = np.full((height, width, 3), 120, np.uint8)
    BadgePainter(width, height).paint(frame)
    rows, columns = np.nonzero((frame != 120).any(axis=2))
    assert rows.min() > height * 0.8
    assert rows.max() < height
    assert columns.min() > width * 0.5
    assert columns.max() < width
    share = (frame != 120).any(axis=2).mean()
    assert 0.001 < share < 0.05


@pytest.mark.parametrize("grey", [0, 90, 255])
def test_the_text_can_be_read_on_any_background(grey: int) -> None:
    frame = np.full((512, 512, 3), grey, np.uint8)
    BadgePainter(512, 512).paint(frame)
    label = frame[460:, 380:, 0].astype(int)
    darker = label[label != grey].min()  # the label behind the text
    assert label.max() - min(darker, 120) > 100


def test_the_badge_is_translucent() -> None:
    dark, light = np.zeros((512, 512, 3), np.uint8), np.full((512, 512, 3), 200, np.uint8)
    painter = BadgePainter(512, 512)
    painter.paint(dark)
    painter.paint(light)
    changed = (dark != 0).any(axis=2)
    behind_text = np.median(light[changed].astype(int)) - np.median(dark[changed].astype(int))
    assert 40 < behind_text < 120


def test_opaque_white_text_stays_white_and_nothing_wraps_around() -> None:
    frame = np.full((1024, 1024, 3), 255, np.uint8)
    BadgePainter(1024, 1024).paint(frame)
    assert frame[..., 0].max() == 255
    assert frame[..., 0].min() > 80  # a wrap-around would be near zero


def test_frames_smaller_than_the_label_still_work() -> None:
    frame = np.zeros((8, 8, 3), np.uint8)
    BadgePainter(8, 8).paint(frame)
    assert frame.any()


def test_a_frame_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="expected"):
        BadgePainter(128, 128).paint(np.zeros((128, 130, 3), np.uint8))
