"""The portrait's own face points in space, so that a turned head keeps its own proportions."""

from dataclasses import dataclass

import numpy as np

from engine.direction import Pose
from engine.portrait.acting import FACE_WIDTH_CM
from engine.portrait.face_reading import PIVOT_CM
from engine.portrait.geometry import (
    Canonical,
    Doubles,
    Posed,
    PoseSolver,
    head_turn,
    into_picture,
    into_room,
)
from engine.portrait.landmarks import Face
from engine.vexpress.keypoints import LEFT_EYE, NOSE_TIP, RIGHT_EYE
from engine.vexpress.kps import Points

_MARKS = (LEFT_EYE, RIGHT_EYE, (NOSE_TIP,))


@dataclass(frozen=True, slots=True)
class SolidFace:
    """Three points of a head before a camera, at rest."""

    own: Points  # [3, 2], in pixels of the picture
    points: Doubles  # [3, 3] centimetres before the camera
    pivot: Doubles  # [3], about which the head turns
    angles: tuple[float, float, float]  # yaw, pitch, roll in radians, as the portrait has them
    width: int
    height: int

    @classmethod
    def of(cls, own: Points, posed: Posed, width: int, height: int) -> "SolidFace":
        """Points [3, 2] in a picture of `width` x `height`, as far away as its landmarks say."""
        turn, shift = posed.pose[:3, :3], posed.pose[:3, 3]
        marks = np.stack([posed.mesh[list(indices)].mean(axis=0) for indices in _MARKS])
        distances = -(marks @ turn.T + shift)[:, 2]
        points = into_room(own.astype(np.float64), distances, width, height)
        return cls(own, points, turn @ PIVOT_CM + shift, posed.angles, width, height)

    @classmethod
    def of_face(cls, own: Points, face: Face, width: int, height: int) -> "SolidFace":
        """The same, from all landmarks of the face that has the points."""
        solver = PoseSolver(Canonical.load())
        return cls.of(own, solver.solve(face.points, width, height), width, height)

    def moved(self, pose: Pose) -> Points:
        """Where the points [3, 2] are when the head is moved by `pose` from how it is at rest.

        Angles are added to the portrait's own. Shifts are face widths at the head's distance, and
        a head of twice the size is half as far away.
        """
        if pose == Pose():
            return self.own
        added = np.radians([pose.yaw, pose.pitch, pose.roll])
        turn = head_turn(*(np.array(self.angles) + added)) @ head_turn(*self.angles).T
        pivot = self.pivot + np.array([pose.x, pose.y, 0]) * FACE_WIDTH_CM
        pivot[2] = self.pivot[2] / pose.scale
        room = (self.points - self.pivot) @ turn.T + pivot
        return into_picture(room, self.width, self.height).astype(np.float32)
