"""Crops of programmes for training, each as if another throat had made it."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from engine.portrait.gate import LOOK_AHEAD_FRAMES
from engine.portrait.landmarks import Floats
from engine.portrait.mel import BANDS, HOPS_PER_FRAME
from engine.training.programmes import Programme

Generator = np.random.Generator
Batch = tuple[Tensor, Tensor, Tensor]  # features, mouth, known

CROP_FRAMES = 110
START_FRAMES = 8  # of a crop, where the network has not yet heard enough
# Another throat, strongly varied: without, the few real voices are learned by heart. Of microphones
# only what `MelStream` could not take away is left.
_COLOUR_KNOTS, _COLOUR = 6, 0.1
_THROAT = 0.2
_HIDDEN_STRIPES, _STRIPE_BANDS = 2, 10


class Sampler:
    """Draws crops from programmes, each as if another microphone and another throat had made it."""

    def __init__(self, made: Sequence[Programme]) -> None:
        self._made = made
        lengths = np.array([len(one.weight) for one in made], float)
        self._shares = lengths / lengths.sum()

    def draw(self, crops: int, generator: Generator) -> Batch:
        """Features [crops, hops, FEATURES], mouth [crops, frames, 9], known [crops, frames]."""
        drawn = [self._crop(generator) for _ in range(crops)]
        features, mouth, known = (np.stack(parts) for parts in zip(*drawn, strict=True))
        return torch.from_numpy(features), torch.from_numpy(mouth), torch.from_numpy(known)

    def _crop(self, generator: Generator) -> tuple[Floats, Floats, Floats]:
        one = self._made[generator.choice(len(self._made), p=self._shares)]
        start = int(generator.integers(0, max(1, len(one.weight) - CROP_FRAMES)))
        heard = one.features[start * HOPS_PER_FRAME :][: CROP_FRAMES * HOPS_PER_FRAME]
        known = one.weight[start:][: CROP_FRAMES - LOOK_AHEAD_FRAMES].copy()
        if start:
            known[:START_FRAMES] = 0
        mouth = one.mouth[start:][: CROP_FRAMES - LOOK_AHEAD_FRAMES]
        return _coloured(heard.astype(np.float32), generator), mouth, known


def _coloured(features: Floats, generator: Generator) -> Floats:
    """Another microphone (a smooth curve over the bands) and throat (bands moved up or down).

    What is spoken stays.
    """
    features, phones = features[:, :BANDS], features[:, BANDS:]
    bands = np.arange(BANDS)
    knots = np.linspace(0, BANDS - 1, _COLOUR_KNOTS)
    curve = np.interp(bands, knots, generator.normal(0, _COLOUR, _COLOUR_KNOTS))
    throat = generator.uniform(1 - _THROAT, 1 + _THROAT)
    source = bands * throat + generator.uniform(-1.5, 1.5)
    low = np.clip(np.floor(source).astype(int), 0, BANDS - 2)
    share = np.clip(source - low, 0, 1).astype(np.float32)
    moved = features[:, low] * (1 - share) + features[:, low + 1] * share
    moved = np.maximum(moved + curve.astype(np.float32), features.min())
    for _ in range(_HIDDEN_STRIPES):
        width = int(generator.integers(0, _STRIPE_BANDS))
        first = int(generator.integers(0, BANDS - width))
        moved[:, first : first + width] = moved.mean()
    return np.concatenate([moved, phones], 1, dtype=np.float32)
