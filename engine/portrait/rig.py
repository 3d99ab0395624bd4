"""The rig: everything about one portrait that motion needs, worked out once.

The still is bent by the shape basis on the person's own mesh and turned as a head with depth. Mouth
and eyes are apertures: an upper and a lower layer of skin that slide over an interior, so that lips
part and lids close along their edges instead of stretching.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from engine.portrait.channels import SHAPE_CHANNELS, Channel, lip_gap
from engine.portrait.fields import Box, Patch, ThinPlate, grid_places, smooth_step
from engine.portrait.framing import Framed
from engine.portrait.geometry import Canonical, Doubles
from engine.portrait.landmarks import MESH_POINTS, Floats
from engine.portrait.topology import (
    CHIN,
    EYES,
    FOREHEAD,
    LEFT_CHEEK,
    LEFT_EYE_OUTER,
    LOWER_LIP,
    LOWER_LIP_INNER,
    MOUTH_CORNERS,
    RIGHT_CHEEK,
    RIGHT_EYE_OUTER,
    UPPER_LIP,
    UPPER_LIP_INNER,
    EyeTopology,
)
from engine.portrait.view import face_height

_HEAD_GRID = 64  # points along the longer side of the head's box
_FINE_GRID = 64  # of an aperture's box
_DEPTH_SHARE = 0.6  # of the basis' depth, which landmarks know least well
_CLOSED_GAP_CM = 0.04
_CORNER_OVERLAP_PIXELS = 5.0
_LID_MEETS = 0.9  # where lids meet, from the upper edge to the lower
_CREASE_FOLLOWS = 0.6
_DEPTH_STIFFNESS = 3.0  # the head turns as a smooth shape, without the steps beside nose and ears
_HEAD_REACH = 2.6  # of the face: how far around it the picture is warped


@dataclass(frozen=True, slots=True)
class Anatomy:
    """Measures of the head in the still, in pixels."""

    points: Doubles  # [478, 3]
    pixels_per_cm: float
    across: Doubles  # [2] unit vector towards the image right of the head
    down: Doubles  # [2] unit vector from forehead to chin
    height: float  # forehead to chin
    width: float  # ear to ear
    pivot: Doubles  # [3] about which the head turns

    @classmethod
    def measure(cls, framed: Framed, canonical: Canonical) -> "Anatomy":
        """Read them off the landmarks."""
        points = framed.face.points.astype(np.float64)
        eyes = points[LEFT_EYE_OUTER] - points[RIGHT_EYE_OUTER]
        eyes_cm = canonical.points[LEFT_EYE_OUTER] - canonical.points[RIGHT_EYE_OUTER]
        down = points[CHIN, :2] - points[FOREHEAD, :2]
        down /= np.linalg.norm(down)
        height = face_height(framed.face)
        ears = (points[RIGHT_CHEEK] + points[LEFT_CHEEK]) / 2
        width = float(np.linalg.norm(points[LEFT_CHEEK] - points[RIGHT_CHEEK]))
        pivot = ears + np.array([*(down * 0.3 * height), 0.1 * width])
        return cls(
            points=points,
            pixels_per_cm=float(np.linalg.norm(eyes) / np.linalg.norm(eyes_cm)),
            across=np.array([down[1], -down[0]]),
            down=down,
            height=height,
            width=width,
            pivot=pivot,
        )


@dataclass(frozen=True, slots=True)
class Aperture:
    """An opening of the face: two layers of skin over an interior."""

    box: Box
    upper: Patch
    lower: Patch
    upper_edge: Floats  # [height, width] pixels above the upper layer's edge, negative below
    lower_edge: Floats  # [height, width] pixels below the lower layer's edge, negative above
    feather: Floats  # [height, width, 1] where the layers replace the plain warp, 0..1


@dataclass(frozen=True, slots=True)
class Rig:
    """All patches of one portrait."""

    head: Patch
    mouth: Aperture
    eyes: tuple[Aperture, Aperture]  # the person's right one first
    rest: Floats  # [10] shape channels that bring the still to rest: mouth closed
    pixels_per_cm: float
    pivot: Floats  # [3]


def build_rig(framed: Framed, canonical: Canonical, basis: Doubles) -> Rig:
    """Work out the rig of a framed portrait from the shape basis [10, 468, 3]."""
    anatomy = Anatomy.measure(framed, canonical)
    turn = framed.posed.pose[:3, :3] / np.cbrt(np.linalg.det(framed.posed.pose[:3, :3]))
    bend = basis @ turn.T * anatomy.pixels_per_cm * (1, -1, -_DEPTH_SHARE)
    builder = _Builder(framed, anatomy, bend)
    return Rig(
        head=builder.head(),
        mouth=builder.mouth(),
        eyes=(builder.eye(EYES[0]), builder.eye(EYES[1])),
        rest=_rest(framed.posed.mesh).astype(np.float32),
        pixels_per_cm=anatomy.pixels_per_cm,
        pivot=anatomy.pivot.astype(np.float32),
    )


def _rest(mesh: Doubles) -> Doubles:
    """Shape channels that close the mouth of the still."""
    rest = np.zeros(SHAPE_CHANNELS)
    gap = max(float(lip_gap(mesh)) - _CLOSED_GAP_CM, 0.0)
    rest[Channel.UPPER_LIP_UP] = -0.45 * gap
    rest[Channel.LOWER_LIP_DOWN] = -0.55 * gap
    rest[Channel.JAW_OPEN] = -0.3 * gap
    rest[Channel.MOUTH_WIDE] = -0.25 * gap
    return rest


class _Builder:
    """Spreads landmark motion over patches."""

    def __init__(self, framed: Framed, anatomy: Anatomy, bend: Doubles) -> None:
        self._anatomy = anatomy
        self._limit = (framed.still.shape[1], framed.still.shape[0])
        self._bend = bend.transpose(1, 0, 2)  # [468, 10, 3]
        self._mesh = anatomy.points[:MESH_POINTS]
        self._anchors = self._ring(1.9, 40)
        self._outer = np.concatenate([self._anchors, self._ring(3.0, 24)])
        ears = max(anatomy.points[RIGHT_CHEEK, 2], anatomy.points[LEFT_CHEEK, 2])
        depth = np.concatenate([self._mesh[:, 2], np.full(64, ears + 0.25 * anatomy.width)])
        places = np.concatenate([self._mesh[:, :2], self._outer])
        self._depth = ThinPlate(places, depth, _DEPTH_STIFFNESS)

    def head(self) -> Patch:
        """The coarse patch of the whole head and its surroundings."""
        reach = self._ring(_HEAD_REACH, 40)
        box, step = self._box(reach, 0.0, _HEAD_GRID)
        inner_lips = {*UPPER_LIP, *LOWER_LIP} - {0, 17, 37, 267, 84, 314}
        return self._patch(box, step, self._without(inner_lips), self._bend)

    def mouth(self) -> Aperture:
        """The lips."""
        lips = self._mesh[[*UPPER_LIP, *LOWER_LIP], :2]
        box, step = self._box(lips, 0.2 * self._anatomy.width, _FINE_GRID)
        return self._aperture(
            (box, step),
            (self._without({*LOWER_LIP, *self._chin()}), self._without(set(UPPER_LIP))),
            (self._bend, self._bend),
            (self._mesh[list(UPPER_LIP_INNER), :2], self._mesh[list(LOWER_LIP_INNER), :2]),
        )

    def eye(self, eye: EyeTopology) -> Aperture:
        """One pair of lids; the last coefficient closes them."""
        upper, lower = list(eye.upper_lid[1:-1]), list(eye.lower_lid[1:-1])
        gap = np.zeros((len(upper), 3))
        gap[:, :2] = self._mesh[lower, :2] - self._mesh[upper, :2]
        closing = np.zeros((2, MESH_POINTS, 1, 3))
        closing[0, upper, 0] = gap * _LID_MEETS
        closing[0, list(eye.crease), 0] = gap * _CREASE_FOLLOWS
        closing[1, lower, 0] = -gap * (1 - _LID_MEETS)
        upper_bend = np.concatenate([self._bend, closing[0]], axis=1)
        lower_bend = np.concatenate([self._bend, closing[1]], axis=1)
        edges = self._mesh[list(eye.upper_lid), :2], self._mesh[list(eye.lower_lid), :2]
        box, step = self._box(np.concatenate(edges), 0.15 * self._anatomy.width, _FINE_GRID)
        keep = self._without(set(lower)), self._without(set(upper))
        return self._aperture((box, step), keep, (upper_bend, lower_bend), edges)

    def _chin(self) -> set[int]:
        """Points under the mouth: they follow the jaw, and the upper lip must not know of them."""
        corners = self._mesh[list(MOUTH_CORNERS), :2]
        offset = self._mesh[:, :2] - corners.mean(0)
        under = offset @ self._anatomy.down > 0
        near = np.abs(offset @ self._anatomy.across) < 0.75 * np.linalg.norm(
            np.ptp(corners, axis=0)
        )
        return (
            {int(index) for index in np.flatnonzero(under & near)}
            - set(UPPER_LIP)
            - set(MOUTH_CORNERS)
        )

    def _aperture(
        self,
        sampled: tuple[Box, int],
        keep: tuple[list[int], list[int]],
        bends: tuple[Doubles, Doubles],
        edges: tuple[Doubles, Doubles],
    ) -> Aperture:
        box, step = sampled
        across, down = self._anatomy.across, self._anatomy.down
        return Aperture(
            box=box,
            upper=self._patch(box, step, keep[0], bends[0]),
            lower=self._patch(box, step, keep[1], bends[1]),
            upper_edge=_signed_side(box, edges[0], across, -down),
            lower_edge=_signed_side(box, edges[1], across, down),
            feather=_feather(box),
        )

    def _patch(self, box: Box, step: int, keep: list[int], bend: Doubles) -> Patch:
        places = grid_places(box, step)
        zeros = np.zeros((len(self._outer), *bend.shape[1:]))
        known = np.concatenate([self._mesh[keep, :2], self._outer])
        spread = ThinPlate(known, np.concatenate([bend[keep], zeros])).at(places)
        position = np.column_stack([places, self._depth.at(places)]) - self._anatomy.pivot
        weight = self._weight(places)
        basis = (spread.transpose(1, 2, 0) * weight).reshape(bend.shape[1], -1)
        return Patch(
            box,
            step,
            np.ascontiguousarray(position.T, np.float32),
            weight.astype(np.float32),
            np.ascontiguousarray(basis, np.float32),
        )

    def _box(self, points: Doubles, margin: float, grid: int) -> tuple[Box, int]:
        """The box around points, and the step that samples it with about `grid` points."""
        step = max(2, round((float(np.ptp(points, axis=0).max()) + 2 * margin) / grid))
        return Box.around(points, margin, step, self._limit), step

    def _weight(self, places: Doubles) -> Doubles:
        """The head follows its own motion; neck, shoulders, surroundings and the frame do not."""
        anatomy = self._anatomy
        centre = (anatomy.points[FOREHEAD, :2] + anatomy.points[CHIN, :2]) / 2
        along = (places - centre) @ anatomy.down / anatomy.height
        beside = np.abs((places - centre) @ anatomy.across) / anatomy.width
        shoulder = smooth_step(0.3, 0.8, beside)
        # Shoulders stand still sooner than the neck: the ramp is steeper there.
        neck = 1 - smooth_step(0.45, 1.1, 0.45 + (along - 0.45) / (1 - 0.46 * shoulder))
        sides = 1 - smooth_step(0.95, 1.5, beside)
        edge = np.minimum(places, np.array(self._limit) - 1 - places).min(1)
        border = smooth_step(0, 0.05 * min(self._limit), edge)
        return np.asarray(neck * sides * border)

    def _ring(self, reach: float, count: int) -> Doubles:
        """Points on an ellipse about the face, `reach` times its size."""
        anatomy = self._anatomy
        angle = np.linspace(0, 2 * np.pi, count, endpoint=False)[:, None]
        centre = (anatomy.points[FOREHEAD, :2] + anatomy.points[CHIN, :2]) / 2
        beside = np.cos(angle) * anatomy.width / 2 * anatomy.across
        along = np.sin(angle) * anatomy.height / 2 * anatomy.down
        return np.asarray(centre + reach * (beside + along))

    @staticmethod
    def _without(points: set[int]) -> list[int]:
        return [index for index in range(MESH_POINTS) if index not in points]


def _signed_side(box: Box, edge: Doubles, across: Doubles, inwards: Doubles) -> Floats:
    """Pixels from a contour [points, 2], positive on the side of `inwards`, over a box."""
    far = 4.0 * max(box.width, box.height)
    line = np.concatenate([[edge[0] - far * across], edge, [edge[-1] + far * across]])
    area = np.concatenate([line, line[::-1][[0, -1]] + far * inwards])
    fine = 4
    mask = np.zeros((box.height * fine, box.width * fine), np.uint8)
    corner = np.array([box.left, box.top]) - 0.5
    scaled = ((area - corner) * fine - 0.5) * 16
    cv2.fillPoly(mask, [scaled.round().astype(np.int32)], (1,), shift=4)
    inside = cv2.distanceTransform(mask, cv2.DIST_L2, 5)
    outside = cv2.distanceTransform(1 - mask, cv2.DIST_L2, 5)
    signed = (inside - outside) / fine
    size = (box.width, box.height)
    small = cv2.resize(signed, size, interpolation=cv2.INTER_AREA)
    ys, xs = np.mgrid[: box.height, : box.width]
    along = (np.stack([xs + box.left, ys + box.top], -1) - edge[0]) @ across
    beyond = np.maximum(-along, along - (edge[-1] - edge[0]) @ across)
    # Past the corners the layers overlap: they may part there by a little, and no crack shows.
    return np.asarray(small + np.clip(beyond, 0, _CORNER_OVERLAP_PIXELS), np.float32)


def _feather(box: Box) -> Floats:
    """One inside the box, smoothly zero at its border, [height, width, 1]."""
    ys, xs = np.mgrid[: box.height, : box.width]
    edge = np.minimum(np.minimum(ys, box.height - 1 - ys), np.minimum(xs, box.width - 1 - xs))
    return smooth_step(0, 0.12 * min(box.width, box.height), edge)[..., None].astype(np.float32)
