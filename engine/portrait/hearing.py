"""Everything that the mouth network is told of sound: log-mel and, 80 ms late, what is spoken."""

from dataclasses import dataclass

import numpy as np

from engine.api import Samples
from engine.config import TIMING
from engine.portrait.landmarks import Floats
from engine.portrait.mel import BANDS, HOPS_PER_FRAME, Hops, MelStream
from engine.portrait.phone_network import HEARD_PHONES, STEPS_PER_FRAME
from engine.portrait.phone_runner import PhoneRunner, PhoneWeights

PHONES = STEPS_PER_FRAME * HEARD_PHONES  # numbers a frame
FEATURES = BANDS + PHONES // HOPS_PER_FRAME  # a hop: its bands, and its part of the frame's phones


@dataclass(frozen=True, slots=True)
class Heard:
    """What is known of whole frames."""

    features: Floats  # [hops, FEATURES]
    hops: Hops


class Hearing:
    """One voice in progress. Fixed in size; takes whole frames, any number at once."""

    def __init__(self, phones: PhoneWeights) -> None:
        self._mel = MelStream()
        self._phones = PhoneRunner(phones)

    def reset(self) -> None:
        """Forget everything heard."""
        self._mel.reset()
        self._phones.reset()

    def push(self, samples: Samples) -> Heard:
        """Take samples [640 frames]; the phones of the first two frames of a stream are zero."""
        if len(samples) % TIMING.samples_per_frame:
            raise ValueError(f"expected whole frames of sound, got {len(samples)} samples")
        hops = self._mel.push(samples)
        features = np.zeros((len(hops), FEATURES), np.float32)
        features[:, :BANDS] = hops.features
        for first in range(0, len(hops), HOPS_PER_FRAME):
            frame = slice(first, first + HOPS_PER_FRAME)
            steps = self._phones.push(hops.phone_bands[frame])
            if steps is not None:
                features[frame, BANDS:] = steps.reshape(HOPS_PER_FRAME, -1)
        return Heard(features, hops)
