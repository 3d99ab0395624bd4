"""The head of a film's person in space, apart from how it rests: what `pose_retarget` follows."""

import logging
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from engine.config import TIMING
from engine.direction import Pose
from engine.portrait.face_reading import FaceReading
from engine.portrait.landmarks import Floats
from engine.portrait.reference_video import read_reference_video
from engine.portrait.seamless import Loop, smooth_without_lag
from engine.vexpress.kps import Points
from engine.vexpress.solid_face import SolidFace

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HeadFilm:
    """How a head moves, apart from its own rest."""

    poses: Floats  # [frames, 6] in the order of `Pose`, 25 times a second, made steady

    def at(self, time_s: float) -> Pose:
        """The pose at a time; a film that is over goes to and fro."""
        moved = Loop(len(self.poses)).at(self.poses, time_s * TIMING.frame_rate_hz)
        return Pose(*(float(value) for value in moved))

    def move(self, face: SolidFace, frames: int, frame_rate_hz: Fraction) -> Points:
        """The face points of every frame of a clip [frames, 3, 2]."""
        times_s = [float(frame / frame_rate_hz) for frame in range(frames)]
        return np.stack([face.moved(self.at(time_s)) for time_s in times_s])


def read_head_film(path: Path, duration_s: float) -> HeadFilm:
    """Follow the largest, most central face in the first `duration_s`. Raises `DriverError`."""
    video = read_reference_video(path, duration_s)
    for note in video.notes:
        log.warning(note)
    rest = video.rest
    poses = [FaceReading(one).apart_from(rest).pose for one in video.measures]
    rows = [[one.yaw, one.pitch, one.roll, one.x, one.y, one.scale] for one in poses]
    return HeadFilm(smooth_without_lag(np.array(rows, np.float32)))
