"""What was measured of living people's heads and upper faces while they spoke.

Motion is a sum of smooth noises, each with knots twice as far apart as those of the one before.
`engine/training/life.py` measures and writes the file.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from engine.portrait.channels import Channel
from engine.portrait.geometry import Doubles

LIFE_PATH = Path(__file__).parents[1] / "weights" / "life.json"
KNOTS_S = (0.32, 0.64, 1.28, 2.56)  # between the knots of each noise
WAVING = (
    Channel.YAW, Channel.PITCH, Channel.ROLL,
    Channel.SHIFT_LEFT, Channel.SHIFT_UP, Channel.SHIFT_NEAR,
    Channel.BROWS_UP, Channel.BLINK_LEFT,  # the last stands for both pairs of lids, without blinks
)  # fmt: skip
_DIGITS = 4


@dataclass(frozen=True, slots=True)
class LifeMeasures:
    """A typical person: medians over people."""

    spreads: Doubles  # [WAVING, KNOTS_S] standard deviation of each noise, as seen, channel units
    lift: float  # radians by which a stress of the voice raises the head, per unit of `Accents`
    brow_raise: float  # centimetres that it raises the brows
    blinks_per_minute: float

    def save(self, path: Path) -> None:
        """Write to a file that is whole or not there."""
        spreads = {
            channel.name: [round(float(one), _DIGITS) for one in row]
            for channel, row in zip(WAVING, self.spreads, strict=True)
        }
        words = {
            "spreads": spreads,
            "lift": round(self.lift, _DIGITS),
            "brow_raise": round(self.brow_raise, _DIGITS),
            "blinks_per_minute": round(self.blinks_per_minute, 1),
        }
        partial = path.with_suffix(".part")
        partial.write_text(json.dumps(words, indent=1) + "\n")
        partial.replace(path)

    @classmethod
    def load(cls, path: Path = LIFE_PATH) -> "LifeMeasures":
        """Read what `save` wrote; `ValueError` when the file is anything else."""
        try:
            words = json.loads(path.read_text())
            spreads = np.array([words["spreads"][channel.name] for channel in WAVING], np.float64)
            numbers = [float(words[name]) for name in ("lift", "brow_raise", "blinks_per_minute")]
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path}: not measures of life ({error!r})") from error
        if spreads.shape != (len(WAVING), len(KNOTS_S)):
            raise ValueError(f"{path}: expected {len(KNOTS_S)} numbers for each channel")
        return cls(spreads, *numbers)


@cache
def shipped_measures() -> LifeMeasures:
    """The measures that are shipped."""
    return LifeMeasures.load()
