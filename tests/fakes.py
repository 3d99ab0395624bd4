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
from engine.direction import Direction, Pose, PuppetFrame
from engine.repertoire import repertoire


@dataclass(frozen=True)
class FakeAvatar:
    """A flat grey picture."""

    avatar_id: str
    still: Picture


@dataclass
class FakeStream:
    """Frames are grey with a bar whose height follows the level of the unit's own samples.

    The bar moves to the right by the yaw that was asked for, at once.
    """

    avatar: Avatar
    options: StreamOptions
    look_ahead_frames: int = 2
    epoch: int = 0
    frames: int = 0
    closed: bool = False
    chunk_frames: int = 1
    repaired_frames: int = 0
    rest: Samples = field(default_factory=lambda: np.empty(0, np.float32))
    direction: Direction = field(default_factory=Direction)
    gestures: list[str] = field(default_factory=list)
    puppet_frame: PuppetFrame | None = None

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

    def direct(self, direction: Direction) -> None:
        repertoire().emotion(direction.emotion)
        self.direction = direction.limited()[0]

    def gesture(self, name: str) -> None:
        repertoire().gesture(name)
        self.gestures.append(name)

    def puppet(self, frame: PuppetFrame | None) -> None:
        self.puppet_frame = frame

    def _unit(self, samples: Samples) -> Unit:
        picture = self.avatar.still.copy()
        height, width = picture.shape[:2]
        level = float(np.sqrt(np.mean(samples**2)))
        bar = min(height // 2, int(level * 4 * height))
        pose = self.direction.pose if self.puppet_frame is None else self.puppet_frame.pose
        left = width // 3 + round(pose.yaw * width / 100)
        picture[height // 2 : height // 2 + bar, left : left + width // 3] = 255
        self.frames += 1
        return Unit(self.frames - 1, self.epoch, picture, samples.copy())


class FakeEngine:
    """Accepts every picture but an all-black one, in which it finds no face."""

    def prepare(self, picture: Picture, options: PortraitOptions) -> FakeAvatar:
        if not picture.any():
            raise NoFaceError("no face found in the picture")
        still = np.full((options.height or options.size, options.size, 3), 90, np.uint8)
        look = "" if options.background.is_kept else f" {options.background.name}"
        return FakeAvatar(f"fake{int(picture.mean()):03d}{look}", still)

    def open(self, avatar: Avatar, options: StreamOptions) -> FakeStream:
        return FakeStream(avatar, options)

    def watch(self) -> "FakeWatcher":
        return FakeWatcher()


class FakeWatcher:
    """Takes the brightness of a picture for the yaw of a head: grey looks straight on.

    What is nearly black shows no face, what is nearly white two.
    """

    faces = 0

    def see(self, picture: Picture, time_s: float) -> PuppetFrame | None:
        self.faces = int(picture.mean() > 40) + int(picture.mean() > 215)
        if not self.faces:
            return None
        return PuppetFrame(pose=Pose(yaw=(float(picture.mean()) - 128) / 10))

    def close(self) -> None:
        pass
