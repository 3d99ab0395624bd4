"""Two clocks never agree: the visitor's sound card runs a hair faster or slower than this server.

A slow loop looks at how much sound lies waiting at the moments when it is needed, and asks for a
hair more or fewer samples per second. Nothing is dropped or doubled, and no queue grows. What lies
waiting counts together with what was spoken since the last packet and is on its way: packets come
20 ms apart, their arrival slides through the frames as the clocks drift, and the sum does not jump.
"""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from engine.api import Samples
from engine.config import TIMING

WATCH_FRAMES = 2 * TIMING.frame_rate_hz
SPARE_SAMPLES = TIMING.sample_rate_hz * 3 // 1000  # beyond a packet, when least lies waiting
MAX_STRETCH = 0.003  # 5 cents of pitch: nobody hears it
_WATCH_S = WATCH_FRAMES * TIMING.frame_s
_PROPORTIONAL_PER_S = 1 / 8  # an error is gone after some 8 s
_INTEGRAL_PER_S2 = _PROPORTIONAL_PER_S**2 / 4  # critically damped
_NO_STRETCH = 1e-6
_TAPS = 4


class DriftControl:
    """From queue depths to a stretch: 1e-4 makes 10 001 samples of 10 000."""

    def __init__(self) -> None:
        self.stretch = 0.0
        self._drift = 0.0  # what was learned of the other clock
        self._spare: deque[int] = deque(maxlen=WATCH_FRAMES)

    def observe(self, spare_samples: int) -> int | None:
        """Note once per frame what waits beyond a packet; every two seconds, tell the least."""
        self._spare.append(spare_samples)
        if len(self._spare) < WATCH_FRAMES:
            return None
        least = min(self._spare)
        self._spare.clear()
        self._steer((SPARE_SAMPLES - least) / TIMING.sample_rate_hz)
        return least

    def forget(self) -> None:
        """The queue was changed by something else; what was learned of the clock stays."""
        self._spare.clear()
        self.stretch = self._drift

    def _steer(self, missing_s: float) -> None:
        learned = self._drift + _INTEGRAL_PER_S2 * missing_s * _WATCH_S
        self._drift = float(np.clip(learned, -MAX_STRETCH, MAX_STRETCH))
        wanted = self._drift + _PROPORTIONAL_PER_S * missing_s
        self.stretch = float(np.clip(wanted, -MAX_STRETCH, MAX_STRETCH))


class HairResampler:
    """Makes 1 + stretch samples of one, by cubic interpolation (four-point Lagrange).

    At 48 kHz what speech holds lies far below half the rate, where a cubic is close to perfect.
    """

    def __init__(self) -> None:
        self._held = np.zeros(_TAPS - 1, np.float32)
        self._at = 0.0  # of the next output, between the second and third held sample

    def push(self, wire: Samples, stretch: float) -> Samples:
        """Convert the next samples [time] of the wire."""
        held = np.concatenate([self._held, wire])
        room = len(held) - (_TAPS - 1)  # first samples of whole groups of four
        step = 1 / (1 + stretch) if abs(stretch) > _NO_STRETCH else 1.0
        count = max(0, int(np.ceil((room - self._at) / step)))
        count -= count > 0 and self._at + step * (count - 1) >= room  # rounding
        at = self._at + step * np.arange(count, dtype=np.float64)
        self._at = max(0.0, self._at + step * count - room)
        self._held = held[room:]
        return _interpolated(held, at)


def _interpolated(held: Samples, at: NDArray[np.float64]) -> Samples:
    """Values [count] at positions `at`, each between the second and third of four samples."""
    first = at.astype(np.int64)
    x = (at - first).astype(np.float32)
    before, now, after, later = (held[first + offset] for offset in range(_TAPS))
    cubic = (later - before) / 6 + (now - after) / 2
    square = (before + after) / 2 - now
    slope = after - before / 3 - now / 2 - later / 6
    return np.asarray(((cubic * x + square) * x + slope) * x + now, np.float32)
