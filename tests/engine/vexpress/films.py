"""Films of a moving face."""

from pathlib import Path

import cv2
import numpy as np

from engine.audio import Sound
from engine.portraits import bundled_portraits
from engine.video import FilmWriter


def write_driver(path: Path, frames: int, step_pixels: int) -> None:
    """A silent film of the astronaut, who moves to the right, at 25 frames a second."""
    portrait = bundled_portraits()["astronaut"]
    with FilmWriter(path, 512, 512, Sound(16_000, 1, None)) as film:
        film.write_sound(np.zeros((1, 640 * frames), np.float32))
        for index in range(frames):
            shift = np.array([[1, 0, step_pixels * index], [0, 1, 0]], np.float32)
            film.write_picture(np.asarray(cv2.warpAffine(portrait, shift, (512, 512)), np.uint8))
