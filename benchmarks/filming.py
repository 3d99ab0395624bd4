"""Takes: some sound spoken by a portrait, filmed by an engine in a process of its own.

The process may run this checkout or an older one, so that two versions are measured alike: all that
is known of an engine is its frames and what they cost.
"""

import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from benchmarks.harness import ROOT
from engine.api import AvatarError, Picture, Samples
from engine.config import TIMING

_PROGRAM = Path(__file__).with_name("filmed_engine.py")
_CHANNELS = 3


class FilmingError(AvatarError):
    """The engine to be measured is not there, refused the order or ended before its time."""


@dataclass(frozen=True, slots=True)
class Take:
    """What shall be filmed."""

    name: str
    portrait: str  # of a bundled portrait, or a picture file
    samples: Samples = field(repr=False)
    seed: int = 1
    strength: float = 1.0  # 0 keeps the mouth still and everything else as it is


class EngineProcess:
    """One engine of the checkout in `folder`; films one take at a time."""

    def __init__(self, folder: Path, cache: Path, size: int) -> None:
        self._size = size
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(_PROGRAM), str(cache)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"},
        )
        self.chunk_frames = 1
        self.ms_per_frame: float | None = None  # of the last take, once all of it was seen

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self._process.kill()
        self._process.communicate()

    def film(self, take: Take) -> Iterator[Picture]:
        """The frames of a take, one for each 40 ms of sound, what is left over padded."""
        whole = np.pad(take.samples, (0, -len(take.samples) % TIMING.samples_per_frame))
        self._order(take, whole.astype(np.float32))
        head = self._told()
        if "error" in head:
            raise FilmingError(f"{take.name} on {take.portrait}: {head['error']}")
        self.chunk_frames = head["chunk_frames"]
        shape = (head["height"], head["width"], _CHANNELS)
        for _ in range(len(whole) // TIMING.samples_per_frame):
            yield np.frombuffer(self._read(int(np.prod(shape))), np.uint8).reshape(shape)
        self.ms_per_frame = self._told()["ms_per_frame"]

    def _order(self, take: Take, samples: Samples) -> None:
        order = {
            "portrait": take.portrait,
            "samples": len(samples),
            "seed": take.seed,
            "strength": take.strength,
            "size": self._size,
        }
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(order).encode() + b"\n" + samples.tobytes())
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise FilmingError(self._ended()) from error

    def _told(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise FilmingError(self._ended())
        told: dict[str, Any] = json.loads(line)
        return told

    def _read(self, count: int) -> bytes:
        assert self._process.stdout is not None
        data = self._process.stdout.read(count)
        if len(data) < count:
            raise FilmingError(self._ended())
        return data

    def _ended(self) -> str:
        return f"the engine ended with exit status {self._process.wait()}; see its messages above"


def older_checkout(revision: str, folder: Path) -> Path:
    """The engine as it was at a git revision, unpacked below `folder` (or found there).

    A folder with a checkout may be named instead. Raises `FilmingError` if there is neither.
    """
    if (Path(revision) / "engine").is_dir():
        return Path(revision)
    commit = _git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}").decode().strip()
    target = folder / commit[:12]
    if not target.is_dir():
        with tarfile.open(fileobj=io.BytesIO(_git("archive", commit, "engine", "kernels"))) as tar:
            partial = folder / f"{target.name}.part{os.getpid()}"
            tar.extractall(partial, filter="data")
        partial.rename(target)
    return target


def _git(*words: str) -> bytes:
    try:
        ran = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, check=True)
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        raise FilmingError(
            f"git {' '.join(words)} failed: name a revision of this repository or a folder with a "
            "checkout of it, or none"
        ) from error
    return ran.stdout
