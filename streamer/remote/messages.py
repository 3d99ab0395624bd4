"""What the server and an engine process say to each other.

Small things go through a pipe, pictures through a block of shared memory: the child writes them
there, names the places in its reply, and may write again once the next request comes.
"""

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from engine.api import (
    MAX_SIZE,
    AvatarError,
    Engine,
    Picture,
    PortraitOptions,
    Samples,
    StreamOptions,
)
from engine.direction import Direction, PuppetFrame

BLOCK_BYTES = 12 * 2**20  # one picture of the largest size, or thirty of the usual
assert BLOCK_BYTES >= MAX_SIZE * MAX_SIZE * 3


class EngineGoneError(AvatarError):
    """The process that computed died or hung; it is being started again."""


class EngineFaultError(AvatarError):
    """The engine raised something that is no error of ours; the text is its traceback."""


@dataclass(frozen=True, slots=True)
class Load:
    """Make the engine; the first request of a process."""

    load: Callable[[], Engine]


@dataclass(frozen=True, slots=True)
class Prepare:
    """Make an avatar and keep it under a number."""

    avatar: int
    picture: Picture
    options: PortraitOptions


@dataclass(frozen=True, slots=True)
class Forget:
    """Drop avatars that nobody holds any more."""

    avatars: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Open:
    """Start a stream and keep it under a number."""

    stream: int
    avatar: int
    options: StreamOptions


@dataclass(frozen=True, slots=True)
class Push:
    """Samples for a stream, or None for its flush."""

    stream: int
    samples: Samples | None


@dataclass(frozen=True, slots=True)
class More:
    """The pictures in the block were taken: write the next ones."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Begin an epoch."""

    stream: int
    epoch: int


@dataclass(frozen=True, slots=True)
class Direct:
    """Let a stream act like this."""

    stream: int
    direction: Direction


@dataclass(frozen=True, slots=True)
class Play:
    """Let a stream begin a gesture."""

    stream: int
    gesture: str


@dataclass(frozen=True, slots=True)
class Follow:
    """Let a stream follow a camera, or none."""

    stream: int
    frame: PuppetFrame | None


@dataclass(frozen=True, slots=True)
class Watch:
    """Start to follow somebody before a camera, under a number."""

    watcher: int


@dataclass(frozen=True, slots=True)
class See:
    """The camera's next picture."""

    watcher: int
    picture: Picture
    time_s: float


@dataclass(frozen=True, slots=True)
class LookAway:
    """Follow that camera no more."""

    watcher: int


@dataclass(frozen=True, slots=True)
class Close:
    """End a stream."""

    stream: int


Acting: TypeAlias = Direct | Play | Follow
Watching: TypeAlias = Watch | See | LookAway
Request: TypeAlias = (
    Load | Prepare | Forget | Open | Push | More | Reset | Acting | Watching | Close
)


@dataclass(frozen=True, slots=True)
class Prepared:
    """Answers `Prepare`."""

    avatar_id: str
    still: Picture


@dataclass(frozen=True, slots=True)
class Opened:
    """Answers `Open`."""

    look_ahead_frames: int
    chunk_frames: int


@dataclass(frozen=True, slots=True)
class PlacedUnit:
    """A unit whose picture lies in the block."""

    frame_index: int
    epoch: int
    begin: int  # byte
    shape: tuple[int, ...]
    samples: Samples


@dataclass(frozen=True, slots=True)
class Units:
    """Answers `Push` and `More`."""

    units: tuple[PlacedUnit, ...]
    has_more: bool
    repaired_frames: int


@dataclass(frozen=True, slots=True)
class Seen:
    """Answers `See`."""

    frame: PuppetFrame | None
    faces: int


@dataclass(frozen=True, slots=True)
class Done:
    """Answers all that has nothing to tell."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Answers a request that raised."""

    error: AvatarError


Reply: TypeAlias = Prepared | Opened | Units | Seen | Done | Failed


def failed(error: Exception) -> Failed:
    """Our own errors travel as they are, any other one as its traceback."""
    if isinstance(error, AvatarError):
        return Failed(error)
    return Failed(EngineFaultError("".join(traceback.format_exception(error))))


def picture_at(block: memoryview, unit: PlacedUnit) -> Picture:
    """A read-only copy of a unit's picture [height, width, 3], or planes."""
    count = int(np.prod(unit.shape))
    taken = np.frombuffer(block, np.uint8, count, unit.begin).reshape(unit.shape).copy()
    taken.flags.writeable = False
    return taken
