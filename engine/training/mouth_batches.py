"""Batches of mouth pairs: people drawn evenly, each seen in other light, skin, lips and lenses."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from engine.portrait.mouth_crop import CROP_PIXELS, SEEN_COLUMNS, SEEN_ROWS, paste_cover
from engine.portrait.painted_mouth_network import lower_lip_drop
from engine.training.mouth_data import MouthPairs

_OPEN_SHARE = 0.01  # of the crop: pairs that are open further are drawn more often
_OPEN_WEIGHT = 8.0
_SHARP_POWER = 2.0  # how much more often people with sharper films are drawn
_TINTED_SHARE = 0.5  # of the people, whose lips get another colour


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive frames 2k and 2k+1, as the network sees them; colours are -0.5..0.5."""

    warped: Tensor  # [batch, 3, 88, 112]
    target: Tensor  # [batch, 3, 88, 112]
    opening: Tensor  # [batch, 1, 88, 112]
    cover: Tensor  # [batch, 1, 88, 112] how much of the painted mouth is shown
    still: Tensor  # [batch, 3, 88, 112]
    still_opening: Tensor  # [batch, 1, 88, 112]
    coordinates: Tensor  # [batch, 88, 112, 2] where each pixel lay in the crop
    drop: Tensor  # [batch] how far the lower lip went down, crop pixels
    person: Tensor  # [batch] which


class PairSampler:
    """Draws batches; the draw of a step depends on the seed and the step alone."""

    def __init__(self, pairs: MouthPairs, seed: int, *, augment: bool = True) -> None:
        self._pairs, self._seed, self._augment = pairs, seed, augment
        usable = np.flatnonzero(pairs.follows)
        people = pairs.identity[usable]
        self._sharpness = _sharpness(pairs)
        open_share = np.array([float(pairs.opening[index].mean()) / 255 for index in usable])
        weight = 1 + _OPEN_WEIGHT * (open_share > _OPEN_SHARE)
        for person in np.unique(people):
            own = people == person
            weight[own] *= self._sharpness[person] / weight[own].sum()
        self.usable, self.shares = usable, weight / weight.sum()
        self.people = len(self._sharpness)

    def draw(self, step: int, count: int) -> Batch:
        """`count` pairs of consecutive frames, each pair in its own light."""
        generator = np.random.default_rng([self._seed, step])
        second = generator.choice(self.usable, count, p=self.shares)
        frames = np.stack([second - 1, second], 1).reshape(-1)
        pairs = self._pairs
        reference = pairs.reference[frames]
        moving = _tensor(
            np.concatenate(
                [
                    np.concatenate([pairs.warped[frames], pairs.target[frames]], -1),
                    pairs.opening[frames][..., None],
                    pairs.lips[frames][..., None],
                ],
                -1,
            )
        )
        still = _tensor(
            np.concatenate(
                [
                    pairs.still[reference],
                    pairs.still_opening[reference][..., None],
                    pairs.still_lips[reference][..., None],
                ],
                -1,
            )
        )
        drop = lower_lip_drop(moving[:, 6:7])
        place = _jitter(generator, count) if self._augment else _unmoved(count)
        moving, still = _placed(moving, place), _placed(still, place)
        cover = np.stack([paste_cover(mask) for mask in moving[:, 6].numpy()])[:, None]
        window = (..., SEEN_ROWS, SEEN_COLUMNS)
        warped, target, opening, lips = torch.split(moving[window], [3, 3, 1, 1], 1)
        seen, seen_opening, seen_lips = torch.split(still[window], [3, 1, 1], 1)
        if self._augment:
            light = _Light.draw(generator, count)
            warped = light.on(warped, opening * 0, lips)
            target, seen = light.on(target, opening, lips), light.on(seen, seen_opening, seen_lips)
        return Batch(
            warped=warped - 0.5,
            target=target - 0.5,
            opening=opening,
            cover=torch.from_numpy(cover)[window],
            still=seen - 0.5,
            still_opening=seen_opening,
            coordinates=(_grid(place)[:, SEEN_ROWS, SEEN_COLUMNS] + 1) * (CROP_PIXELS / 2) - 0.5,
            drop=drop,
            person=torch.from_numpy(pairs.identity[frames]),
        )


def _sharpness(pairs: MouthPairs) -> NDArray[np.float64]:
    """How often each person is drawn: by the share of detail that its crops carry."""
    people = int(pairs.identity.max()) + 1
    values = np.zeros(people)
    for person in range(people):
        some = np.flatnonzero(pairs.identity == person)[::7]
        grey = pairs.target[some, 24:104, 24:104].astype(np.float32).mean(-1)
        bend = grey[:, 1:-1, 1:-1] * 4 - grey[:, :-2, 1:-1] - grey[:, 2:, 1:-1]
        bend = bend - grey[:, 1:-1, :-2] - grey[:, 1:-1, 2:]
        values[person] = np.abs(bend).mean() / grey.mean()
    return np.asarray(values**_SHARP_POWER)


def _tensor(pictures: NDArray[np.uint8]) -> Tensor:
    """[batch, channels, height, width] 0..1 of pictures [batch, height, width, channels]."""
    return torch.from_numpy(pictures.transpose(0, 3, 1, 2).astype(np.float32) / 255)


def _twice(values: NDArray[np.float64]) -> Tensor:
    """One value per pair to one per frame."""
    return torch.from_numpy(np.repeat(values, 2, axis=0).astype(np.float32))


def _jitter(generator: np.random.Generator, count: int) -> Tensor:
    """Small maps [frames, 2, 3]: mirrored, turned, larger or smaller, shifted."""
    angle = generator.normal(0, 0.04, count)
    scale = np.exp(generator.normal(0, 0.06, (count, 2)))
    mirror = generator.choice([-1.0, 1.0], count)
    cosine, sine = np.cos(angle), np.sin(angle)
    shift = generator.normal(0, 0.04, (count, 2))
    place = np.stack(
        [
            np.stack([cosine * scale[:, 0] * mirror, -sine * scale[:, 0], shift[:, 0]], 1),
            np.stack([sine * scale[:, 1] * mirror, cosine * scale[:, 1], shift[:, 1]], 1),
        ],
        1,
    )
    return _twice(place)


def _unmoved(count: int) -> Tensor:
    return torch.eye(2, 3).expand(2 * count, 2, 3)


def _grid(place: Tensor) -> Tensor:
    size = [len(place), 1, CROP_PIXELS, CROP_PIXELS]
    return functional.affine_grid(place, size, align_corners=False)


def _placed(pictures: Tensor, place: Tensor) -> Tensor:
    grid = _grid(place)
    return functional.grid_sample(pictures, grid, padding_mode="border", align_corners=False)


@dataclass(frozen=True, slots=True)
class _Light:
    """Per frame [frames, channels, 1, 1]: of the room, of the skin and of the lips."""

    room_gain: Tensor
    room_power: Tensor
    skin_gain: Tensor
    skin_power: Tensor
    lip_gain: Tensor
    grey: Tensor  # how far colours are gone: statues, drawings
    blur: Tensor  # below zero: sharpened, for stills are sharper than films

    @classmethod
    def draw(cls, generator: np.random.Generator, count: int) -> "_Light":
        def spread(deviation: float, channels: int) -> Tensor:
            drawn = np.exp(generator.normal(0, deviation, (count, channels, 1, 1)))
            return _twice(drawn)

        tinted = _twice((generator.random((count, 1, 1, 1)) < _TINTED_SHARE).astype(np.float64))
        lips = _twice(generator.uniform((0.75, 0.45, 0.5), (1.2, 1.05, 1.1), (count, 3)))
        return cls(
            spread(0.15, 1) * spread(0.06, 3),
            spread(0.12, 1),
            spread(0.15, 1) * spread(0.04, 3),
            spread(0.2, 1),
            lips[..., None, None] * tinted + (1 - tinted),
            _twice(np.clip(generator.uniform(-3, 1.2, (count, 1, 1, 1)), 0, 1)),
            _twice(generator.uniform(-1.0, 0.3, (count, 1, 1, 1))),
        )

    def on(self, colour: Tensor, opening: Tensor, lips: Tensor) -> Tensor:
        """Colours 0..1 [frames, 3, .., ..] in this light; the opening keeps only the room's."""
        known = colour.clamp(1e-3, 1)
        skin = known**self.skin_power * self.skin_gain
        red = functional.avg_pool2d(lips, 3, 1, 1)
        skin = skin * (1 + red * (self.lip_gain - 1))
        inside = functional.avg_pool2d(opening, 3, 1, 1)
        lit = skin * (1 - inside) + known * inside
        lit = torch.lerp(lit, lit.mean(1, keepdim=True), self.grey)
        lit = (lit.clamp(1e-3, 2) ** self.room_power * self.room_gain).clamp(0, 1)
        soft = functional.avg_pool2d(lit, 3, 1, 1, count_include_pad=False)
        return torch.lerp(lit, soft, self.blur).clamp(0, 1)
