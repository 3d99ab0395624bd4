"""What can be asked of a portrait, as one picture: poses above, expressions below."""

from collections.abc import Sequence

from benchmarks.control_takes import ControlStudio
from engine.api import Picture
from engine.direction import Direction, Pose

_POSES = (
    Pose(yaw=-10),
    Pose(yaw=10),
    Pose(pitch=7),
    Pose(pitch=-7),
    Pose(roll=12),
    Pose(scale=1.15, x=0.05),
)
_EMOTIONS = ("neutral", "smile", "serious", "surprised")
_GESTURES = (("look_left", 18), ("brows", 10))  # and the frame in which each is well on its way


def direction_sheet(studio: ControlStudio) -> Sequence[Sequence[Picture]]:
    """Two rows of small pictures."""
    poses = [studio.shot(Direction(pose=pose)) for pose in _POSES]
    emotions = [studio.shot(Direction(emotion=emotion)) for emotion in _EMOTIONS]
    gestures = [studio.shot(Direction(), name, frame) for name, frame in _GESTURES]
    return poses, [*emotions, *gestures]
