"""Small honest stand-ins: they keep the contracts of `engine.api`, but paint no face."""

from dataclasses import dataclass, field

import numpy as np

from engine.api import (
    Avatar,
    NoFaceError,
    Picture,
    PortraitOptions,
    Samples,
    StreamClosedError,
    StreamOptions,
    Unit,
    check_samples,
)
from engine.config import TIMING


@dataclass(frozen=True)
class FakeAvatar:
    """A flat grey picture."""

    avatar_id: str
    still: Picture


@dataclass
class FakeStream:
    """Frames are grey with a bar whose height follows the level of the unit's own samples."""

    avatar: Avatar
    options: StreamOptions
    look_ahead_frames: int = 2
    epoch: int = 0
    frames: int = 0
    closed: bool = False
    chunk_frames: int = 1
    repaired_frames: int = 0
    rest: Samples = field(default_factory=lambda: np.empty(0, np.float32))

    def push(self, samples: Samples) -> list[Unit]:
        if self.closed:
            raise StreamClosedError("the stream is closed")
        check_samples(samples)
        self.rest = np.concatenate([self.rest, samples])
        size, units = TIMING.samples_per_frame, list[Unit]()
        while len(self.rest) >= size * (1 + self.look_ahead_frames):
            units.append(self._unit(self.rest[:size]))
            self.rest = self.rest[size:]
        return units

    def flush(self) -> list[Unit]:
        size = TIMING.samples_per_frame
        whole = -(-len(self.rest) // size) * size
        padded = np.pad(self.rest, (0, whole - len(self.rest))).astype(np.float32)
        units = [self._unit(piece) for piece in padded.reshape(-1, size)]
        self.reset(self.epoch)
        return units

    def reset(self, epoch: int) -> None:
        self.epoch, self.frames, self.rest = epoch, 0, np.empty(0, np.float32)

    def close(self) -> None:
        self.closed = True

    def _unit(self, samples: Samples) -> Unit:
        picture = self.avatar.still.copy()
        height = picture.shape[0]
        level = float(np.sqrt(np.mean(samples**2)))
        bar = min(height // 2, int(level * 4 * height))
        picture[height // 2 : height // 2 + bar, picture.shape[1] // 3 : -picture.shape[1] // 3] = (
            255
        )
        self.frames += 1
        return Unit(self.frames - 1, self.epoch, picture, samples.copy())


class FakeEngine:
    """Accepts every picture but an all-black one, in which it finds no face."""

    def prepare(self, picture: Picture, options: PortraitOptions) -> FakeAvatar:
        if not picture.any():
            raise NoFaceError("no face found in the picture")
        still = np.full((options.size, options.size, 3), 90, np.uint8)
        return FakeAvatar(f"fake{int(picture.mean()):03d}", still)

    def open(self, avatar: Avatar, options: StreamOptions) -> FakeStream:
        return FakeStream(avatar, options)
