"""The command line of the V-Express engine as tests call it."""

from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from inference import main

SECONDS = 0.6  # of sound that `given` speaks


def run(flags: dict[str, str], *more: str) -> int:
    """The exit code for `flags` with their values, and `more` without."""
    return main([part for pair in flags.items() for part in pair] + list(more))


def frames_of(path: str | Path) -> list[NDArray[np.uint8]]:
    """All pictures of a film."""
    with av.open(str(path)) as film:
        return [np.asarray(frame.to_ndarray(format="rgb24")) for frame in film.decode(video=0)]
