"""Streaming conversion between the engine's 16 kHz and the wire's 48 kHz.

One linear-phase low-pass serves both directions; each adds 1.5 ms of delay.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from engine.api import Samples
from engine.config import TIMING

FACTOR = TIMING.wire_rate_hz // TIMING.sample_rate_hz
TAPS = 145  # odd, so that the delay is a whole number of wire samples
DELAY_WIRE_SAMPLES = (TAPS - 1) // 2
_CUTOFF_HZ = 7_500
_KAISER_BETA = 7.0  # about 70 dB of stop band, reached at 8.3 kHz


@cache
def _low_pass() -> NDArray[np.float32]:
    """The taps, [TAPS], at the wire rate, with unit gain at 0 Hz."""
    time = np.arange(TAPS) - DELAY_WIRE_SAMPLES
    taps = np.sinc(2 * _CUTOFF_HZ / TIMING.wire_rate_hz * time) * np.kaiser(TAPS, _KAISER_BETA)
    return np.asarray(taps / taps.sum(), np.float32)


def _phases() -> NDArray[np.float32]:
    """The taps in three rows, [FACTOR, 49]: row p holds taps p, p + 3, and so on."""
    padded = np.zeros(-(-TAPS // FACTOR) * FACTOR, np.float32)
    padded[:TAPS] = _low_pass()
    return np.ascontiguousarray(padded.reshape(-1, FACTOR).T)


class Downsampler:
    """48 kHz to 16 kHz."""

    def __init__(self) -> None:
        self._phases = _phases()
        self._rest = np.zeros(TAPS - 1, np.float32)  # starts with room for the first window

    def push(self, wire: Samples) -> Samples:
        """Convert the next wire samples [time]; every third one yields a sample."""
        held = np.concatenate([self._rest, wire])
        count = max(0, (len(held) - TAPS) // FACTOR + 1)
        self._rest = held[count * FACTOR :]
        if not count:
            return np.empty(0, np.float32)
        # Three short filters, one for each third sample, are much faster than one long one.
        needed = (count + self._phases.shape[1] - 1) * FACTOR
        missing = np.zeros(max(0, needed - len(held)), np.float32)
        rows = np.concatenate([held[:needed], missing]).reshape(-1, FACTOR).T
        parts = [np.correlate(row, taps) for row, taps in zip(rows, self._phases, strict=True)]
        return np.asarray(sum(parts), np.float32)


class Upsampler:
    """16 kHz to 48 kHz."""

    def __init__(self) -> None:
        # Each row makes every third sample of the output; newest sample last, hence the flip.
        self._phases = np.ascontiguousarray(_phases()[:, ::-1] * FACTOR)
        self._past = np.zeros(self._phases.shape[1] - 1, np.float32)

    def push(self, samples: Samples) -> Samples:
        """Convert the next samples [time] to three times as many."""
        if not len(samples):
            return np.empty(0, np.float32)
        held = np.concatenate([self._past, samples])
        self._past = held[len(held) - len(self._past) :]
        wire = np.empty((len(samples), FACTOR), np.float32)
        for phase, taps in enumerate(self._phases):
            wire[:, phase] = np.correlate(held, taps)
        return wire.reshape(-1)
