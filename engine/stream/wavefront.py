"""The order in which overlapping windows can be asked so that a stream equals the whole clip.

In a clip every step asks all windows, averages what they say of each frame and then goes one level
down. Window w at level s needs only frames whose windows have all spoken at level s - 1, so the
windows can be taken along a slanted front: the newest at the top level, older ones further down.
Pure bookkeeping. (../vexpress SPEC, section 19.)
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from engine.api import AvatarError


@dataclass(frozen=True, slots=True)
class Tiling:
    """Windows of `frames` frames, each sharing `overlap` of them with the next."""

    frames: int
    overlap: int

    def __post_init__(self) -> None:
        if not 0 <= self.overlap < self.frames:
            raise AvatarError(
                f"windows of {self.frames} frames that share {self.overlap}: "
                "expected fewer shared than there are"
            )

    @property
    def stride(self) -> int:
        """Frames from one window to the next."""
        return self.frames - self.overlap

    def window(self, number: int, clip_frames: int | None) -> range:
        """The frames of a window; the last one of a clip ends with it, the only one is as long."""
        start = number * self.stride
        if clip_frames is not None:
            start = min(start, max(0, clip_frames - self.frames))
            return range(start, min(start + self.frames, clip_frames))
        return range(start, start + self.frames)

    def count(self, clip_frames: int) -> int:
        """How many windows a clip has."""
        return 1 + max(0, -(-(clip_frames - self.frames) // self.stride))


class Visit(NamedTuple):
    """One window to be asked at one level."""

    window: range
    level: int
    settled: range  # the frames that all their windows have spoken of at this level


class Wavefront:
    """Which visits are due. Each is given out once, in an order that never waits for itself."""

    def __init__(self, tiling: Tiling, steps: int) -> None:
        self._tiling, self._steps = tiling, steps
        self._next = [0] * steps  # per level, the next window
        self._settled = [0] * steps  # per level, up to which frame all have spoken

    @property
    def finished_frames(self) -> int:
        """Frames that have come all the way down, from the clip's start."""
        return self._settled[-1]

    @property
    def needed_frames(self) -> int:
        """The most frames that are in flight while conditions come one stride at a time."""
        # A window waits for those after it that hold one of its frames.
        windows_ahead = -(-self._tiling.frames // self._tiling.stride) - 1
        depth = (self._steps - 1) * windows_ahead * self._tiling.stride
        return depth + self._tiling.frames + 2 * self._tiling.stride

    def due(self, known_frames: int, clip_frames: int | None) -> Iterator[Visit]:
        """What can be asked now that conditions are known up to a frame.

        `clip_frames` is None until the clip's end is known. Until then a window is held back
        until the next one is whole as well: the last one of a clip may start anywhere, and a frame
        must not be stepped before it is known how many windows hold it.
        """
        moved = True
        while moved:
            moved = False
            for level in range(self._steps):
                if self._is_ready(level, known_frames, clip_frames):
                    yield self._visit(level, clip_frames)
                    moved = True

    def _is_ready(self, level: int, known_frames: int, clip_frames: int | None) -> bool:
        number, tiling = self._next[level], self._tiling
        if clip_frames is not None and number >= tiling.count(clip_frames):
            return False
        if level > 0:
            return self._settled[level - 1] >= tiling.window(number, clip_frames).stop
        return clip_frames is not None or tiling.window(number + 1, None).stop <= known_frames

    def _visit(self, level: int, clip_frames: int | None) -> Visit:
        number, tiling = self._next[level], self._tiling
        window = tiling.window(number, clip_frames)
        if clip_frames is not None and number == tiling.count(clip_frames) - 1:
            end = clip_frames
        else:
            end = tiling.window(number + 1, clip_frames).start
        settled = range(self._settled[level], end)
        self._next[level] += 1
        self._settled[level] = end
        return Visit(window, level, settled)
