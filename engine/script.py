"""What a film's frames were told beforehand: exact to the frame, where a live visitor is eased.

Torch-free. Frames are counted from the opening of a stream.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.config import TIMING
from engine.direction import Pose

Motion: TypeAlias = NDArray[np.float32]  # the engine's motion channels


@dataclass(frozen=True, slots=True)
class Cue:
    """What one frame is told."""

    pose: Pose | None = None  # is added to the direction's
    gestures: Sequence[str] = ()  # that begin with this frame
    driven: Motion | None = None  # takes the place of generated head and upper face
    mouth_share: float = 0.0  # of the mouth that is taken from `driven`, the rest is the voice's


@dataclass(frozen=True, slots=True)
class Script:
    """Poses, gestures and a driver, each by frame."""

    poses: Callable[[float], Pose] | None = None  # by time in seconds
    gestures: Mapping[int, Sequence[str]] = field(default_factory=dict)
    driver: Callable[[int], Motion] | None = None
    mouth_share: float = 0.0

    def cue(self, frame: int) -> Cue:
        """What frame number `frame` is told."""
        return Cue(
            pose=None if self.poses is None else self.poses(frame * TIMING.frame_s),
            gestures=self.gestures.get(frame, ()),
            driven=None if self.driver is None else self.driver(frame),
            mouth_share=self.mouth_share,
        )
