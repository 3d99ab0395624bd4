"""Where the person is: a small network's first guess, from three looks at the picture.

The network is Google's selfie segmentation (Apache-2.0, see `engine/weights/NOTICE`), run by
`cv2.dnn`. It sees 256 pixels: its answer is right to a few pixels, `engine.portrait.matte` does
the rest.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from engine.api import Picture
from engine.portrait.landmarks import Floats
from engine.portrait.topology import CHIN, FOREHEAD

MODEL_PATH = Path(__file__).parents[1] / "weights" / "person.tflite"
_PIXELS = 256
_ROOM = 0.2  # of the longer side, added around one of the looks: bodies cut off confuse it least
_SMALL_FACE = 0.25  # of the shorter side; below it the head is looked at by itself
_CLOSE_SIDE = 3.4  # of the face height


@dataclass(frozen=True, slots=True)
class Guess:
    """What the looks say of each pixel, [height, width] 0..1."""

    mean: Floats
    most: Floats  # of the look that is surest to see the person there


class PersonFinder:
    """Tells people from backgrounds. Not for use by two threads at once."""

    def __init__(self, model_path: Path = MODEL_PATH) -> None:
        self._network = cv2.dnn.readNetFromTFLite(np.fromfile(model_path, np.uint8))

    def guess(self, still: Picture, points: Floats) -> Guess:
        """Look at `still` [height, width, 3], the person having the landmarks [478, 3]."""
        height, width = still.shape[:2]
        room = round(_ROOM * max(height, width))
        roomy = cv2.copyMakeBorder(still, room, room, room, room, cv2.BORDER_REPLICATE)
        mirrored = self._look(np.ascontiguousarray(still[:, ::-1]))[:, ::-1]
        within = self._look(np.asarray(roomy, np.uint8))[room : room + height, room : room + width]
        looks = [self._look(still), mirrored, within]
        close = self._close(still, points, looks[0])
        if close is not None:
            looks = [close]
        stack = np.stack(looks)
        return Guess(stack.mean(0).astype(np.float32), stack.max(0))

    def _close(self, still: Picture, points: Floats, far: Floats) -> Floats | None:
        """A second look at a small head, laid over the first; None where the head is large."""
        height, width = still.shape[:2]
        face = float(np.linalg.norm(points[FOREHEAD] - points[CHIN]))
        if face > _SMALL_FACE * min(height, width):
            return None
        side = min(round(_CLOSE_SIDE * face), height, width)
        centre = (points[FOREHEAD, :2] + points[CHIN, :2]) / 2
        left, top = (
            min(max(round(float(middle) - side / 2), 0), limit - side)
            for middle, limit in zip(centre, (width, height), strict=True)
        )
        near = np.ascontiguousarray(still[top : top + side, left : left + side])
        edge = max(2, side // 8)
        share = np.zeros((height, width), np.float32)
        share[top + edge : top + side - edge, left + edge : left + side - edge] = 1
        share = np.asarray(cv2.blur(share, (edge, edge)), np.float32)
        seen = far.copy()
        seen[top : top + side, left : left + side] = self._look(near)
        return np.asarray(share * seen + (1 - share) * far, np.float32)

    def _look(self, picture: Picture) -> Floats:
        height, width = picture.shape[:2]
        tile = cv2.resize(picture, (_PIXELS, _PIXELS), interpolation=cv2.INTER_AREA)
        blob = tile.astype(np.float32).transpose(2, 0, 1)[None] / 255
        self._network.setInput(np.ascontiguousarray(blob))
        seen = self._network.forward().reshape(_PIXELS, _PIXELS)
        return np.asarray(np.clip(cv2.resize(seen, (width, height)), 0, 1), np.float32)
