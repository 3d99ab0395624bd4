"""What landmarks find again of what a portrait was told, read off the portrait itself.

Landmarks are no protractor: a still is bent flatter than a head is deep, a tilted head that looks
down seems turned as well, and raised brows or a head further up look like a head that rises. All
of this differs from picture to picture, so a few poses are rendered and looked at. A driver's
angles are then asked for such that they are found again.

Angles add up only where a head looks straight on: turns are composed as rotations, apart from how
the head in the picture is turned already.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.api import Picture
from engine.portrait.acting import PITCH_SHOWN, SOFT_LIMITS, YAW_SHOWN, soft_limit
from engine.portrait.channels import CHANNELS, HEAD, LIDS, Channel
from engine.portrait.face_reading import read_face
from engine.portrait.geometry import Canonical, Doubles, PoseSolver, head_turn
from engine.portrait.landmarks import Face, FaceLandmarker, Floats

_TURNS = {Channel.YAW: 0.17, Channel.PITCH: 0.11, Channel.ROLL: 0.14}  # radians to both sides
_BESIDES = {Channel.SHIFT_LEFT: 1.5, Channel.SHIFT_UP: 1.5, Channel.BROWS_UP: 0.5}  # centimetres
_LEAST_SHOWN, _MOST_SHOWN = 0.35, 1.2  # of a turn: what is found beyond that is a mistake
_MOST_BESIDES = 0.12  # radians per unit
_STEPS = np.linspace(0, 1, 11)  # of closing lids
_SHUT = 0.35  # a driver's eyes that look so far open are closed: landmarks seldom say less
_RESTING = 0.9  # lids that sink by less do not mean it
_HALF = 0.6  # below this what is seen is believed as it is


@dataclass(frozen=True, slots=True)
class Response:
    """How one portrait's motion looks."""

    own: Doubles  # [3] of `HEAD`, radians, as the picture shows it
    shown: Doubles  # [3] of `HEAD`: how much of a turn that is asked for shows
    besides: Doubles  # [3, 4] radians of `HEAD` seen for each unit of `_BESIDES`, and of lids
    openings: Doubles  # [11] how open eyes look at `_STEPS`, from 1

    @classmethod
    def usual(cls, own: Doubles) -> "Response":
        """Of a portrait that cannot be looked at but for how its head is turned, `own` [3]."""
        shown = np.array([YAW_SHOWN, PITCH_SHOWN, 1.0])
        return cls(own, shown, np.zeros((3, len(_BESIDES) + 1)), 1 - 0.6 * _STEPS)

    @classmethod
    def of(cls, render: Callable[[Floats], Picture], canonical: Canonical) -> "Response":
        """Look at a portrait that `render` paints for motion channels [CHANNELS]."""
        look = _Looker(render, canonical)
        rest = look(np.zeros(CHANNELS, np.float32))
        turns = [look.slope(*one)[place] for place, one in enumerate(_TURNS.items())]
        besides = [look.slope(*one) for one in _BESIDES.items()]
        closing = np.stack([look(_moved(LIDS, share)) for share in _STEPS])
        sideways = np.stack([*besides, (closing[-1] - rest)[HEAD]], axis=1)
        openings = closing[:, LIDS].mean(axis=1) / max(float(rest[LIDS].mean()), 1e-3)
        return cls(
            rest[HEAD],
            np.clip(turns, _LEAST_SHOWN, _MOST_SHOWN),
            sideways.clip(-_MOST_BESIDES, _MOST_BESIDES),
            np.minimum.accumulate(openings),
        )

    def turned(self, motion: Floats, lids: Floats) -> Floats:
        """Turns [frames, 3] to ask for, so that those of `motion` [frames, CHANNELS] are seen.

        lids: [frames] 0 open, 1 closed, as steady as the rest of the motion. Turns beyond what
        the portrait can show are brought back as `soften` does it.
        """
        besides = np.column_stack([motion[:, list(_BESIDES)], lids])
        most = self.shown * [SOFT_LIMITS[channel] for channel in HEAD]
        wanted = self.own + soft_limit(motion[:, HEAD], most) - besides @ self.besides.T
        back = head_turn(*self.own).T
        turns = [camera_angles(head_turn(*angles) @ back) for angles in wanted]
        return np.asarray(turns / self.shown, np.float32)

    def lowered(self, openings: Doubles) -> Floats:
        """Lids 0..1 to ask for, so that eyes look so far open; `openings` is 1 at rest."""
        above = _HALF + (openings - _HALF) * (1 - _HALF) / (_RESTING - _HALF)
        seen = np.where(openings > _HALF, np.minimum(above, 1.0), openings)
        lids = np.interp(seen, self.openings[::-1], _STEPS[::-1])
        nearly = np.interp(openings, [_SHUT, _SHUT + 0.1], [1.0, 0.0])
        return np.asarray(np.maximum(lids, nearly), np.float32)


def camera_angles(turn: Doubles) -> tuple[float, float, float]:
    """Yaw, pitch and roll of a rotation [3, 3], in the order in which the renderer turns heads.

    That is about the picture's own axes: first up and down, then sideways, then tilted.
    """
    yaw = -float(np.arcsin(np.clip(turn[2, 0], -1, 1)))
    pitch = float(np.arctan2(-turn[2, 1], turn[2, 2]))
    return yaw, pitch, float(np.arctan2(turn[1, 0], turn[0, 0]))


class _Looker:
    """Renders and reads, from one face region to the next."""

    def __init__(self, render: Callable[[Floats], Picture], canonical: Canonical) -> None:
        self._render, self._solver = render, PoseSolver(canonical)
        self._landmarker = FaceLandmarker()
        self._face: Face | None = None

    def __call__(self, motion: Floats) -> Doubles:
        picture = self._render(motion)
        if self._face is None:
            self._face = self._landmarker.find(picture)
        assert self._face is not None, "a face was found when the avatar was prepared"
        face = self._landmarker.landmarks(picture, self._face.region)
        face = self._landmarker.landmarks(picture, face.region)
        return read_face(face, self._solver, picture.shape[1], picture.shape[0]).vector

    def slope(self, channel: Channel, reach: float) -> Doubles:
        """Radians of `HEAD` for each unit of a channel, from one side to the other."""
        there, back = (self(_moved(channel, value)) for value in (reach, -reach))
        return np.asarray((there - back)[HEAD] / (2 * reach))


def _moved(channels: Channel | NDArray[np.int64], value: float) -> Floats:
    """Motion [CHANNELS] of nothing else."""
    motion = np.zeros(CHANNELS, np.float32)
    motion[channels] = value
    return motion
