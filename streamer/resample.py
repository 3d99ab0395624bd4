"""Streaming conversion between the engine's 16 kHz and the wire's 48 kHz.

One linear-phase low-pass serves both directions; each adds 1.5 ms of delay.
"""

from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
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


class Downsampler:
    """48 kHz to 16 kHz."""

    def __init__(self) -> None:
        self._rest = np.zeros(TAPS - 1, np.float32)  # starts with room for the first window

    def push(self, wire: Samples) -> Samples:
        """Convert the next wire samples [time]; every third one yields a sample."""
        held = np.concatenate([self._rest, wire])
        count = max(0, (len(held) - TAPS) // FACTOR + 1)
        self._rest = held[count * FACTOR :]
        if not count:
            return np.empty(0, np.float32)
        windows = sliding_window_view(held, TAPS)[: count * FACTOR : FACTOR]
        return np.asarray(windows @ _low_pass(), np.float32)


class Upsampler:
    """16 kHz to 48 kHz."""

    def __init__(self) -> None:
        padded = np.zeros(-(-TAPS // FACTOR) * FACTOR, np.float32)
        padded[:TAPS] = _low_pass() * FACTOR
        # Phase p of the output sees taps p, p + 3, ...; newest sample last, hence the flip.
        self._phases = np.ascontiguousarray(padded.reshape(-1, FACTOR)[::-1])
        self._past = np.zeros(len(self._phases) - 1, np.float32)

    def push(self, samples: Samples) -> Samples:
        """Convert the next samples [time] to three times as many."""
        if not len(samples):
            return np.empty(0, np.float32)
        held = np.concatenate([self._past, samples])
        self._past = held[len(held) - len(self._past) :]
        windows = sliding_window_view(held, len(self._phases))
        return np.asarray(windows @ self._phases, np.float32).reshape(-1)
