"""Films of a moving face."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from engine.api import Picture
from engine.audio import Sound
from engine.portraits import bundled_portraits
from engine.video import FilmWriter

RATE_HZ = 25
START = 50  # a late start of uneven films, in frames


def write_driver(path: Path, frames: int, step_pixels: int, quarter_turns: int = 0) -> None:
    """A silent film of the astronaut, who moves to the right, at 25 frames a second.

    Its pictures are stored turned to the left as often as is said.
    """
    with FilmWriter(path, 512, 512, Sound(16_000, 1, None)) as film:
        film.write_sound(np.zeros((1, 640 * frames), np.float32))
        for index in range(frames):
            film.write_picture(np.rot90(_moved(step_pixels * index), quarter_turns))


def write_uneven_driver(path: Path, kept: Sequence[int], step_pixels: int) -> None:
    """The same film with nothing but the frames `kept`, each at its own time."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", RATE_HZ)
        stream.width = stream.height = 512
        stream.pix_fmt = "yuv420p"
        for index in kept:
            frame = av.VideoFrame.from_ndarray(_moved(step_pixels * index), "rgb24")
            frame.pts, frame.time_base = START + index, Fraction(1, RATE_HZ)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def note_turn(path: Path) -> None:
    """Note in an MP4 that its pictures are to be turned to the right by a quarter."""
    content = bytearray(path.read_bytes())
    one, none = (1 << 16).to_bytes(4), bytes(4)
    straight = one + none * 3 + one
    start = content.index(straight, content.index(b"tkhd"))
    content[start : start + 20] = none + one + none + (-(1 << 16)).to_bytes(4, signed=True) + none
    path.write_bytes(content)


def _moved(pixels: int) -> Picture:
    shift = np.array([[1, 0, pixels], [0, 1, 0]], np.float32)
    portrait = bundled_portraits()["astronaut"]
    return np.asarray(cv2.warpAffine(portrait, shift, (512, 512)), np.uint8)
