"""Head pose and the pose-free face: landmarks against the canonical face mesh.

The pose is a weighted Procrustes fit (Kabsch 1976, Umeyama 1991) between the landmarks and the
canonical mesh of the face landmarker bundle, under a pinhole camera with 63 degrees of vertical
view. Lengths are centimetres of the canonical face; y points up, z towards the camera.
"""

import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.portrait.landmarks import MESH_POINTS, MODEL_PATH, Floats

Doubles: TypeAlias = NDArray[np.float64]

_VIEW_DEGREES = 63.0
_NEAR = 1.0
_VERTICES, _INDICES = 3, 4  # field numbers of the mesh message


@dataclass(frozen=True, slots=True)
class Canonical:
    """The canonical face mesh of the bundle."""

    points: Doubles  # [468, 3] centimetres
    weights: Doubles  # [468], what each point counts in the pose fit
    triangles: NDArray[np.int64]  # [898, 3]

    @classmethod
    def load(cls, model_path: Path = MODEL_PATH) -> "Canonical":
        """Read the mesh from the landmarker bundle (protocol buffer wire format)."""
        with zipfile.ZipFile(model_path) as bundle:
            message = bundle.read("geometry_pipeline_metadata_landmarks.binarypb")
        weights = np.zeros(MESH_POINTS)
        mesh = b""
        for field, value in _fields(message):
            if field == 1 and isinstance(value, bytes):
                mesh = value
            elif isinstance(value, bytes):
                entry = dict(_fields(value))
                weights[int(_number(entry.get(1, 0)))] = _number(entry[2])
        vertices, triangles = _mesh(mesh)
        return cls(vertices[:, :3].copy(), weights, triangles)


@dataclass(frozen=True)
class Posed:
    """A face apart from its pose."""

    pose: Doubles  # [4, 4], canonical centimetres to camera centimetres
    mesh: Doubles  # [468, 3], the face in canonical axes and size, expression kept

    @cached_property
    def angles(self) -> tuple[float, float, float]:
        """Yaw, pitch and roll in radians (turned to its left, up, and tilted are positive)."""
        turn = self.pose[:3, :3] / np.cbrt(np.linalg.det(self.pose[:3, :3]))
        yaw = float(np.arctan2(turn[0, 2], turn[2, 2]))
        pitch = float(np.arcsin(np.clip(turn[1, 2], -1, 1)))
        roll = float(np.arctan2(turn[1, 0], turn[1, 1]))
        return yaw, pitch, roll


def head_turn(yaw: float, pitch: float, roll: float) -> Doubles:
    """The rotation [3, 3] whose `Posed.angles`, in radians, are these."""
    cos, sin = np.cos, np.sin
    about_y = np.array([[cos(yaw), 0, sin(yaw)], [0, 1, 0], [-sin(yaw), 0, cos(yaw)]])
    about_x = np.array([[1, 0, 0], [0, cos(pitch), sin(pitch)], [0, -sin(pitch), cos(pitch)]])
    about_z = np.array([[cos(roll), -sin(roll), 0], [sin(roll), cos(roll), 0], [0, 0, 1]])
    return np.asarray(about_y @ about_x @ about_z)


def into_room(places: Doubles, distances: Doubles, width: int, height: int) -> Doubles:
    """Places in a picture [..., 2] and distances from the camera [...] -> points [..., 3]."""
    screen = (places / (width, height) - 0.5) * _extent(width, height) * (1, -1)
    return np.concatenate([screen * distances[..., None] / _NEAR, -distances[..., None]], axis=-1)


def into_picture(points: Doubles, width: int, height: int) -> Doubles:
    """Points before the camera [..., 3] in centimetres -> where a picture shows them [..., 2]."""
    screen = points[..., :2] / -points[..., 2:] * _NEAR
    places = (screen * (1, -1) / _extent(width, height) + 0.5) * (width, height)
    return np.asarray(places)


class PoseSolver:
    """Fits the canonical face to landmarks."""

    def __init__(self, canonical: Canonical) -> None:
        self._points = canonical.points
        self._weights = canonical.weights[:, None]
        self._total = float(canonical.weights.sum())

    def solve(self, points: Floats, width: int, height: int) -> Posed:
        """Pose and pose-free mesh of landmarks [478 or 468, 3] in a width x height picture."""
        view, extent = np.array([width, height]), _extent(width, height)
        face = points[:MESH_POINTS].astype(np.float64)
        screen = np.empty_like(face)
        screen[:, :2] = (face[:, :2] / view - 0.5) * extent * (1, -1)
        screen[:, 2] = face[:, 2] / width * extent[0]
        first = self._fit(screen * (1, 1, -1))[0]
        second = self._fit(self._unproject(screen, first))[0]
        metric = self._unproject(screen, first * second)
        scale, turn, shift = self._fit(metric)
        pose = np.eye(4)
        pose[:3, :3] = scale * turn
        pose[:3, 3] = shift
        return Posed(pose, (metric - shift) @ turn / scale)

    @staticmethod
    def _unproject(screen: Doubles, scale: float) -> Doubles:
        """From the screen at the near plane into the room, depth divided by `scale`."""
        metric = screen.copy()
        metric[:, 2] = (screen[:, 2] - screen[:, 2].mean() + _NEAR) / scale
        metric[:, :2] *= metric[:, 2:] / _NEAR
        metric[:, 2] *= -1
        return metric

    def _fit(self, target: Doubles) -> tuple[float, Doubles, Doubles]:
        """Scale, rotation and shift that bring the canonical mesh nearest to `target`."""
        source, weights = self._points, self._weights
        centre = (source * weights).sum(0) / self._total
        centred = source - centre
        left, _, right = np.linalg.svd((target * weights).T @ centred)
        if np.linalg.det(left) * np.linalg.det(right) < 0:
            left[:, 2] *= -1
        turn = left @ right
        spread = (centred * source * weights).sum()
        scale = float(((centred @ turn.T) * target * weights).sum() / spread)
        shift = ((target - scale * source @ turn.T) * weights).sum(0) / self._total
        return scale, turn, shift


def _extent(width: int, height: int) -> Doubles:
    """Width and height of the near plane that a picture shows."""
    extent_y = 2 * _NEAR * np.tan(np.radians(_VIEW_DEGREES) / 2)
    return np.array([extent_y * width / height, extent_y])


def _number(value: int | bytes | float) -> float:
    if isinstance(value, bytes):
        raise ValueError("the face mesh holds bytes where a number is expected")
    return float(value)


def _varint(message: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return value, position


def _fields(message: bytes) -> Iterator[tuple[int, int | float | bytes]]:
    """Fields of a protocol buffer message: (number, value)."""
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        match key & 7:
            case 0:
                value, position = _varint(message, position)
                yield key >> 3, value
            case 2:
                length, position = _varint(message, position)
                yield key >> 3, message[position : position + length]
                position += length
            case 5:
                yield key >> 3, struct.unpack_from("<f", message, position)[0]
                position += 4
            case kind:
                raise ValueError(f"the face mesh holds wire type {kind}, which it never should")


def _mesh(message: bytes) -> tuple[Doubles, NDArray[np.int64]]:
    """Vertices [468, 5] (position and texture) and triangles [898, 3]."""
    vertices: list[float] = []
    indices: list[int] = []
    for field, value in _fields(message):
        if field == _VERTICES and isinstance(value, bytes):
            vertices += np.frombuffer(value, "<f4").tolist()
        elif field == _VERTICES:
            vertices.append(float(value))
        elif field == _INDICES and isinstance(value, bytes):
            position = 0
            while position < len(value):
                index, position = _varint(value, position)
                indices.append(index)
        elif field == _INDICES:
            indices.append(int(value))
    return np.array(vertices).reshape(-1, 5), np.array(indices).reshape(-1, 3)
