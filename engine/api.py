"""What the rest of the program may know about an engine. Imports no torch.

An `Engine` prepares portraits and opens streams. Three kinds of object stay apart: an `Avatar`
never changes and may be shared by many streams, a `Stream` is one visitor's changing state,
and the `Engine` computes.
"""

import hashlib
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.direction import MAX_STRENGTH, Direction, PuppetFrame
from engine.script import Script

Samples: TypeAlias = NDArray[np.float32]  # [time], mono, 16 kHz, -1..1
Picture: TypeAlias = NDArray[np.uint8]  # [height, width, 3], RGB
# What a frame may be where it was allowed: a picture, or its I420 planes one below the other,
# [height * 3 / 2, width] (BT.601, limited range).
Frame: TypeAlias = NDArray[np.uint8]

MIN_SIZE, MAX_SIZE = 128, 1920  # output pixels


class AvatarError(Exception):
    """Base of every error that a caller of this program may want to catch."""


class BadPictureError(AvatarError):
    """A picture that cannot become an avatar: unreadable, too large, or its face will not do."""


class NoFaceError(BadPictureError):
    """No face was found."""


class SeveralFacesError(BadPictureError):
    """Two or more faces of similar size: it is not clear who shall speak."""


class FaceTooSmallError(BadPictureError):
    """The face has too few pixels to animate."""


class FaceTurnedError(BadPictureError):
    """The face looks too far to the side, up or down."""


class BadAudioError(AvatarError):
    """Audio that the engine cannot take."""


class StreamClosedError(AvatarError):
    """A stream was used after `close`."""


class CannotDirectError(AvatarError):
    """A direction that this engine, or this stream, has no means to follow."""


class UnknownGestureError(AvatarError):
    """A gesture that the table does not have."""


class UnknownEmotionError(AvatarError):
    """An emotion that the table does not have."""


class EngineFullError(AvatarError):
    """The device has no room for another avatar or stream; those that are open go on."""


class Framing(StrEnum):
    """How much of the picture is shown."""

    CROP = "crop"  # a square around head and shoulders
    FULL = "full"  # the whole picture, the face pasted back into it


KEEP, BLUR, CHROMA = "keep", "blur", "#00ff00"
_BACKGROUND_NAME = re.compile(r"keep|blur|#[0-9a-f]{6}|picture:[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class Background:
    """What shows behind the person; equal names mean equal backgrounds."""

    name: str = KEEP  # or BLUR, or a colour #rrggbb; `showing` names a picture by its content
    picture: Picture | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        shows_picture = self.name.startswith("picture:")
        if not _BACKGROUND_NAME.fullmatch(self.name) or shows_picture != (self.picture is not None):
            raise ValueError(f"background {self.name[:40]!r}: expected keep, blur or #rrggbb")

    @classmethod
    def showing(cls, picture: Picture) -> Self:
        """A picture [height, width, 3] uint8 RGB, which is made to fill the frame."""
        content = f"{picture.shape}".encode() + np.ascontiguousarray(picture).tobytes()
        return cls(f"picture:{hashlib.sha256(content).hexdigest()[:16]}", picture)

    @property
    def is_kept(self) -> bool:
        """The picture's own background stays."""
        return self.name == KEEP

    @property
    def colour(self) -> tuple[int, int, int] | None:
        """Red, green and blue of a plain background, 0..255."""
        if not self.name.startswith("#"):
            return None
        red, green, blue = bytes.fromhex(self.name[1:])
        return red, green, blue


@dataclass(frozen=True, slots=True, kw_only=True)
class PortraitOptions:
    """How a picture becomes an avatar.

    An engine that generates squares of one size takes no other: there `size` is the side of the
    square also in a full picture, whose own size follows from what was given.
    """

    size: int = 512  # output pixels: side of the crop, or longest side of the full picture
    framing: Framing = Framing.CROP
    height: int | None = None  # with it, frames are `size` wide and this high, whatever is shown
    background: Background = field(default_factory=Background)

    def __post_init__(self) -> None:
        for pixels in (self.size, self.size if self.height is None else self.height):
            if not MIN_SIZE <= pixels <= MAX_SIZE or pixels % 2:
                raise ValueError(
                    f"size {pixels}: expected an even number from {MIN_SIZE} to {MAX_SIZE}"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamOptions:
    """How one stream behaves."""

    seed: int = 0  # of blinks, gaze and head motion
    expression_strength: float = 1.0  # scales deviation from neutral; 1.0 as trained
    badge: bool = True  # paint the visible "AI avatar" badge
    planes: bool = False  # frames may come as I420 planes, which engines on a GPU make there
    life_frame: int = 0  # where the idle motion (blinks, breath, gaze) begins
    script: Script | None = None  # what frames are told beforehand; not every engine can follow

    def __post_init__(self) -> None:
        if not 0.0 <= self.expression_strength <= MAX_STRENGTH:
            raise ValueError(
                f"expression strength {self.expression_strength}: expected 0.0 to {MAX_STRENGTH}"
            )


@dataclass(frozen=True, slots=True)
class Unit:
    """One frame and exactly its samples: the only thing that travels from engine to tracks.

    Unit k of an epoch carries samples [640 k, 640 k + 640) of what was pushed in that epoch.
    """

    frame_index: int
    epoch: int
    picture: Frame  # [height, width, 3] uint8 RGB or, if allowed, I420 planes; read-only
    samples: Samples  # [640] float32, read-only


class Avatar(Protocol):
    """A prepared portrait: immutable, shareable between sessions."""

    @property
    def avatar_id(self) -> str:
        """Stable name made from the content: equal pictures and options give equal ids."""
        ...

    @property
    def still(self) -> Picture:
        """The avatar at rest, [height, width, 3]; its shape is the shape of every frame."""
        ...


class Stream(Protocol):
    """One talking head in progress. Fixed in size; not for use by two threads at once."""

    @property
    def look_ahead_frames(self) -> int:
        """Frames of future audio that a frame waits for."""
        ...

    @property
    def chunk_frames(self) -> int:
        """Frames that are finished together, and must therefore not take longer than they last."""
        ...

    @property
    def repaired_frames(self) -> int:
        """Frames so far that went wrong and had the last good one shown in their place."""
        ...

    def push(self, samples: Samples) -> list[Unit]:
        """Take any number of samples; return the units that are now due, in order.

        Raises `BadAudioError` for anything but one-dimensional finite float32 samples and
        `StreamClosedError` after `close`.
        """
        ...

    def flush(self) -> list[Unit]:
        """End of speech: return what is still held back, the last unit padded with silence.

        The stream then stands where a `reset` to the same epoch would put it.
        """
        ...

    def reset(self, epoch: int) -> None:
        """Forget all audio and motion; the next unit is number 0 of `epoch`. Life goes on."""
        ...

    def close(self) -> None:
        """Release the stream; safe to call twice."""
        ...

    def direct(self, direction: Direction) -> None:
        """Act like this from the next frame on, eased; it survives `reset`.

        Values beyond the limits are brought back to them. Raises `UnknownEmotionError`, and
        `CannotDirectError` for what the engine has no means to follow.
        """
        ...

    def gesture(self, name: str) -> None:
        """Begin a named gesture with the next frame, in place of one that is still going on.

        Raises `UnknownGestureError`, which lists the known, and `CannotDirectError`.
        """
        ...

    def puppet(self, frame: PuppetFrame | None) -> None:
        """Follow a camera from the next frame on: head and upper face, the mouth stays the voice's.

        None, or nothing new for half a second, eases back to generated motion. Raises
        `CannotDirectError`.
        """
        ...


class Watcher(Protocol):
    """Follows one person before a camera. Not for use by two threads at once."""

    @property
    def faces(self) -> int:
        """How many were there when last looked for; the largest central one is followed."""
        ...

    def see(self, picture: Picture, time_s: float) -> PuppetFrame | None:
        """What the next picture [height, width, 3] uint8 RGB shows; None without a face.

        And None while the person's rest is learnt, in the first second. `time_s` says when the
        picture came and grows; after a long gap the rest is learnt anew.
        """
        ...

    def close(self) -> None:
        """Release the watcher; safe to call twice."""
        ...


class Engine(Protocol):
    """A loaded model. `prepare` and `open` may be called from any thread, one at a time."""

    def prepare(self, picture: Picture, options: PortraitOptions) -> Avatar:
        """Make an avatar of a picture [height, width, 3] uint8 RGB. Raises `BadPictureError`."""
        ...

    def open(self, avatar: Avatar, options: StreamOptions) -> Stream:
        """Start a stream."""
        ...

    def watch(self) -> Watcher:
        """Start to follow somebody before a camera, for `Stream.puppet`; from any thread."""
        ...


def check_samples(samples: Samples) -> None:
    """Raise `BadAudioError` unless `samples` is one-dimensional finite float32."""
    if samples.ndim != 1 or samples.dtype != np.float32:
        raise BadAudioError(
            f"expected one-dimensional float32 samples, got {samples.ndim}-D {samples.dtype}"
        )
    if not np.isfinite(samples).all():
        raise BadAudioError("expected finite samples, got NaN or infinity")
