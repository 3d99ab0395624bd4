"""What is measured about one session: the numbers of the last second."""

from dataclasses import dataclass, field
from statistics import fmean, median

import numpy as np

from engine.api import Samples

SPEAKING_RMS = 0.01


@dataclass(slots=True)
class Readings:
    """Filled during one second, then replaced by an empty one."""

    shown_frames: int = 0
    mic_to_lips_s: list[float] = field(default_factory=list)
    skew_s: list[float] = field(default_factory=list)
    speaking: bool = False

    def picture_left(self, mic_to_lips_s: float | None, skew_s: float) -> None:
        """A new picture was released."""
        self.shown_frames += 1
        self.skew_s.append(skew_s)
        if mic_to_lips_s is not None:
            self.mic_to_lips_s.append(mic_to_lips_s)

    def sound_left(self, samples: Samples) -> None:
        """A frame's sound was released."""
        self.speaking |= float(np.sqrt(np.mean(samples**2))) > SPEAKING_RMS

    @property
    def median_mic_to_lips_ms(self) -> float | None:
        """None while nothing was both heard and shown."""
        return round(median(self.mic_to_lips_s) * 1000, 1) if self.mic_to_lips_s else None

    @property
    def mean_skew_ms(self) -> float:
        """Zero while nothing was shown."""
        return round(fmean(self.skew_s) * 1000, 1) if self.skew_s else 0.0
