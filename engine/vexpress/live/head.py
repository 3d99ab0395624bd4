"""The head of one visitor's portrait, led by poses, gestures and a camera, as face points."""

import numpy as np

from engine.api import CannotDirectError
from engine.direction import Direction, Pose, PuppetFrame
from engine.portrait.acting import (
    FACE_WIDTH_CM,
    NEAR_SCALE,
    PITCH_SHOWN,
    YAW_SHOWN,
    Acting,
)
from engine.portrait.channels import CHANNELS, Channel
from engine.portrait.landmarks import Floats
from engine.repertoire import repertoire
from engine.script import Script
from engine.vexpress.kps import Points
from engine.vexpress.solid_face import SolidFace

_HEAD = ("yaw", "pitch", "roll", "shift_left", "shift_up", "shift_near")
_SAME_PIXELS = 0.25  # points that moved less are drawn the same
_ONLY_HEAD = "V-Express moves the head, and leaves lips, lids, brows and gaze to the voice"


class LedHead:
    """Acts as the embedded engine does, as far as a head goes; the eased pose moves a face."""

    def __init__(self, face: SolidFace, script: Script | None = None) -> None:
        """Of a film that a script follows the head is taken; other motion is left out.

        Raises `CannotDirectError` for a script with a mouth or gestures of no head, and
        `UnknownGestureError`.
        """
        if script is not None:
            _check(script)
        self._face, self._acting = face, Acting(script=script)
        self._points: Points | None = None

    def direct(self, direction: Direction) -> None:
        """Go to a pose. Raises `CannotDirectError` for all else, and `UnknownEmotionError`."""
        repertoire().emotion(direction.emotion)
        inside = direction.limited()[0]
        if inside != Direction(pose=inside.pose):
            raise CannotDirectError(f"{direction}: {_ONLY_HEAD}; expected a pose alone")
        self._acting.direct(inside)

    def gesture(self, name: str) -> None:
        """Begin a gesture that moves the head; what else it moves is left out.

        Raises `CannotDirectError` and `UnknownGestureError`.
        """
        _check_gesture(name)
        self._acting.gesture(name)

    def puppet(self, frame: PuppetFrame | None) -> None:
        """Follow the head of a camera's newest frame, or none."""
        self._acting.puppet(frame)

    def advance(self) -> Points | None:
        """Face points [3, 2] of the next frame; None where the portrait has them."""
        moved = self._face.moved(_pose(self._acting.apply(np.zeros(CHANNELS, np.float32))))
        if np.abs(moved - self._face.own).max() < _SAME_PIXELS:
            self._points = None
        elif self._points is None or np.abs(moved - self._points).max() >= _SAME_PIXELS:
            self._points = moved
        return self._points


def _check(script: Script) -> None:
    if script.mouth_share > 0:
        raise CannotDirectError(f"a film's mouth: {_ONLY_HEAD}; expected the mouth of the audio")
    for names in script.gestures.values():
        for name in names:
            _check_gesture(name)


def _check_gesture(name: str) -> None:
    table = repertoire()
    if not table.gesture(name).curves.keys() & set(_HEAD):
        known = [other for other, one in table.gestures.items() if {*one.curves} & {*_HEAD}]
        raise CannotDirectError(
            f"gesture {name}: {_ONLY_HEAD}; expected one of: {', '.join(known)}"
        )


def _pose(motion: Floats) -> Pose:
    """The pose of motion channels [CHANNELS]; see `pose_channels`."""
    yaw, pitch, roll = np.degrees(motion[[Channel.YAW, Channel.PITCH, Channel.ROLL]])
    return Pose(
        yaw=float(yaw) * YAW_SHOWN,
        pitch=float(pitch) * PITCH_SHOWN,
        roll=float(roll),
        x=float(motion[Channel.SHIFT_LEFT]) / FACE_WIDTH_CM,
        y=float(motion[Channel.SHIFT_UP]) / FACE_WIDTH_CM,
        scale=1 + NEAR_SCALE * float(motion[Channel.SHIFT_NEAR]),
    )
