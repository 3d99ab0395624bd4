"""What was given to the engine and not yet played: sound never waits for its picture."""

from collections import deque
from dataclasses import dataclass

import numpy as np

from engine.api import Samples
from engine.config import TIMING
from streamer.ingest import Piece

CAPACITY_FRAMES = 4 * TIMING.frame_rate_hz


@dataclass(frozen=True, slots=True)
class VoiceFrame:
    """The samples [640] of one frame, and when the last microphone packet in it came in."""

    samples: Samples
    heard_s: float | None


SILENT_FRAME = VoiceFrame(np.zeros(TIMING.samples_per_frame, np.float32), None)


class Voice:
    """A short bounded record of frames, numbered through the session."""

    def __init__(self) -> None:
        self._frames: deque[VoiceFrame] = deque(maxlen=CAPACITY_FRAMES)
        self.restart(0)

    def restart(self, frame: int) -> None:
        """Forget everything; the next sample is the first of `frame`."""
        self._frames.clear()
        self._end_frame = frame
        self._rest: list[Samples] = []
        self._rest_samples = 0
        self._heard_s: float | None = None

    def append(self, piece: Piece) -> None:
        """Record what was given."""
        self._rest.append(piece.samples)
        self._rest_samples += len(piece.samples)
        self._heard_s = piece.heard_s if piece.heard_s is not None else self._heard_s
        if self._rest_samples >= TIMING.samples_per_frame:
            self._cut(piece.heard_s)

    def frame(self, frame: int) -> VoiceFrame:
        """The sound of a frame; silence when it was never given or is long gone."""
        begin = self._end_frame - len(self._frames)
        if begin <= frame < self._end_frame:
            return self._frames[frame - begin]
        return SILENT_FRAME

    def since(self, frame: int) -> Samples:
        """Everything recorded from `frame` on."""
        whole = [self.frame(number).samples for number in range(frame, self._end_frame)]
        return np.concatenate([np.empty(0, np.float32), *whole, *self._rest])

    def _cut(self, heard_s: float | None) -> None:
        joined = np.concatenate(self._rest)
        size = TIMING.samples_per_frame
        whole = len(joined) // size
        for number in range(whole):
            self._frames.append(
                VoiceFrame(joined[number * size : (number + 1) * size], self._heard_s)
            )
            self._heard_s = heard_s
        self._end_frame += whole
        rest = joined[whole * size :]
        self._rest, self._rest_samples = [rest], len(rest)
        self._heard_s = heard_s if len(rest) else None
