"""From decoded packets of the visitor's sound to the samples that a stage takes."""

from typing import NamedTuple

import av
import numpy as np

from engine.api import Samples
from engine.config import TIMING
from streamer.drift import HairResampler
from streamer.resample import FACTOR, Downsampler

MAX_LOST_S = 0.2  # a longer gap is a microphone that was switched off
_MAX_LOST_WIRE_SAMPLES = round(MAX_LOST_S * TIMING.wire_rate_hz)
_FULL_SCALE = 32_768


class Heard(NamedTuple):
    """Samples [time] at 16 kHz, and how many were lost just before them."""

    samples: Samples
    lost_samples: int


class Microphone:
    """Mono, at the engine's rate, on this server's clock; sees from time stamps what was lost."""

    def __init__(self) -> None:
        self._hair = HairResampler()
        self._downsampler = Downsampler()
        self._next_pts: int | None = None

    def convert(self, frame: av.AudioFrame, stretch: float) -> Heard | None:
        """Take a decoded packet; None when it is of another rate than Opus has."""
        if frame.sample_rate != TIMING.wire_rate_hz:
            return None
        wire = _to_mono(frame)
        lost = self._gap(frame.pts, len(wire))
        samples = self._downsampler.push(self._hair.push(wire, stretch))
        return Heard(samples, lost // FACTOR)

    def _gap(self, pts: int | None, length: int) -> int:
        """Wire samples that are missing before this packet."""
        if pts is None:
            return 0
        gap = 0 if self._next_pts is None else pts - self._next_pts
        self._next_pts = pts + length
        return gap if 0 < gap <= _MAX_LOST_WIRE_SAMPLES else 0


def _to_mono(frame: av.AudioFrame) -> Samples:
    """Interleaved 16-bit sound to samples [time] in -1..1."""
    count = frame.layout.nb_channels
    first, *others = frame.to_ndarray().reshape(-1, count).T
    mono = first.astype(np.float32)
    for other in others:
        mono += other
    mono /= count * _FULL_SCALE
    return mono
