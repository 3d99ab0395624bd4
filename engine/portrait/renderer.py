"""Motion in, pixels out: one warp of the head, then lips and lids over what lies behind them.

A `MouthPainter`, where there is one, paints the opening of the mouth and the rims of the lips.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import cos, sin

import numpy as np

from engine.api import Picture
from engine.portrait.acting import NEAR_SCALE
from engine.portrait.aperture_layer import ApertureLayer, Behind, Layers, Place
from engine.portrait.bending import Bending
from engine.portrait.channels import CHANNELS, GAZE, LIDS, SHAPE, SHAPE_CHANNELS, Channel
from engine.portrait.eyeball import Eyeball
from engine.portrait.fields import Rigid
from engine.portrait.head_layer import HeadLayer
from engine.portrait.interior import EyeInterior, MouthInterior
from engine.portrait.landmarks import Floats
from engine.portrait.mouth_painter import MouthLook, MouthPainter
from engine.portrait.rig import Rig

_TURN_LIMIT = 0.3  # radians; beyond it the still has nothing to show


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything the renderer needs of one portrait. Never changes."""

    still: Picture  # [height, width, 3]
    cutout: Picture  # [height, width, 4] of the head's box: premultiplied colour and matte
    plate: Picture  # [height, width, 3] of the head's box: the background alone
    rig: Rig
    mouth: MouthInterior
    eyes: tuple[EyeInterior, EyeInterior]
    look: MouthLook


def rigid_motion(motion: Floats, rig: Rig) -> Rigid:
    """The head motion of a motion vector [20], in the still's pixels."""
    yaw, pitch, roll = (
        min(max(float(motion[angle]), -_TURN_LIMIT), _TURN_LIMIT)
        for angle in (Channel.YAW, Channel.PITCH, Channel.ROLL)
    )
    (cx, sx), (cy, sy), (cz, sz) = ((cos(angle), sin(angle)) for angle in (pitch, yaw, roll))
    # Roll after yaw after pitch, each about its axis, in picture axes: y and z point the other way.
    turn = np.array(
        [
            [cz * cy, cz * sy * sx + sz * cx, sz * sx - cz * sy * cx],
            [-sz * cy, cz * cx - sz * sy * sx, sz * sy * cx + cz * sx],
            [sy, -cy * sx, cy * cx],
        ]
    )
    scale = 1 + NEAR_SCALE * motion[Channel.SHIFT_NEAR]
    shift = np.array([motion[Channel.SHIFT_LEFT], -motion[Channel.SHIFT_UP], 0])
    return Rigid((turn * scale).astype(np.float32), (shift * rig.pixels_per_cm).astype(np.float32))


class Renderer:
    """Paints frames of one scene. Holds scratch memory only: any motion gives the same pixels."""

    def __init__(self, scene: Scene, mouth_painter: MouthPainter | None = None) -> None:
        """Without a `mouth_painter` the mouth shows the scene's plain layers."""
        self._scene = scene
        self._painter = mouth_painter
        rig = scene.rig
        self._head = HeadLayer(scene.cutout, scene.plate, rig.head)
        apertures = (rig.mouth, *rig.eyes)
        self._apertures = [ApertureLayer(scene.still, aperture) for aperture in apertures]
        self._eyeballs = [Eyeball(eye) for eye in scene.eyes]
        # The head and the mouth follow the shape; each eye's lids have one more coefficient.
        shape = range(SHAPE_CHANNELS)
        right, left = ((*shape, SHAPE_CHANNELS + number) for number in range(2))
        sheets = [sheet for aperture in apertures for sheet in (aperture.upper, aperture.lower)]
        self._bending = Bending(
            [rig.head, *sheets], [shape, shape, shape, right, right, left, left]
        )

    def render(self, motion: Floats) -> Picture:
        """The frame [height, width, 3] of a motion vector [20]."""
        if motion.shape != (CHANNELS,):
            raise ValueError(f"expected a motion vector of {CHANNELS} channels, got {motion.shape}")
        rig = self._scene.rig
        shape, blinks = motion[SHAPE] + rig.rest, np.clip(motion[LIDS], 0, 1)
        rigid = rigid_motion(motion, rig)
        places = [layer.place(rigid) for layer in self._apertures]
        backs = self._bending.back(
            np.concatenate([shape, blinks]).astype(np.float32),
            rigid,
            np.array([(0, 0), *(place.carried for place in places for _ in range(2))], np.float32),
        )
        frame = self._scene.still.copy()
        self._head.paint(frame[rig.head.box.rows, rig.head.box.columns], backs[0])
        behind = self._behind(motion, rigid, places)
        for number, layer in enumerate(self._apertures):
            upper, lower = backs[1 + 2 * number], backs[2 + 2 * number]
            layer.paint(frame, places[number], (upper, lower), behind[number])
        return frame

    def _behind(self, motion: Floats, rigid: Rigid, places: Sequence[Place]) -> list[Behind]:
        """What mouth and eyes show."""
        jaw_cm = max(float(motion[Channel.JAW_OPEN]), 0.0)
        shown = [self._mouth(jaw_cm, places[0].skull)]
        gaze = motion[GAZE]
        for eyeball, place in zip(self._eyeballs, places[1:], strict=True):
            shown.append(Behind(_looking(eyeball, gaze, place.skull)))
        return shown

    def _mouth(self, jaw_cm: float, skull: Floats) -> Behind:
        mouth, rig = self._scene.mouth, self._scene.rig
        if self._painter is not None:
            return Behind(finish=partial(self._painter.over, box=rig.mouth.box, skull=skull))
        down = skull[:, :2] @ mouth.down * jaw_cm * rig.pixels_per_cm
        return Behind(lambda part, *edges: mouth.paint(part, (skull, down), edges))


def _looking(eyeball: Eyeball, gaze: Floats, skull: Floats) -> Layers:
    return lambda part, *_: eyeball.paint(part, gaze, skull)
