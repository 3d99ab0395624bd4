"""From where a face stood to where it shall be, without a jump. Pure."""

import numpy as np

from engine.portrait.landmarks import Floats

EASED_FRAMES = 4  # 160 ms: as long as lips take to close by themselves


class Easing:
    """Takes back, over a few frames, what differs between the frames before and after a restart."""

    def __init__(self) -> None:
        self._last: Floats | None = None  # what was shown
        self._offset: Floats | None = None
        self._from: Floats | None = None
        self._frame = EASED_FRAMES

    def restart(self) -> None:
        """What follows has nothing to do with what came before."""
        self._from, self._offset, self._frame = self._last, None, 0

    def apply(self, motion: Floats) -> Floats:
        """The motion vector to show in place of `motion`."""
        if self._frame < EASED_FRAMES and self._from is not None:
            if self._offset is None:
                self._offset = self._from - motion
            self._frame += 1
            # The cosine begins and ends at rest; after the last eased frame nothing is left.
            share = 0.5 + 0.5 * np.cos(np.pi * self._frame / (EASED_FRAMES + 1))
            motion = np.asarray(motion + share * self._offset, np.float32)
        self._last = motion
        return motion
