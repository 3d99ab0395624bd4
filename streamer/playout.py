"""Which picture is shown when. Pure, and blind to what a picture is."""

from typing import Generic, TypeVar

T = TypeVar("T")
CAPACITY_FRAMES = 16


class Playout(Generic[T]):
    """Pictures wait here for their time, numbered through the session."""

    def __init__(self) -> None:
        self._waiting: dict[int, T] = {}
        self._last: T | None = None
        self._open_frame: int | None = None  # its time came, its picture did not
        self._next_frame = 0
        self.shown_frames = 0
        self.repeated_frames = 0
        self.dropped_frames = 0

    def offer(self, frame: int, picture: T) -> T | None:
        """Take a finished picture; returns it when it must be shown at once."""
        if frame == self._open_frame:
            return self._show(picture)
        if frame < self._next_frame or len(self._waiting) >= CAPACITY_FRAMES:
            self.dropped_frames += 1
            return None
        self._waiting[frame] = picture
        return None

    def due(self, frame: int) -> T | None:
        """A frame's time has come: its picture, if there."""
        self._next_frame = frame + 1
        picture = self._waiting.pop(frame, None)
        for old in [number for number in self._waiting if number < frame]:
            del self._waiting[old]
            self.dropped_frames += 1
        if picture is None:
            self._open_frame = frame
            return None
        return self._show(picture)

    def give_up(self) -> T | None:
        """A frame's grace is over: the last picture again, if its own never came."""
        if self._open_frame is None:
            return None
        self._open_frame = None
        if self._last is not None:
            self.repeated_frames += 1
        return self._last

    def forget(self, frame: int) -> None:
        """An epoch ended: what waits is stale. The open frame, if any, is before `frame`."""
        self._waiting.clear()
        self._next_frame = max(self._next_frame, frame)

    def _show(self, picture: T) -> T:
        self._open_frame = None
        self._last = picture
        self.shown_frames += 1
        return picture
