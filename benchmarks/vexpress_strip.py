"""Frames of the published V-Express program above those made here, as one picture.

    python -m benchmarks.vexpress_strip --goldens ../shared/vexpress/golden --output O.png

Every stored clip with pictures gives a block of three rows: the published frames, the frames made
here from the same inputs, and how far they are apart, enlarged. Networks are small and random, so
the pictures show noise; what counts is that it is the same noise.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import torch
import typer
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from engine.api import Picture
from engine.vexpress.check_pipeline import golden_networks, golden_results
from engine.vexpress.goldens import Golden, read_golden
from engine.vexpress.postprocess import to_picture

FRAMES = "video_first_frames"
ENLARGED = 64  # times, so that one step of 256 can be seen
LABEL_PIXELS, TALL_PIXELS = 96, 160


@dataclass(frozen=True, slots=True)
class Strip:
    """The same frames twice."""

    clip: str
    published: Tensor  # [3, frames, height, width] in 0..1
    ours: Tensor

    @property
    def largest_difference(self) -> float:
        """Of any colour in any pixel, in steps of 256."""
        return 255 * (self.published - self.ours).abs().max().item()

    def rows(self) -> Picture:
        """Three rows of frames, one below the other, each with its name."""
        rows = [_in_a_row(video) for video in (self.published, self.ours)]
        apart = np.abs(rows[0].astype(int) - rows[1]) * ENLARGED
        rows.append(np.asarray(apart.clip(0, 255), np.uint8))
        names = ("published", "here", f"apart x{ENLARGED}")
        return np.concatenate([_named(*pair) for pair in zip(names, rows, strict=True)])


def strips(folder: Path) -> Iterator[Strip]:
    """Make every clip below `folder` whose pictures are stored."""
    for path in sorted(folder.glob("*.safetensors")):
        golden = read_golden(path)
        if golden.kind == "pipeline":
            yield from _strips(golden)


def _strips(golden: Golden) -> Iterator[Strip]:
    for case in golden.cases:
        stored = golden.outputs(case["name"]).get(FRAMES)
        if stored is not None:
            networks = golden_networks(golden, torch.float32)
            made = golden_results(golden, case, networks, torch.float32)
            yield Strip(f"{golden.path.stem} {case['name']}", stored[0], made[FRAMES][0])


def _in_a_row(video: Tensor) -> Picture:
    frames = [to_picture(frame) for frame in video.unbind(1)]
    scale = TALL_PIXELS / frames[0].shape[0]
    size = (round(frames[0].shape[1] * scale), TALL_PIXELS)
    enlarged = [cv2.resize(frame, size, interpolation=cv2.INTER_NEAREST) for frame in frames]
    return np.asarray(np.concatenate(enlarged, axis=1), np.uint8)


def _named(name: str, row: Picture) -> Picture:
    label = np.full((TALL_PIXELS, LABEL_PIXELS, 3), 255, np.uint8)
    place = (6, TALL_PIXELS // 2)
    cv2.putText(label, name, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
    return np.concatenate([label, row], axis=1)


def _side_by_side(blocks: list[Picture]) -> NDArray[np.uint8]:
    tallest = max(block.shape[0] for block in blocks)
    padded = [
        np.pad(block, ((0, tallest - len(block)), (0, 8), (0, 0)), constant_values=255)
        for block in blocks
    ]
    return np.concatenate(padded, axis=1)


def main(
    goldens: Annotated[Path, typer.Option(help="A folder of stored results with clips.")],
    output: Annotated[Path, typer.Option(help="A picture file.")],
) -> None:
    """Paint the strips and say how far they are apart."""
    made = list(strips(goldens))
    if not made:
        print(f"{goldens}: holds no clip with pictures")
        raise typer.Exit(2)
    Image.fromarray(_side_by_side([strip.rows() for strip in made])).save(output, optimize=True)
    for strip in made:
        frames, height, width = strip.ours.shape[1:]
        print(
            f"{strip.clip:<36} {frames} frames {width}x{height}  "
            f"largest difference {strip.largest_difference:.5f} of 255"
        )
    print(json.dumps({strip.clip: round(strip.largest_difference, 6) for strip in made}))


if __name__ == "__main__":
    typer.run(main)
