"""Motion in, pixels out: one warp of the head, then lips and lids over what lies behind them.

A `MouthPainter`, where there is one, paints the opening of the mouth and the rims of the lips.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.api import Picture
from engine.portrait.acting import NEAR_SCALE
from engine.portrait.channels import CHANNELS, SHAPE, Channel
from engine.portrait.fields import Patch, Rigid
from engine.portrait.interior import EyeInterior, MouthInterior
from engine.portrait.landmarks import Floats
from engine.portrait.mouth_painter import MouthLook, MouthPainter
from engine.portrait.rig import Aperture, Rig

_OVERLAP_PIXELS = 0.75  # how far the layers of an aperture overlap, so that no crack shows
_NO_MAP = np.empty(0, np.float32)  # the maps hold x and y together
_TURN_LIMIT = 0.3  # radians; beyond it the still has nothing to show
_SHEET_MARGIN = 0.2  # of an aperture's width: skin that may slide in from outside its box
_EDGE_ZERO, _EDGE_SCALE = 128, 12.0  # how distances are kept in a byte: 1/12 pixel, +-10 pixels
_BLINKS = (Channel.BLINK_RIGHT, Channel.BLINK_LEFT)


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
    yaw, pitch, roll = np.clip(
        motion[[Channel.YAW, Channel.PITCH, Channel.ROLL]], -_TURN_LIMIT, _TURN_LIMIT
    )
    cos, sin = np.cos, np.sin
    about_x = np.array([[1, 0, 0], [0, cos(pitch), sin(pitch)], [0, -sin(pitch), cos(pitch)]])
    about_y = np.array([[cos(yaw), 0, sin(yaw)], [0, 1, 0], [-sin(yaw), 0, cos(yaw)]])
    about_z = np.array([[cos(roll), -sin(roll), 0], [sin(roll), cos(roll), 0], [0, 0, 1]])
    flip = np.array([1, -1, -1])
    turn = about_z @ about_y @ about_x * flip[:, None] * flip
    scale = 1 + NEAR_SCALE * motion[Channel.SHIFT_NEAR]
    shift = np.array([motion[Channel.SHIFT_LEFT], -motion[Channel.SHIFT_UP], 0])
    return Rigid((turn * scale).astype(np.float32), (shift * rig.pixels_per_cm).astype(np.float32))


Layers: TypeAlias = Callable[[Floats, Floats], Picture]  # edge distances to colour
Finish: TypeAlias = Callable[[Picture, Floats], Picture]  # lips and their opening to a mouth


@dataclass(frozen=True, slots=True)
class _Behind:
    """What an aperture shows."""

    layers: Layers | None = None
    finish: Finish | None = None


@dataclass(frozen=True, slots=True)
class _Pose:
    """One frame's motion of a patch."""

    coefficients: Floats
    rigid: Rigid
    carried: Floats  # [2] whole pixels by which the box goes along, so that the rest is small


class Renderer:
    """Paints frames of one scene. Holds scratch memory only: any motion gives the same pixels."""

    def __init__(self, scene: Scene, mouth_painter: MouthPainter | None = None) -> None:
        """Without a `mouth_painter` the mouth shows the scene's plain layers."""
        self._scene = scene
        self._painter = mouth_painter
        height, width = scene.cutout.shape[:2]
        ys, xs = np.mgrid[:height, :width].astype(np.float32)
        self._pixels = np.stack([xs, ys], -1)
        apertures = (scene.rig.mouth, *scene.rig.eyes)
        self._mouth_sheets, *self._eye_sheets = (
            (
                _sheet(scene.still, aperture, aperture.upper, aperture.upper_edge),
                _sheet(scene.still, aperture, aperture.lower, aperture.lower_edge),
            )
            for aperture in apertures
        )

    def render(self, motion: Floats) -> Picture:
        """The frame [height, width, 3] of a motion vector [20]."""
        if motion.shape != (CHANNELS,):
            raise ValueError(f"expected a motion vector of {CHANNELS} channels, got {motion.shape}")
        rig = self._scene.rig
        shape = (motion[SHAPE] + rig.rest).astype(np.float32)
        rigid = rigid_motion(motion, rig)
        frame = self._scene.still.copy()
        frame[rig.head.box.rows, rig.head.box.columns] = self._head(shape, rigid)
        jaw = float(motion[Channel.JAW_OPEN])
        carried = self._carried(rig.mouth, rigid)
        mouth = self._mouth(jaw, rigid, carried)
        self._aperture(frame, self._mouth_sheets, _Pose(shape, rigid, carried), mouth)
        gaze = motion[[Channel.GAZE_LEFT, Channel.GAZE_UP]]
        eyes = zip(rig.eyes, self._eye_sheets, self._scene.eyes, _BLINKS, strict=True)
        for aperture, sheets, eye, blink in eyes:
            lids = np.append(shape, np.clip(motion[blink], 0, 1)).astype(np.float32)
            carried = self._carried(aperture, rigid)
            ball = eye.paint(gaze, self._fixed(aperture, rigid, carried))
            behind = _Behind(lambda *_, ball=ball: ball)
            self._aperture(frame, sheets, _Pose(lids, rigid, carried), behind)
        return frame

    def _mouth(self, jaw_cm: float, rigid: Rigid, carried: Floats) -> "_Behind":
        mouth, rig = self._scene.mouth, self._scene.rig
        skull = self._fixed(rig.mouth, rigid, carried)
        down = skull[:, :2] @ mouth.down * max(jaw_cm, 0.0) * rig.pixels_per_cm
        if self._painter is not None:
            return _Behind(finish=partial(self._painter.over, box=rig.mouth.box, skull=skull))
        return _Behind(lambda upper, lower: mouth.paint(skull, down, upper, lower))

    def _carried(self, aperture: Aperture, rigid: Rigid) -> Floats:
        """Whole pixels [2] that an opening's middle moves by, as far as the frame allows."""
        box, skull = aperture.box, self._fixed(aperture, rigid, np.zeros(2, np.float32))
        middle = np.array([box.width, box.height], np.float32) / 2
        moved = np.round(skull[:, :2] @ middle + skull[:, 2] - middle)
        height, width = self._scene.still.shape[:2]
        room = np.array([width - box.left - box.width, height - box.top - box.height])
        return np.asarray(np.clip(moved, [-box.left, -box.top], room), np.float32)

    @staticmethod
    def _fixed(aperture: Aperture, rigid: Rigid, carried: Floats) -> Floats:
        """The affine map [2, 3] of what is fixed to the skull, in the carried box's own pixels."""
        depth = float(aperture.upper.position[2].mean())
        first = aperture.upper.position[:2, 0]
        corner = np.float32((aperture.upper.step - 1) / 2) - first  # the pivot, box-local
        matrix = rigid.turn[:2, :2]
        shift = rigid.turn[:2, 2] * depth + rigid.shift[:2] + corner - matrix @ corner - carried
        return np.column_stack([matrix, shift]).astype(np.float32)

    def _head(self, shape: Floats, rigid: Rigid) -> Picture:
        scene = self._scene
        patch = scene.rig.head
        back = patch.backward(patch.forward(shape, rigid))
        places = self._pixels + patch.full_size(back)
        whole, part = cv2.convertMaps(places, _NO_MAP, cv2.CV_16SC2)
        warped = cv2.remap(
            scene.cutout, whole, part, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        cover = cv2.cvtColor(warped[..., 3], cv2.COLOR_GRAY2RGB)
        behind = cv2.multiply(scene.plate, 255 - cover, scale=1 / 255)
        front = cv2.cvtColor(warped, cv2.COLOR_RGBA2RGB)
        return np.asarray(cv2.add(front, behind), np.uint8)

    def _aperture(
        self, frame: Picture, sheets: tuple["_Sheet", "_Sheet"], pose: "_Pose", behind: "_Behind"
    ) -> None:
        """Slide the two layers of skin over the interior, in place."""
        (upper, upper_in), (painted, lower_in) = (self._slide(sheet, pose) for sheet in sheets)
        nearer = np.maximum(upper_in, lower_in)
        if behind.layers and (nearer < -_OVERLAP_PIXELS).any():
            painted = _blend(painted, behind.layers(upper_in, lower_in), _cover(lower_in))
        painted = _blend(upper, painted, _cover(upper_in))
        if behind.finish:
            painted = behind.finish(painted, np.asarray(np.clip(0.5 - nearer, 0, 1), np.float32))
        box = sheets[0].patch.box
        left, top = np.array([box.left, box.top]) + pose.carried.astype(int)
        target = frame[top : top + box.height, left : left + box.width]
        target[:] = _blend(painted, np.ascontiguousarray(target), sheets[0].feather)

    @staticmethod
    def _slide(sheet: "_Sheet", pose: "_Pose") -> tuple[Picture, Floats]:
        """One layer in its place: colour [height, width, 3], pixels inside its edge."""
        forward = sheet.patch.forward(pose.coefficients, pose.rigid) - pose.carried
        back = sheet.patch.backward(forward)
        places = sheet.pixels + sheet.patch.full_size(back)
        slid = cv2.remap(
            sheet.skin, places, _NO_MAP, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        inside = slid[..., 3] * np.float32(1 / _EDGE_SCALE) - np.float32(_EDGE_ZERO / _EDGE_SCALE)
        colour = cv2.cvtColor(slid, cv2.COLOR_RGBA2RGB)
        return np.asarray(colour, np.uint8), np.asarray(inside, np.float32)


@dataclass(frozen=True, slots=True)
class _Sheet:
    """One layer of skin around an aperture."""

    patch: Patch
    skin: NDArray[
        np.uint8
    ]  # [.., .., 4] the box and a margin: colour, and distance inside the edge
    pixels: Floats  # [height, width, 2] where the box's pixels lie in `skin`
    feather: Floats  # [height, width]


def _sheet(still: Picture, aperture: Aperture, patch: Patch, edge: Floats) -> _Sheet:
    box = aperture.box
    margin = round(_SHEET_MARGIN * box.width)
    around = [(0, 0), (0, 0)]
    for axis, (start, length) in enumerate(((box.top, box.height), (box.left, box.width))):
        around[axis] = (min(margin, start), min(margin, still.shape[axis] - start - length))
    (above, below), (before, after) = around
    colour = still[
        box.top - above : box.top + box.height + below,
        box.left - before : box.left + box.width + after,
    ]
    distance = np.clip(_EDGE_ZERO + edge * _EDGE_SCALE, 0, 255).astype(np.uint8)
    distance = np.pad(distance, around, mode="edge")
    ys, xs = np.mgrid[: box.height, : box.width].astype(np.float32)
    return _Sheet(
        patch,
        np.ascontiguousarray(np.concatenate([colour, distance[..., None]], -1)),
        np.stack([xs + before, ys + above], -1),
        np.ascontiguousarray(aperture.feather[..., 0]),
    )


def _cover(inside: Floats) -> Floats:
    """How much a layer covers, 0..1."""
    return np.asarray(np.clip(inside + np.float32(_OVERLAP_PIXELS), 0, 1))


def _blend(front: Picture, behind: Picture, cover: Floats) -> Picture:
    """`front` where `cover` [height, width] is one, `behind` where it is zero."""
    return np.asarray(cv2.blendLinear(front, behind, cover, 1 - cover), np.uint8)
