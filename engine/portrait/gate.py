"""The level gate: eases the mouth to closed where nothing is said, and leaves quiet speech alone.

Everything but the mouth goes on moving in silence, so the gate scales mouth channels only.
"""

from collections import deque
from itertools import islice

from engine.config import TIMING
from engine.portrait.landmarks import Floats

LOOK_AHEAD_FRAMES = 2  # that the mouth network has
_EARLY_FRAMES = 1  # the gate uses less: lips that part 80 ms early look out of step

_FULL_EXCESS_DB = 4.0  # above the threshold of the level tracker: surely speech
_ATTACK_S, _HOLD_S, _RELEASE_S = 0.04, 0.24, 0.2  # a shorter hold shuts lips within sentences
_RISE = TIMING.frame_s / (2 * _ATTACK_S)  # begins a frame early, so it may take two frames
_FALL = TIMING.frame_s / _RELEASE_S
_HOLD_FRAMES = round(_HOLD_S / TIMING.frame_s)


class MouthGate:
    """How far the mouth may open, frame by frame, `LOOK_AHEAD_FRAMES` behind what is pushed."""

    def __init__(self) -> None:
        self._wanted: deque[float] = deque(maxlen=LOOK_AHEAD_FRAMES + 1)
        self.reset()

    def reset(self) -> None:
        """Close the gate and forget the past."""
        self._wanted.extend([0.0] * (LOOK_AHEAD_FRAMES + 1))
        self._openness = 0.0
        self._held_frames = _HOLD_FRAMES

    def push(self, excess_db: Floats) -> float:
        """Take the hops of frame k, return the openness 0..1 of frame k - 2."""
        self._wanted.append(min(max(max(excess_db.tolist()) / _FULL_EXCESS_DB, 0.0), 1.0))
        target = max(islice(self._wanted, 1 + _EARLY_FRAMES))
        if target >= self._openness:
            self._held_frames = 0
            self._openness = min(target, self._openness + _RISE)
        elif self._held_frames < _HOLD_FRAMES:
            self._held_frames += 1
        else:
            self._openness = max(target, self._openness - _FALL)
        return self._openness
