"""How different two small pictures look to a network, in the manner of LPIPS (Zhang et al. 2018).

The features are those of the shipped face landmark network, all residual sums of its first stages:
no weights for LPIPS itself come with any package. Numbers compare methods in one run only.
"""

import re
import zipfile

import cv2
import numpy as np

from engine.api import Picture
from engine.portrait.landmarks import MODEL_PATH, Floats

_PIXELS = 256  # of the network's input
_LAYERS = 12  # of residual sums: edges, corners, small shapes
_SUM = re.compile(r"/add_\d+/add$")


class FeatureDistance:
    """Not for use by two threads at once."""

    def __init__(self) -> None:
        with zipfile.ZipFile(MODEL_PATH) as bundle:
            model = np.frombuffer(bundle.read("face_landmarks_detector.tflite"), np.uint8)
        self._network = cv2.dnn.readNetFromTFLite(model)
        names = [name for name in self._network.getLayerNames() if _SUM.search(name)]
        self._names = names[:_LAYERS]

    def between(self, first: Picture, second: Picture, region: Floats) -> float:
        """The mean squared distance of unit features, 0..4, where `region` [h, w] is one."""
        total = 0.0
        for a, b in zip(self._features(first), self._features(second), strict=True):
            share = cv2.resize(region, (a.shape[2], a.shape[1]), interpolation=cv2.INTER_AREA)
            apart = ((a - b) ** 2).sum(0)
            total += float((apart * share).sum() / max(float(share.sum()), 1e-6))
        return total / len(self._names)

    def _features(self, picture: Picture) -> list[Floats]:
        """Of each layer [channels, height, width], of unit length along the channels."""
        tile = cv2.resize(picture, (_PIXELS, _PIXELS), interpolation=cv2.INTER_CUBIC)
        blob = (tile.astype(np.float32) / 255).transpose(2, 0, 1)[None]
        self._network.setInput(np.ascontiguousarray(blob))
        found = [np.asarray(layer[0], np.float32) for layer in self._network.forward(self._names)]
        return [layer / (np.linalg.norm(layer, axis=0) + 1e-6) for layer in found]
