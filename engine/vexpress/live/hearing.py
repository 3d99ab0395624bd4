"""Speech to audio tokens while it is spoken, a chunk of frames at a time.

The speech encoder hears `PAST_FRAMES` before a chunk, the chunk, and `FUTURE_FRAMES` after it; only
what it says of the middle is kept. A token of the model looks two frames further, so a frame waits
for four frames of future sound in all. Segments lie on a grid that the frame numbers give: it does
not matter how the sound was cut on its way here.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.api import Samples
from engine.config import TIMING
from engine.vexpress.audio_frontend import ROWS_PER_FRAME

PAST_FRAMES = TIMING.frame_rate_hz * 960 // 1000
FUTURE_FRAMES = TIMING.frame_rate_hz * 80 // 1000
PADDING_FRAMES = 2  # of speech features to each side of a frame, which the weights expect
LOOK_AHEAD_FRAMES = FUTURE_FRAMES + PADDING_FRAMES

_LEVEL_FRAMES = 100  # the level is that of the last four seconds of speech, about
_START_RMS = 0.06  # until something was said
_FLOOR_RMS = 0.01  # -40 dB: quieter sound is not speech and must not be blown up to it

Encode = Callable[[Tensor], Tensor]  # normal sound [samples] -> features [1, rows, channels]
Project = Callable[[Tensor], Tensor]  # [frames, rows, channels] -> tokens [frames, tokens, c]


@dataclass(slots=True)
class RunningLevel:
    """Mean and variance of the speech so far; silence changes neither."""

    mean: float = 0.0
    variance: float = _START_RMS**2

    def hear(self, frame: Samples) -> None:
        """Take one frame of samples."""
        power = float(np.mean(np.square(frame, dtype=np.float64)))
        if power < _FLOOR_RMS**2:
            return
        share = 1 / _LEVEL_FRAMES
        self.mean += share * (float(np.mean(frame, dtype=np.float64)) - self.mean)
        self.variance += share * (power - self.mean**2 - self.variance)

    def normalise(self, samples: Samples) -> Samples:
        """Bring speech to about zero mean and unit variance, and leave silence quiet."""
        scale = 1 / np.sqrt(max(self.variance, _FLOOR_RMS**2))
        return ((samples - np.float32(self.mean)) * np.float32(scale)).astype(np.float32)


class Hearing:
    """What one visitor has said, as far as it is still needed. Fixed in size."""

    def __init__(self, encode: Encode, project: Project, chunk_frames: int) -> None:
        self._encode, self._project = encode, project
        self._chunk_frames = chunk_frames
        size = TIMING.samples_per_frame
        frames = PAST_FRAMES + chunk_frames + FUTURE_FRAMES
        self._sound = np.zeros(frames * size, np.float32)
        self._rows = torch.zeros(0)  # features of the frames before a chunk and after it
        self.reset()

    def reset(self) -> None:
        """Forget everything; the next frame is number 0."""
        self._sound[:] = 0
        self._level = RunningLevel()
        self._heard_frames = 0
        self._rows = torch.zeros(0)

    def push(self, frame: Samples) -> Tensor | None:
        """Take one frame [640]; return the tokens of the chunk that is complete now, if one is.

        Tokens are [chunk frames, tokens, channels].
        """
        size = TIMING.samples_per_frame
        self._sound[:-size] = self._sound[size:]
        self._sound[-size:] = frame
        self._level.hear(frame)
        self._heard_frames += 1
        ready = self._heard_frames - LOOK_AHEAD_FRAMES
        if ready <= 0 or ready % self._chunk_frames:
            return None
        return self._listen(is_first=ready == self._chunk_frames)

    def _listen(self, *, is_first: bool) -> Tensor:
        """Features of the newest chunk of frames, two frames ahead of the chunk they serve."""
        normal = torch.from_numpy(self._level.normalise(self._sound))
        features = self._encode(normal)[0]
        begin, margin = ROWS_PER_FRAME * PAST_FRAMES, ROWS_PER_FRAME * PADDING_FRAMES
        fresh = features[begin : begin + ROWS_PER_FRAME * self._chunk_frames]
        if is_first:
            own = features[begin - margin : begin]
            before = torch.zeros_like(own)  # nothing comes before the first frame, as published
            self._rows = torch.cat([before, own])
        rows = torch.cat([self._rows, fresh])
        self._rows = rows[-2 * margin :].clone()
        window = ROWS_PER_FRAME * (2 * PADDING_FRAMES + 1)
        return self._project(rows.unfold(0, window, ROWS_PER_FRAME).transpose(1, 2))
