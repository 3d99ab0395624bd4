"""A portrait engine as a program of its own: orders on standard input, frames on standard output.

    python -P filmed_engine.py CACHE_FOLDER

Each order is a line of JSON, then its samples. The answer is a line of JSON, the raw frames and a
line with what they cost. Only what engines of every age have is used, so that PYTHONPATH may name
another checkout.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from engine.api import Avatar, AvatarError, Engine, PortraitOptions, Samples, StreamOptions
from engine.picture import read_picture_file
from engine.portrait.engine import load_engine
from engine.portraits import bundled_portraits

_FRAME_SAMPLES = 640
_WARM_UP_FRAMES = 12


def main() -> None:
    """Answer orders until the input ends."""
    orders, answers = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # nothing else may come between the frames
    engine = load_engine("cpu", Path(sys.argv[1]))
    avatars: dict[str, Avatar] = {}
    for line in iter(orders.readline, b""):
        order = json.loads(line)
        samples = np.frombuffer(orders.read(4 * order["samples"]), np.float32).copy()
        name = order["portrait"]
        try:
            if name not in avatars:
                avatars[name] = _prepared(engine, name, order["size"])
        except AvatarError as error:
            _tell(answers, {"error": str(error)})
            continue
        _film(engine, avatars[name], order, samples, answers)


def _prepared(engine: Engine, name: str, size: int) -> Avatar:
    picture = bundled_portraits().get(name)
    if picture is None:
        picture = read_picture_file(Path(name))
    return engine.prepare(picture, PortraitOptions(size=size))


def _film(
    engine: Engine, avatar: Avatar, order: dict[str, Any], samples: Samples, answers: BinaryIO
) -> None:
    options = StreamOptions(seed=order["seed"], expression_strength=order["strength"], badge=False)
    stream = engine.open(avatar, options)
    height, width = avatar.still.shape[:2]
    chunk_frames = getattr(stream, "chunk_frames", 1)  # engines before the streaming core had one
    _tell(answers, {"height": height, "width": width, "chunk_frames": chunk_frames})
    spent_ns, pieces = 0, samples.reshape(-1, _FRAME_SAMPLES)
    for number, piece in enumerate(pieces):
        begun_ns = time.process_time_ns()
        units = stream.push(piece)
        if number >= _WARM_UP_FRAMES:
            spent_ns += time.process_time_ns() - begun_ns
        for unit in units:
            answers.write(unit.picture.tobytes())
    for unit in stream.flush():
        answers.write(unit.picture.tobytes())
    stream.close()
    counted = len(pieces) - _WARM_UP_FRAMES
    _tell(answers, {"ms_per_frame": spent_ns / 1e6 / counted if counted > 0 else None})


def _tell(answers: BinaryIO, words: dict[str, Any]) -> None:
    answers.write(json.dumps(words).encode() + b"\n")
    answers.flush()


if __name__ == "__main__":
    main()
