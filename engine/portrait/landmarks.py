"""Face landmarks: 478 points of every face in a picture, through three small networks.

The networks are those of Google's face landmarker v2 (Apache-2.0, see `engine/weights/NOTICE`),
run by `cv2.dnn`. Constants follow the published model cards and the file's own graph.
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.api import Picture

Floats: TypeAlias = NDArray[np.float32]

MODEL_PATH = Path(__file__).parents[1] / "weights" / "face_landmarker.task"
POINTS = 478
MESH_POINTS = 468  # the first 468 are the canonical face mesh, the last ten the irises

_DETECTOR_PIXELS = 128
_MESH_PIXELS = 256
_ANCHOR_GRIDS = ((8, 2), (16, 6))  # (stride, anchors per cell)
_MIN_SCORE = 0.5
_SAME_FACE_OVERLAP = 0.3
_REGION_MARGIN = 1.5  # region side over face side
_EYE_CORNERS = (33, 263)  # image-left and image-right outer eye corners


@dataclass(frozen=True, slots=True)
class Region:
    """A rotated square of the picture, in pixels and radians."""

    centre_x: float
    centre_y: float
    side: float
    angle: float


@dataclass(frozen=True, slots=True)
class Detection:
    """A face found by the detector: its box (left, top, right, bottom) and where to look closer."""

    box: tuple[float, float, float, float]
    region: Region
    score: float

    @property
    def width(self) -> float:
        """Width of the face box in pixels."""
        return self.box[2] - self.box[0]


@dataclass(frozen=True, slots=True)
class Face:
    """Landmarks of one face."""

    points: Floats  # [478, 3]: x and y in pixels, z in the same scale, smaller is nearer
    presence: float  # 0..1

    @property
    def region(self) -> Region:
        """Where to look for the same face in the next frame."""
        first, second = self.points[_EYE_CORNERS[0], :2], self.points[_EYE_CORNERS[1], :2]
        angle = float(np.arctan2(second[1] - first[1], second[0] - first[0]))
        turn = _rotation(angle)
        upright = self.points[:, :2] @ turn  # rotated by -angle
        low, high = upright.min(0), upright.max(0)
        centre = turn @ ((low + high) / 2)
        side = float((high - low).max()) * _REGION_MARGIN
        return Region(float(centre[0]), float(centre[1]), side, angle)


class FaceLandmarker:
    """Finds faces and their landmarks. Not for use by two threads at once."""

    def __init__(self, model_path: Path = MODEL_PATH) -> None:
        with zipfile.ZipFile(model_path) as bundle:
            self._detector = _network(bundle.read("face_detector.tflite"))
            self._mesh = _network(bundle.read("face_landmarks_detector.tflite"))
        self._anchors = _anchors()

    def detect(self, picture: Picture) -> list[Detection]:
        """All faces of `picture` [height, width, 3] RGB, the surest first."""
        height, width = picture.shape[:2]
        side = max(height, width)
        whole = Region(width / 2, height / 2, side, 0.0)
        tile = cut_region(picture, whole, _DETECTOR_PIXELS).astype(np.float32)
        blob = np.ascontiguousarray((tile / 127.5 - 1).transpose(2, 0, 1)[None])
        self._detector.setInput(blob)
        regressors, logits = self._detector.forward(["regressors", "classificators"])
        scores = _sigmoid(logits.reshape(-1))
        keep = scores >= _MIN_SCORE
        values = (regressors.reshape(-1, 16)[keep] / _DETECTOR_PIXELS).astype(np.float32)
        origin = np.array([width / 2 - side / 2, height / 2 - side / 2])
        return _merge(values, scores[keep], self._anchors[keep], origin, side)

    def landmarks(self, picture: Picture, region: Region) -> Face:
        """Landmarks of the face in `region`, from a detection or from the frame before."""
        tile = cut_region(picture, region, _MESH_PIXELS).astype(np.float32)
        blob = np.ascontiguousarray((tile / 255).transpose(2, 0, 1)[None])
        self._mesh.setInput(blob)
        raw, presence = self._mesh.forward(["Identity", "Identity_1"])
        unit = raw.reshape(POINTS, 3) / _MESH_PIXELS
        offset = (unit[:, :2] - 0.5) * region.side @ _rotation(region.angle).T
        points = np.empty((POINTS, 3), np.float32)
        points[:, :2] = offset + np.array([region.centre_x, region.centre_y])
        points[:, 2] = unit[:, 2] * region.side
        return Face(points, float(_sigmoid(presence.reshape(-1))[0]))

    def find(self, picture: Picture) -> Face | None:
        """Landmarks of the largest face, looked at twice for precision; None when there is none."""
        detections = self.detect(picture)
        if not detections:
            return None
        largest = max(detections, key=lambda detection: detection.width)
        return self.landmarks(picture, self.landmarks(picture, largest.region).region)


def cut_region(picture: Picture, region: Region, pixels: int) -> Picture:
    """The rotated square `region` of a picture, resampled to [pixels, pixels, 3], zero outside."""
    scale = pixels / region.side
    cosine, sine = np.cos(region.angle) * scale, np.sin(region.angle) * scale
    centre = (region.centre_x, region.centre_y)
    matrix = np.array(
        [
            [cosine, sine, pixels / 2 - cosine * centre[0] - sine * centre[1]],
            [-sine, cosine, pixels / 2 + sine * centre[0] - cosine * centre[1]],
        ]
    )
    tile = cv2.warpAffine(picture, matrix, (pixels, pixels), flags=cv2.INTER_LINEAR)
    return np.asarray(tile, np.uint8)


def _network(model: bytes) -> cv2.dnn.Net:
    return cv2.dnn.readNetFromTFLite(np.frombuffer(model, np.uint8))


def _anchors() -> Floats:
    rows = [
        np.repeat(np.stack(np.meshgrid(cells, cells), -1).reshape(-1, 2), count, 0)
        for stride, count in _ANCHOR_GRIDS
        for cells in [(np.arange(_DETECTOR_PIXELS // stride) + 0.5) * stride / _DETECTOR_PIXELS]
    ]
    return np.concatenate(rows).astype(np.float32)


def _sigmoid(values: NDArray[Any]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-np.clip(values.astype(np.float64), -100, 100)))


def _rotation(angle: float) -> NDArray[np.float64]:
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, -sine], [sine, cosine]])


def _merge(
    values: Floats,
    scores: NDArray[np.float64],
    anchors: Floats,
    origin: NDArray[np.float64],
    side: float,
) -> list[Detection]:
    """Blend overlapping candidates, each weighted by its score (BlazeFace, 2019, section 4)."""
    centres, sizes = values[:, :2] + anchors, values[:, 2:4]
    eyes = values[:, 4:8].reshape(-1, 2, 2) + anchors[:, None]
    boxes = np.concatenate([centres - sizes / 2, centres + sizes / 2], 1)
    left = list(np.argsort(-scores))
    found = []
    while left:
        overlap = _overlap(boxes[left[0]], boxes[left])
        overlap[0] = 1.0
        group = [
            index for index, share in zip(left, overlap, strict=True) if share > _SAME_FACE_OVERLAP
        ]
        weight = scores[group] / scores[group].sum()
        box = (weight @ boxes[group]).reshape(2, 2) * side + origin
        pair = np.tensordot(weight, eyes[group], 1)
        found.append(_detection(box, pair, float(scores[left[0]])))
        left = [index for index in left if index not in group]
    return found


def _detection(box: NDArray[np.float64], eyes: NDArray[np.float64], score: float) -> Detection:
    angle = float(np.arctan2(eyes[1, 1] - eyes[0, 1], eyes[1, 0] - eyes[0, 0]))
    centre, extent = box.mean(0), box[1] - box[0]
    region = Region(float(centre[0]), float(centre[1]), float(extent.max()) * _REGION_MARGIN, angle)
    left, top, right, bottom = (float(value) for value in box.reshape(4))
    return Detection((left, top, right, bottom), region, score)


def _overlap(box: Floats, others: Floats) -> NDArray[np.float32]:
    """Intersection over union of one box with many, (left, top, right, bottom)."""
    extent = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    shared = np.prod(np.maximum(extent, 0), axis=1)
    areas = np.prod(others[:, 2:] - others[:, :2], axis=1)
    return np.asarray(shared / (areas + np.prod(box[2:] - box[:2]) - shared + 1e-9), np.float32)
