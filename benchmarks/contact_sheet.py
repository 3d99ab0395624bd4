"""Portraits speaking, as one picture, to be looked at.

    python -m benchmarks.contact_sheet --audio A --output O.jpg

Each row is one portrait: the prepared still first, then telling frames of the speech.
"""

import itertools
import tempfile
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer
from PIL import Image

from engine.api import Engine, Picture, PortraitOptions, Samples, StreamOptions
from engine.audio import AudioReader
from engine.picture import read_picture_file
from engine.portrait.engine import load_engine
from engine.portraits import bundled_portraits

_JPEG_QUALITY = 88


def speaking_frames(
    engine: Engine, picture: Picture, samples: Samples, count: int, size: int
) -> list[Picture]:
    """The prepared still and `count` frames of the speech, each [size, size, 3]."""
    avatar = engine.prepare(picture, PortraitOptions(size=512))
    stream = engine.open(avatar, StreamOptions(seed=1))
    units = stream.push(samples) + stream.flush()
    stream.close()
    pictures = [unit.picture for unit in units]
    frames = [avatar.still, *(pictures[index] for index in _most_telling(pictures, count))]
    return [
        np.asarray(cv2.resize(frame, (size, size), interpolation=cv2.INTER_AREA), np.uint8)
        for frame in frames
    ]


def _most_telling(pictures: list[Picture], count: int) -> list[int]:
    """In each part of the film the frame that differs most from the one that opens it."""
    small = [
        cv2.resize(picture, (64, 64), interpolation=cv2.INTER_AREA).astype(int)
        for picture in pictures
    ]
    borders = np.linspace(0, len(pictures), count + 1).astype(int)
    return [
        max(range(start, end), key=lambda index: int(np.abs(small[index] - small[start]).sum()))
        for start, end in itertools.pairwise(borders)
    ]


def main(
    audio: Annotated[Path, typer.Option(help="What they say.")],
    output: Annotated[Path, typer.Option(help="A picture file.")],
    portrait: Annotated[list[Path] | None, typer.Option(help="More portraits, repeatable.")] = None,
    frames: Annotated[int, typer.Option(min=1, help="Frames per portrait.")] = 6,
    size: Annotated[int, typer.Option(min=64, help="Pixels of each frame.")] = 200,
) -> None:
    """Paint the sheet of both bundled portraits and any given ones."""
    with AudioReader(audio) as reader:
        samples = np.concatenate([block.samples for block in reader.blocks()])
    pictures = [*bundled_portraits().values(), *map(read_picture_file, portrait or [])]
    with tempfile.TemporaryDirectory() as scenes:
        engine = load_engine("cpu", Path(scenes))
        rows = [
            np.concatenate(speaking_frames(engine, picture, samples, frames, size), axis=1)
            for picture in pictures
        ]
    sheet = Image.fromarray(np.concatenate(rows))
    sheet.save(output, quality=_JPEG_QUALITY, optimize=True)
    print(f"{output}: {sheet.width}x{sheet.height}, {len(rows)} portraits")


if __name__ == "__main__":
    typer.run(main)
