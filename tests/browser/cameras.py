"""Made-up cameras: films that a browser plays in place of one."""

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from engine.api import Picture

SIZE = (320, 240)
_MARGIN = 0.9  # of the height that a square film takes


def write_camera(path: Path, pictures: Iterable[Picture]) -> None:
    """Square pictures in front of grey, 25 a second, as raw video (YUV4MPEG2)."""
    width, height = SIZE
    side = round(height * _MARGIN) // 2 * 2
    left, top = (width - side) // 2, (height - side) // 2
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{width} H{height} F25:1 Ip A1:1 C420\n".encode())
        for picture in pictures:
            scene = np.full((height, width, 3), 110, np.uint8)
            small = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
            scene[top : top + side, left : left + side] = small
            planes = cv2.cvtColor(scene, cv2.COLOR_RGB2YUV_I420)
            file.write(b"FRAME\n" + planes.tobytes())
