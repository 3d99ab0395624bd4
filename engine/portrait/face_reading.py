"""Motion channels read from the landmarks of a person: the way back from pictures to motion."""

from dataclasses import dataclass

import numpy as np

from engine.direction import Pose, PuppetFrame
from engine.portrait.acting import FACE_WIDTH_CM, NEAR_SCALE
from engine.portrait.channels import CHANNELS, GAZE, LIDS, SHAPE, Channel, measure_shape
from engine.portrait.geometry import Doubles, PoseSolver
from engine.portrait.landmarks import Face, Floats

# Per eye, the person's right one first: corners, pairs of lid points, centre of the iris.
_CORNERS = ((33, 133), (362, 263))
_LID_POINTS = (((160, 144), (159, 145), (158, 153)), ((385, 380), (386, 374), (387, 373)))
_IRISES = (468, 473)
_EYEBALL_WIDTHS = 0.45  # radius of the eyeball in eye widths: 1.2 cm of 2.66 cm
_IRIS_AHEAD = 0.16  # of the eye's width, by which the iris stands before the line of the corners
_SHUT = 0.45  # of the usual opening: what landmarks still say of a closed eye
_SQUINT = 0.1  # of the usual opening, by which lids differ without meaning it
PIVOT_CM = np.array([0.0, -3.6, -2.6])  # about which the renderer turns a head


@dataclass(frozen=True, slots=True)
class FaceReading:
    """Absolute measures [CHANNELS] of a face, each in the place of the channel it becomes."""

    vector: Doubles

    def channels_from(self, rest: "FaceReading") -> Floats:
        """Motion channels [CHANNELS]: how this face differs from the same person's rest."""
        apart = self.vector - rest.vector
        shut = 1 - self.vector[LIDS] / np.maximum(rest.vector[LIDS], 1e-3)
        apart[LIDS] = np.clip((shut - _SQUINT) / (1 - _SHUT - _SQUINT), 0, 1)
        nearer = rest.vector[Channel.SHIFT_NEAR] / self.vector[Channel.SHIFT_NEAR] - 1
        apart[Channel.SHIFT_NEAR] = nearer / NEAR_SCALE
        return apart.astype(np.float32)

    def apart_from(self, rest: "FaceReading") -> PuppetFrame:
        """The same for a puppet: head and upper face."""
        channels = self.channels_from(rest)

        def value(channel: Channel) -> float:
            return float(channels[channel])

        pose = Pose(
            yaw=float(np.degrees(value(Channel.YAW))),
            pitch=float(np.degrees(value(Channel.PITCH))),
            roll=float(np.degrees(value(Channel.ROLL))),
            x=value(Channel.SHIFT_LEFT) / FACE_WIDTH_CM,
            y=value(Channel.SHIFT_UP) / FACE_WIDTH_CM,
            scale=1 + NEAR_SCALE * value(Channel.SHIFT_NEAR),
        )
        return PuppetFrame(
            pose=pose,
            brows_up=value(Channel.BROWS_UP),
            blink_right=value(Channel.BLINK_RIGHT),
            blink_left=value(Channel.BLINK_LEFT),
            gaze_left=value(Channel.GAZE_LEFT),
            gaze_up=value(Channel.GAZE_UP),
        )


def read_face(face: Face, solver: PoseSolver, width: int, height: int) -> FaceReading:
    """Measure a face in a picture of `width` x `height`."""
    posed = solver.solve(face.points, width, height)
    vector = np.zeros(CHANNELS)
    vector[SHAPE] = measure_shape(posed.mesh)
    around = [index for pair in _CORNERS for index in pair]
    vector[Channel.BROWS_UP] -= posed.mesh[around, 1].mean()  # so that no error of pose is left
    vector[[Channel.YAW, Channel.PITCH, Channel.ROLL]] = posed.angles
    place = posed.pose[:3, :3] @ PIVOT_CM + posed.pose[:3, 3]
    vector[[Channel.SHIFT_LEFT, Channel.SHIFT_UP]] = place[:2]
    vector[Channel.SHIFT_NEAR] = -place[2]  # the distance
    vector[LIDS] = eye_openings(posed.mesh)
    vector[GAZE] = _gaze(face.points, posed.angles)
    return FaceReading(vector)


def eye_openings(mesh: Doubles) -> tuple[float, float]:
    """Height over width of the person's right and left eye, of a pose-free mesh [468, 3]."""
    right, left = (_opening(mesh, *eye) for eye in zip(_CORNERS, _LID_POINTS, strict=True))
    return right, left


def _opening(mesh: Doubles, corners: tuple[int, int], lids: tuple[tuple[int, int], ...]) -> float:
    width = float(np.linalg.norm(mesh[corners[0]] - mesh[corners[1]]))
    heights = [mesh[upper, 1] - mesh[lower, 1] for upper, lower in lids]
    return float(np.mean(heights)) / width


def _gaze(points: Floats, angles: tuple[float, float, float]) -> tuple[float, float]:
    """Where the eyes look in the head, (left, up) in radians, up to a constant of the person."""
    yaw, pitch, _ = angles
    offsets = []
    for iris, (first, second) in zip(_IRISES, _CORNERS, strict=True):
        along = (points[second, :2] - points[first, :2]).astype(np.float64)
        size = float(np.hypot(*along))
        along /= size
        away = (points[iris, :2] - (points[first, :2] + points[second, :2]) / 2) / size
        offsets.append((float(away @ along), float(away[0] * along[1] - away[1] * along[0])))
    left, up = np.mean(offsets, axis=0) - _IRIS_AHEAD * np.sin([yaw, pitch])
    left, up = np.arcsin(np.clip(np.array([left, up]) / _EYEBALL_WIDTHS, -1, 1))
    return float(left), float(up)
