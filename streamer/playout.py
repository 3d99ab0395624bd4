"""Which picture is shown when. Pure, and blind to what a picture is.

Time is cut into slots, one per frame of sound. A slot shows its own picture; if that is late, the
newest one that is at most 120 ms late; if there is none either, the last picture again.
"""

from typing import Generic, NamedTuple, TypeVar

from engine.config import TIMING

T = TypeVar("T")
CAPACITY_FRAMES = 16
MAX_LATE_FRAMES = TIMING.frame_rate_hz * 120 // 1000
TOO_LATE_S = (MAX_LATE_FRAMES + 0.5) * TIMING.frame_s  # a slot is open for half of its time


class Shown(NamedTuple, Generic[T]):
    """A picture, the frame that it belongs to, and the slot in which it is shown."""

    frame: int
    slot: int
    picture: T


class Playout(Generic[T]):
    """Pictures wait here for their slot; frames are numbered through the session."""

    def __init__(self) -> None:
        self._waiting: dict[int, T] = {}
        self._last: tuple[int, T] | None = None
        self._next_frame = 0  # older ones were shown, or belong to an epoch that ended
        self._slot = -1
        self._is_open = False  # the slot came, no picture did
        self._moved_slot = -1  # in which a new picture was shown, or the last hope began
        self.shown_frames = 0
        self.repeated_frames = 0
        self.dropped_frames = 0

    @property
    def frozen_slots(self) -> int:
        """For how long nothing new was shown."""
        return self._slot - self._moved_slot

    def offer(self, frame: int, picture: T) -> Shown[T] | None:
        """Take a finished picture; it comes back when it must be shown at once."""
        if len(self._waiting) >= CAPACITY_FRAMES:
            self.dropped_frames += 1
            return None
        self._waiting[frame] = picture
        return self._show_newest() if self._is_open else None

    def due(self, slot: int) -> Shown[T] | None:
        """A slot begins: the picture to show in it, if there is one."""
        self._slot = slot
        self._is_open = True
        return self._show_newest()

    def give_up(self) -> Shown[T] | None:
        """Half of the slot is over: the last picture again, if none came."""
        if not self._is_open:
            return None
        self._is_open = False
        if self._last is None:
            return None
        self.repeated_frames += 1
        frame, picture = self._last
        return Shown(frame, self._slot, picture)

    def hope(self) -> None:
        """The engine begins again: what waits is shown meanwhile, and a freeze counts from here."""
        self._moved_slot = self._slot

    def forget(self, frame: int) -> None:
        """Something new begins with `frame`: what waits is stale."""
        self._waiting.clear()
        self.hope()
        self._next_frame = max(self._next_frame, frame)

    def _show_newest(self) -> Shown[T] | None:
        self._drop_stale()
        frame = max((number for number in self._waiting if number <= self._slot), default=None)
        if frame is None:
            return None
        picture = self._waiting.pop(frame)
        self._is_open = False
        self._moved_slot = self._slot
        self._last, self._next_frame = (frame, picture), frame + 1
        self.shown_frames += 1
        self._drop_stale()
        return Shown(frame, self._slot, picture)

    def _drop_stale(self) -> None:
        oldest = max(self._next_frame, self._slot - MAX_LATE_FRAMES)
        for stale in [number for number in self._waiting if number < oldest]:
            del self._waiting[stale]
            self.dropped_frames += 1
