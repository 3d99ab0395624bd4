"""What every stream does with samples: whole frames in, units with exactly their samples out."""

from collections import deque
from collections.abc import Iterator

import numpy as np

from engine.api import Frame, Samples, StreamClosedError, Unit, check_samples
from engine.config import TIMING

_FRAME = TIMING.samples_per_frame


class UnitCutter:
    """The samples of one stream that wait for their pictures. Fixed in size."""

    def __init__(self, look_ahead_frames: int) -> None:
        self.epoch = 0
        self.next_frame = 0  # the number of the unit that comes next
        self.is_closed = False
        self._look_ahead_frames = look_ahead_frames
        self._rest: Samples = np.empty(0, np.float32)  # less than one frame
        self._waiting: deque[Samples] = deque(maxlen=look_ahead_frames + 1)

    @property
    def held_units(self) -> int:
        """Units whose samples have come, the last of them perhaps in part."""
        return len(self._waiting) + (len(self._rest) > 0)

    def cut(self, samples: Samples) -> Iterator[Samples]:
        """Take any number of samples; yield the frames [640] that are whole now.

        Raises `StreamClosedError`, and `BadAudioError` before anything is taken.
        """
        if self.is_closed:
            raise StreamClosedError("the stream is closed")
        check_samples(samples)
        joined = np.concatenate([self._rest, samples])
        whole = len(joined) // _FRAME * _FRAME
        self._rest = joined[whole:].copy()
        for frame in joined[:whole].reshape(-1, _FRAME):
            self._waiting.append(frame)
            yield frame

    def silence_to_finish(self) -> Samples:
        """As much silence as brings every unit out that is held; nothing if none is."""
        padding = -len(self._rest) % _FRAME + self._look_ahead_frames * _FRAME
        return np.zeros(padding if self.held_units else 0, np.float32)

    def unit(self, picture: Frame) -> Unit:
        """The next unit: `picture` with the oldest samples that wait, both read-only from now."""
        samples = self._waiting.popleft()
        picture.flags.writeable = samples.flags.writeable = False
        unit = Unit(self.next_frame, self.epoch, picture, samples)
        self.next_frame += 1
        return unit

    def reset(self, epoch: int) -> None:
        """Forget all samples; the next unit is number 0 of `epoch`."""
        self.epoch, self.next_frame = epoch, 0
        self._rest = np.empty(0, np.float32)
        self._waiting.clear()

    def close(self) -> None:
        """Take no more; safe to call twice."""
        self.is_closed = True
        self._waiting.clear()
