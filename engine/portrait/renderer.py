"""Motion in, pixels out: one warp of the head, then lips and lids over what lies behind them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np

from engine.api import Picture
from engine.portrait.channels import CHANNELS, SHAPE, Channel
from engine.portrait.fields import Patch, Rigid
from engine.portrait.interior import EyeInterior, MouthInterior
from engine.portrait.landmarks import Floats
from engine.portrait.rig import Aperture, Rig

_NEAR_SCALE = 0.016  # growth per centimetre nearer: a face at arm's length
_OVERLAP_PIXELS = 0.75  # how far the layers of an aperture overlap, so that no crack shows
_NO_MAP = np.empty(0, np.float32)  # the maps hold x and y together
_TURN_LIMIT = 0.26  # radians; beyond it the still has nothing to show
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
    scale = 1 + _NEAR_SCALE * motion[Channel.SHIFT_NEAR]
    shift = np.array([motion[Channel.SHIFT_LEFT], -motion[Channel.SHIFT_UP], 0])
    return Rigid((turn * scale).astype(np.float32), (shift * rig.pixels_per_cm).astype(np.float32))


Painter: TypeAlias = Callable[[Floats, Floats], Floats]  # edge distances to colour


@dataclass(frozen=True, slots=True)
class _Pose:
    """One frame's motion of a patch."""

    coefficients: Floats
    rigid: Rigid


class Renderer:
    """Paints frames of one scene. Holds scratch memory only: any motion gives the same pixels."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        patches = [scene.rig.head]
        for aperture in (scene.rig.mouth, *scene.rig.eyes):
            patches += [aperture.upper, aperture.lower]
        self._pixels = {id(patch): _pixel_grid(patch) for patch in patches}
        self._source = np.ascontiguousarray(scene.still)

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
        mouth = self._mouth_painter(jaw, rigid)
        self._aperture(frame, rig.mouth, _Pose(shape, rigid), mouth)
        gaze = motion[[Channel.GAZE_LEFT, Channel.GAZE_UP]]
        for aperture, eye, blink in zip(rig.eyes, self._scene.eyes, _BLINKS, strict=True):
            lids = np.append(shape, np.clip(motion[blink], 0, 1)).astype(np.float32)
            ball = eye.paint(gaze, self._fixed(aperture, rigid))
            self._aperture(frame, aperture, _Pose(lids, rigid), lambda *_, ball=ball: ball)
        return frame

    def _mouth_painter(self, jaw_cm: float, rigid: Rigid) -> "Painter":
        mouth, rig = self._scene.mouth, self._scene.rig
        skull = self._fixed(rig.mouth, rigid)
        down = skull[:, :2] @ mouth.down * max(jaw_cm, 0.0) * rig.pixels_per_cm
        return lambda upper, lower: mouth.paint(skull, down, upper, lower)

    @staticmethod
    def _fixed(aperture: Aperture, rigid: Rigid) -> Floats:
        """The affine map [2, 3] of what is fixed to the skull, in the aperture's own pixels."""
        depth = float(aperture.upper.position[2].mean())
        first = aperture.upper.position[:2, 0]
        corner = np.float32((aperture.upper.step - 1) / 2) - first  # the pivot, box-local
        matrix = rigid.turn[:2, :2]
        shift = rigid.turn[:2, 2] * depth + rigid.shift[:2] + corner - matrix @ corner
        return np.column_stack([matrix, shift]).astype(np.float32)

    def _map(self, patch: Patch, coefficients: Floats, rigid: Rigid) -> Floats:
        """For every pixel of the patch's box where it comes from, [height, width, 2]."""
        back = patch.backward(patch.forward(coefficients, rigid))
        return self._pixels[id(patch)] + patch.full_size(back)

    def _head(self, shape: Floats, rigid: Rigid) -> Picture:
        scene = self._scene
        box = scene.rig.head.box
        places = self._map(scene.rig.head, shape, rigid) - np.array([box.left, box.top], np.float32)
        whole, part = cv2.convertMaps(places, _NO_MAP, cv2.CV_16SC2)
        warped = cv2.remap(
            scene.cutout, whole, part, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        cover = cv2.cvtColor(warped[..., 3], cv2.COLOR_GRAY2RGB)
        behind = cv2.multiply(scene.plate, 255 - cover, scale=1 / 255)
        front = cv2.cvtColor(warped, cv2.COLOR_RGBA2RGB)
        return np.asarray(cv2.add(front, behind), np.uint8)

    def _aperture(
        self, frame: Picture, aperture: Aperture, pose: "_Pose", interior: "Painter"
    ) -> None:
        """Slide the two layers of skin over the interior, in place."""
        upper, upper_in = self._layer(aperture, aperture.upper, aperture.upper_edge, pose)
        lower, lower_in = self._layer(aperture, aperture.lower, aperture.lower_edge, pose)
        upper_cover = np.clip(upper_in + _OVERLAP_PIXELS, 0, 1)[..., None]
        lower_cover = np.clip(lower_in + _OVERLAP_PIXELS, 0, 1)[..., None]
        painted = lower
        if (np.maximum(upper_in, lower_in) < -_OVERLAP_PIXELS).any():
            inside = interior(upper_in, lower_in)
            painted = inside + (lower - inside) * lower_cover
        painted += (upper - painted) * upper_cover
        target = frame[aperture.box.rows, aperture.box.columns]
        target[:] = target + (painted - target) * aperture.feather + 0.5

    def _layer(
        self, aperture: Aperture, patch: Patch, edge: Floats, pose: "_Pose"
    ) -> tuple[Floats, Floats]:
        """Colour [height, width, 3] of one layer and its pixels inside the edge [height, width]."""
        places = self._map(patch, pose.coefficients, pose.rigid)
        colour = cv2.remap(
            self._source, places, _NO_MAP, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        local = places - np.array([aperture.box.left, aperture.box.top], np.float32)
        inside = cv2.remap(edge, local, _NO_MAP, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return colour.astype(np.float32), np.asarray(inside)


def _pixel_grid(patch: Patch) -> Floats:
    """Coordinates [height, width, 2] of the patch's pixels in the still."""
    box = patch.box
    ys, xs = np.mgrid[: box.height, : box.width].astype(np.float32)
    return np.stack([xs + box.left, ys + box.top], -1)
