"""When each frame leaves. Pure arithmetic: no sleeping, no threads, no wall clock."""

from collections import deque
from dataclasses import dataclass, field

from engine.config import TIMING

START_RESERVE_S = 0.040
MIN_RESERVE_S = 0.012
MAX_RESERVE_S = 0.120  # of an engine that finishes every frame by itself
SKIP_AFTER_S = 0.120  # a stall longer than this is skipped, not caught up with a burst
_WATCH_FRAMES = 5 * TIMING.frame_rate_hz
_TOLERATED_OUTLIERS = 10  # late frames in the watched time: one hiccup changes nothing
_STEP_UP_S = 0.005
_STEP_DOWN_S = 0.0002  # 0.5 % faster than real time: no listener notices
_HEADROOM_S = 0.008


@dataclass(slots=True)
class Reserve:
    """How long after its due time a frame leaves: the time that the engine may take."""

    reserve_s: float = START_RESERVE_S
    max_s: float = MAX_RESERVE_S
    _needed_s: deque[float] = field(default_factory=lambda: deque(maxlen=_WATCH_FRAMES))

    def observe(self, needed_s: float) -> None:
        """Note how long after its due time a frame was ready, and adapt slowly."""
        self._needed_s.append(needed_s)
        usual_s = sorted(self._needed_s)[-min(1 + _TOLERATED_OUTLIERS, len(self._needed_s))]
        if needed_s > self.reserve_s and usual_s > self.reserve_s:
            self.reserve_s = min(self.max_s, self.reserve_s + _STEP_UP_S)
        elif len(self._needed_s) == _WATCH_FRAMES and usual_s + _HEADROOM_S < self.reserve_s:
            self.reserve_s = max(MIN_RESERVE_S, self.reserve_s - _STEP_DOWN_S)


def reserve_for(chunk_frames: int) -> Reserve:
    """The reserve for an engine that finishes so many frames at once.

    The first of them waits until all are finished, which may take as long as they last.
    """
    return Reserve(max_s=MAX_RESERVE_S + (chunk_frames - 1) * TIMING.frame_s)


@dataclass(slots=True)
class Pacer:
    """A fixed grid of half frames: each tick is one 20 ms packet, each even tick a frame too.

    Due times come from the start, so lateness never adds up.
    """

    start_s: float
    frame: int = 0
    in_second_half: bool = False
    reserve: Reserve = field(default_factory=Reserve)

    def grid_s(self, frame: int) -> float:
        """When the engine must have been given what a frame needs."""
        return self.start_s + frame * TIMING.frame_s

    @property
    def due_s(self) -> float:
        """When the next packet leaves."""
        half_s = TIMING.frame_s / 2 if self.in_second_half else 0.0
        return self.grid_s(self.frame) + half_s + self.reserve.reserve_s

    @property
    def next_whole_frame(self) -> int:
        """The first frame of which nothing has left."""
        return self.frame + self.in_second_half

    def advance(self) -> None:
        """One packet left."""
        self.frame = self.next_whole_frame
        self.in_second_half = not self.in_second_half

    def overdue_frames(self, now_s: float) -> int:
        """Whole frames to skip; 0 unless the delay is longer than worth catching up."""
        late_s = now_s - self.due_s
        if self.in_second_half or late_s < SKIP_AFTER_S:
            return 0
        return int(late_s * TIMING.frame_rate_hz)
