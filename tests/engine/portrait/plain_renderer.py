"""What a frame is, layer by layer: the definition that the quick renderer agrees with.

Every patch is bent by itself and every pixel of the head's box is painted. It paints the plain
layers of the mouth only.
"""

from collections.abc import Callable

import cv2
import numpy as np

from engine.api import Picture
from engine.portrait.channels import SHAPE, Channel
from engine.portrait.fields import Box, Patch, Rigid
from engine.portrait.interior import EyeInterior
from engine.portrait.landmarks import Floats
from engine.portrait.renderer import Scene, rigid_motion
from engine.portrait.rig import Aperture

_OVERLAP_PIXELS = 0.75
_SHEET_MARGIN = 0.2
_EDGE_ZERO, _EDGE_SCALE = 128, 12.0


def forward(patch: Patch, coefficients: Floats, rigid: Rigid) -> Floats:
    """Where each grid point goes: displacement [rows, columns, 2] in pixels."""
    bend = (coefficients @ patch.basis).reshape(3, -1)
    bent = patch.position + bend
    turned = (rigid.turn[:2] - np.eye(2, 3, dtype=np.float32)) @ bent + rigid.shift[:2, None]
    moved = bend[:2] + patch.weight * turned
    return np.ascontiguousarray(moved.T).reshape(*patch.grid, 2)


def backward(patch: Patch, moved: Floats) -> Floats:
    """The backward displacement [rows, columns, 2]: what lands here came from there."""
    rows, columns = patch.grid
    ys, xs = np.mgrid[:rows, :columns].astype(np.float32)
    growth = [np.gradient(moved[..., 0], axis=1), np.gradient(moved[..., 1], axis=0)]
    slope = 1 + np.maximum(np.stack(growth, -1) / np.float32(patch.step), 0)
    known = np.concatenate([moved, slope], -1)
    back = np.zeros_like(moved)
    for done in range(1, 9):
        found = cv2.remap(
            known,
            xs + back[..., 0] / patch.step,
            ys + back[..., 1] / patch.step,
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        change = (back + found[..., :2]) / found[..., 2:]
        back -= change
        if done >= 3 and np.abs(change).max() < 0.5:
            break
    return back


def render(scene: Scene, motion: Floats) -> Picture:
    """The frame [height, width, 3] of a motion vector [20]."""
    rig = scene.rig
    shape = (motion[SHAPE] + rig.rest).astype(np.float32)
    rigid = rigid_motion(motion, rig)
    frame = scene.still.copy()
    frame[rig.head.box.rows, rig.head.box.columns] = _head(scene, shape, rigid)
    carried, skull = _place(scene, rig.mouth, rigid)
    down = skull[:, :2] @ scene.mouth.down * max(float(motion[Channel.JAW_OPEN]), 0.0)

    def mouth(upper: Floats, lower: Floats) -> Picture:
        whole = Box(0, 0, rig.mouth.box.width, rig.mouth.box.height)
        return scene.mouth.paint(whole, (skull, down * rig.pixels_per_cm), (upper, lower))

    _aperture(scene, frame, rig.mouth, (shape, rigid, carried), mouth)
    blinks = motion[[Channel.BLINK_RIGHT, Channel.BLINK_LEFT]]
    for aperture, eye, blink in zip(rig.eyes, scene.eyes, blinks, strict=True):
        lids = np.append(shape, np.clip(blink, 0, 1)).astype(np.float32)
        carried, skull = _place(scene, aperture, rigid)
        ball = _eyeball(eye, motion[[Channel.GAZE_LEFT, Channel.GAZE_UP]], skull)
        _aperture(scene, frame, aperture, (lids, rigid, carried), lambda *_, ball=ball: ball)
    return frame


def _head(scene: Scene, shape: Floats, rigid: Rigid) -> Picture:
    patch = scene.rig.head
    warped = _warped(scene.cutout, _full(patch, backward(patch, forward(patch, shape, rigid))))
    cover = cv2.cvtColor(warped[..., 3], cv2.COLOR_GRAY2RGB)
    behind = cv2.multiply(scene.plate, 255 - cover, scale=1 / 255)
    return np.asarray(cv2.add(np.ascontiguousarray(warped[..., :3]), behind), np.uint8)


def _place(scene: Scene, aperture: Aperture, rigid: Rigid) -> tuple[Floats, Floats]:
    """Whole pixels [2] that a box goes along, and what is fixed to the skull in it [2, 3]."""
    box = aperture.box
    depth = float(aperture.upper.position[2].mean())
    corner = (aperture.upper.step - 1) / 2 - aperture.upper.position[:2, 0]
    matrix = rigid.turn[:2, :2]
    shift = rigid.turn[:2, 2] * depth + rigid.shift[:2] + corner - matrix @ corner
    middle = np.array([box.width, box.height]) / 2
    height, width = scene.still.shape[:2]
    room = np.array([width - box.left - box.width, height - box.top - box.height])
    moved = np.round(matrix @ middle + shift - middle)
    carried = np.clip(moved, [-box.left, -box.top], room).astype(np.float32)
    return carried, np.column_stack([matrix, shift - carried]).astype(np.float32)


def _eyeball(eye: EyeInterior, gaze: Floats, skull: Floats) -> Picture:
    shift = np.clip(gaze * eye.pixels_per_radian, -eye.reach_pixels, eye.reach_pixels)
    looking = eye.ball
    if np.abs(shift).max() > 0.05:
        way = np.stack([-eye.slide * shift[0], 0.6 * eye.slide * shift[1]], -1)
        looking = _warped(eye.ball, way.astype(np.float32), cv2.BORDER_CONSTANT)
    size = looking.shape[1], looking.shape[0]
    placed = cv2.warpAffine(looking, skull, size, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(placed, np.uint8)


def _aperture(
    scene: Scene,
    frame: Picture,
    aperture: Aperture,
    pose: tuple[Floats, Rigid, Floats],
    interior: Callable[[Floats, Floats], Picture],
) -> None:
    upper, upper_in = _sheet(scene.still, aperture, aperture.upper, aperture.upper_edge, pose)
    painted, lower_in = _sheet(scene.still, aperture, aperture.lower, aperture.lower_edge, pose)
    if (np.maximum(upper_in, lower_in) < -_OVERLAP_PIXELS).any():
        painted = _blend(painted, interior(upper_in, lower_in), _cover(lower_in))
    painted = _blend(upper, painted, _cover(upper_in))
    left, top = np.array([aperture.box.left, aperture.box.top]) + pose[2].astype(int)
    target = frame[top : top + aperture.box.height, left : left + aperture.box.width]
    feather = np.ascontiguousarray(aperture.feather[..., 0])
    target[:] = _blend(painted, np.ascontiguousarray(target), feather)


def _sheet(
    still: Picture,
    aperture: Aperture,
    patch: Patch,
    edge: Floats,
    pose: tuple[Floats, Rigid, Floats],
) -> tuple[Picture, Floats]:
    """Colour [height, width, 3] of a sheet in its place, and pixels inside its edge."""
    coefficients, rigid, carried = pose
    box, margin = aperture.box, round(_SHEET_MARGIN * aperture.box.width)
    above, before = min(margin, box.top), min(margin, box.left)
    below = min(margin, still.shape[0] - box.top - box.height)
    after = min(margin, still.shape[1] - box.left - box.width)
    rows = slice(box.top - above, box.top + box.height + below)
    columns = slice(box.left - before, box.left + box.width + after)
    distance = np.clip(_EDGE_ZERO + edge * _EDGE_SCALE, 0, 255).astype(np.uint8)
    distance = np.pad(distance, ((above, below), (before, after)), mode="edge")
    skin = np.concatenate([still[rows, columns], distance[..., None]], -1)
    back = backward(patch, forward(patch, coefficients, rigid) - carried)
    slid = _warped(skin, _full(patch, back) + np.array([before, above], np.float32))
    inside = (slid[..., 3].astype(np.float32) - _EDGE_ZERO) / np.float32(_EDGE_SCALE)
    return np.ascontiguousarray(slid[..., :3]), inside


def _full(patch: Patch, back: Floats) -> Floats:
    """A coarse displacement at every pixel of the box, [height, width, 2]."""
    size = (patch.box.width, patch.box.height)
    return np.asarray(cv2.resize(back, size, interpolation=cv2.INTER_LINEAR), np.float32)


def _pixels(size: Floats) -> Floats:
    ys, xs = np.mgrid[: size.shape[0], : size.shape[1]].astype(np.float32)
    return np.stack([xs, ys], -1)


def _warped(picture: Picture, way: Floats, border: int = cv2.BORDER_REPLICATE) -> Picture:
    """What lies `way` [height, width, 2] from each pixel."""
    x, y = cv2.split(_pixels(way) + way)
    return np.asarray(cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=border), np.uint8)


def _cover(inside: Floats) -> Floats:
    return np.asarray(np.clip(inside + np.float32(_OVERLAP_PIXELS), 0, 1))


def _blend(front: Picture, behind: Picture, cover: Floats) -> Picture:
    return np.asarray(cv2.blendLinear(front, behind, cover, 1 - cover), np.uint8)
