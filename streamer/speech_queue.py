"""Speech that arrives by websocket, possibly faster than it is spoken."""

from collections import deque

import numpy as np

from engine.api import Samples
from engine.config import TIMING

QUEUE_S = 60
HOLD_S = 0.2  # an unfinished utterance keeps the microphone out for this long


class SpeechQueue:
    """A bounded queue of samples. The sender looks at `room_samples` and waits: nothing is lost."""

    def __init__(self, capacity_samples: int = QUEUE_S * TIMING.sample_rate_hz) -> None:
        self._capacity_samples = capacity_samples
        self._pieces: deque[Samples] = deque()
        self._count_samples = 0
        self.put_samples = 0  # ever
        self._held_until_s = 0.0
        self._unfinished = False

    def __len__(self) -> int:
        return self._count_samples

    @property
    def room_samples(self) -> int:
        """How many samples fit now."""
        return self._capacity_samples - self._count_samples

    @property
    def gone_samples(self) -> int:
        """How many of all that were ever put were taken or forgotten."""
        return self.put_samples - self._count_samples

    def put(self, samples: Samples) -> None:
        """Queue samples [time]; at most `room_samples`."""
        if len(samples) > self.room_samples:
            raise ValueError(f"{len(samples)} samples: expected at most {self.room_samples}")
        if len(samples):
            self._pieces.append(samples)
            self._count_samples += len(samples)
            self.put_samples += len(samples)
            self._unfinished = True

    def take(self, count_samples: int, now_s: float) -> Samples:
        """The next samples, at most `count_samples`."""
        taken: list[Samples] = [np.empty(0, np.float32)]
        while count_samples and self._pieces:
            piece = self._pieces.popleft()
            if len(piece) > count_samples:
                self._pieces.appendleft(piece[count_samples:])
                piece = piece[:count_samples]
            taken.append(piece)
            count_samples -= len(piece)
            self._count_samples -= len(piece)
            self._held_until_s = now_s + HOLD_S
        return np.concatenate(taken)

    def finish(self) -> None:
        """Mark the end of an utterance: the microphone need not wait."""
        self._unfinished = False

    def clear(self) -> None:
        """Forget all that is queued."""
        self._pieces.clear()
        self._count_samples = 0
        self._unfinished = False

    def has_the_word(self, now_s: float) -> bool:
        """Whether the microphone must keep silent."""
        return self._count_samples > 0 or (self._unfinished and now_s < self._held_until_s)
