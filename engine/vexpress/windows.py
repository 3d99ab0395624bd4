"""How long a clip becomes, and the windows of frames in which the network sees it."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from engine.api import AvatarError

MIN_FRAMES = 2  # the median filter looks at a neighbour
MIN_FRAME_RATE_HZ, MAX_FRAME_RATE_HZ = 1, 120
MAX_FRAME_RATE_PART = 60_000  # of the fraction that a film's frame rate is written as


class ClipError(AvatarError):
    """A clip that cannot be cut into windows."""


@dataclass(frozen=True, slots=True)
class WindowSize:
    """How many frames the network sees at once, and how many of them two windows share."""

    frames: int = 24
    overlap: int = 4

    def __post_init__(self) -> None:
        if self.frames < 1 or not 0 <= self.overlap < self.frames:
            raise ClipError(
                f"windows of {self.frames} frames that share {self.overlap}: "
                "expected at least one frame, and fewer shared than there are"
            )

    @property
    def step(self) -> int:
        """Frames from one window's start to the next one's."""
        return self.frames - self.overlap


@dataclass(frozen=True, slots=True)
class Clip:
    """The length of the film."""

    frames: int
    frame_rate_hz: Fraction


@dataclass(frozen=True, slots=True)
class ClipRules:
    """What the published program does with lengths; each may be left out."""

    cut: bool = False  # to whole windows, shown more slowly so that the sound's length stays
    refuse_short: bool = False  # sound of less than one window


def plan_clip(
    samples: int, sample_rate_hz: int, frame_rate_hz: float, size: WindowSize, rules: ClipRules
) -> Clip:
    """The clip for so much sound."""
    if not MIN_FRAME_RATE_HZ <= frame_rate_hz <= MAX_FRAME_RATE_HZ:
        raise ClipError(
            f"{frame_rate_hz:g} frames a second: "
            f"expected {MIN_FRAME_RATE_HZ} to {MAX_FRAME_RATE_HZ}"
        )
    whole = int(samples / sample_rate_hz * frame_rate_hz)
    if rules.refuse_short and whole < size.frames:
        raise ClipError(f"sound of {whole} frames: shorter than one window of {size.frames} frames")
    if rules.cut and whole >= size.frames:
        frames = whole_windows_frames(whole, size)
        slower = Fraction(frames * sample_rate_hz, samples)
        return Clip(frames, slower.limit_denominator(MAX_FRAME_RATE_PART))
    rate = Fraction(frame_rate_hz).limit_denominator(MAX_FRAME_RATE_PART)
    frames = round(Fraction(samples, sample_rate_hz) * rate)
    return Clip(max(frames, MIN_FRAMES), rate)


def count_whole_windows(frames: int, size: WindowSize) -> int:
    """How many windows fit; zero or less when not even one does."""
    return (frames - size.frames) // size.step + 1


def whole_windows_frames(frames: int, size: WindowSize) -> int:
    """`frames` without those that no whole window holds."""
    windows = count_whole_windows(frames, size)
    if windows < 1:
        raise ClipError(f"{frames} frames: no whole window of {size.frames}")
    return (windows - 1) * size.step + size.frames


def cover(frames: int, size: WindowSize) -> tuple[tuple[int, ...], ...]:
    """Windows that hold every one of `frames`, each consecutive and inside the clip.

    The last one starts early enough to end with the clip. A clip of whole windows gets the
    published windows.
    """
    if frames <= size.frames:
        return (tuple(range(frames)),)
    last = frames - size.frames
    starts = [*range(0, last, size.step), last]
    return tuple(tuple(range(start, start + size.frames)) for start in starts)


def cover_folded(frames: int, size: WindowSize) -> tuple[tuple[int, ...], ...]:
    """The published windows for any length: frames beyond the end are folded back into it.

    Unless the clip is one of whole windows, the last window then holds some frames twice.
    """
    if frames <= size.frames:
        return (tuple(range(frames)),)
    starts = range(0, frames - size.overlap, size.step)
    return tuple(
        tuple(_fold(start + index, frames) for index in range(size.frames)) for start in starts
    )


def count_windows(frames: int, windows: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """In how many windows each frame is, however often it is there."""
    held = [set(window) for window in windows]
    return tuple(sum(frame in window for window in held) for frame in range(frames))


def _fold(index: int, frames: int) -> int:
    return index if index < frames else frames - 2 - index % frames
