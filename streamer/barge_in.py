"""The visitor begins to speak while the avatar reads out something: let the avatar stop.

WebRTC's voice activity detector hears 20 ms at a time and errs now and then, so only a voice that
lasts counts. Without echo cancellation the avatar would hear itself; browsers have it by default.
"""

from collections import deque
from collections.abc import Callable

import numpy as np

from engine.api import Samples
from engine.config import TIMING

IsVoice = Callable[[bytes], bool]  # of 20 ms of 16-bit sound at 16 kHz
WATCHED_PACKETS, VOICED_PACKETS = 10, 8  # 160 of 200 ms
_STRICT = 3  # of 0..3: how sure the detector must be
_FULL_SCALE = 32_767


def voice_detector() -> IsVoice:
    """WebRTC's own detector, at its strictest."""
    # It is needed only with --barge-in.
    import webrtcvad  # noqa: PLC0415

    detector = webrtcvad.Vad(_STRICT)
    return lambda packet: bool(detector.is_speech(packet, TIMING.sample_rate_hz))


class BargeIn:
    """Decides from the microphone when the visitor has taken the word."""

    def __init__(self, is_voice: IsVoice) -> None:
        self._is_voice = is_voice
        self._rest = np.empty(0, np.float32)
        self._voiced: deque[bool] = deque(maxlen=WATCHED_PACKETS)

    def takes_word(self, samples: Samples, avatar_speaks: bool) -> bool:
        """Take microphone samples [time]: whether the avatar shall be interrupted now."""
        held = np.concatenate([self._rest, samples])
        whole = len(held) // TIMING.packet_samples * TIMING.packet_samples
        self._rest = held[whole:]
        for packet in held[:whole].reshape(-1, TIMING.packet_samples):
            scaled = np.clip(packet, -1, 1) * _FULL_SCALE
            self._voiced.append(self._is_voice(scaled.astype("<i2").tobytes()))
        if not avatar_speaks or sum(self._voiced) < VOICED_PACKETS:
            return False
        self._voiced.clear()
        return True
