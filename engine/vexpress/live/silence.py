"""Pauses: where a stream may begin anew without anybody seeing it."""

import numpy as np

from engine.api import Samples
from engine.config import TIMING

PAUSE_FRAMES = TIMING.frame_rate_hz // 2 + 1  # more than half a second
_QUIET_RMS = 0.01


class PauseWatch:
    """Tells once per pause that it has become long enough."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything. A stream begins in silence, which is no pause."""
        self._quiet_frames = PAUSE_FRAMES

    def push(self, frame: Samples) -> bool:
        """Take one frame of samples; True when a pause has just become long enough."""
        quiet = float(np.sqrt(np.mean(np.square(frame, dtype=np.float64)))) < _QUIET_RMS
        self._quiet_frames = self._quiet_frames + 1 if quiet else 0
        return self._quiet_frames == PAUSE_FRAMES
