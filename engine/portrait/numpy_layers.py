"""Layers of small networks on NumPy, for values of one stream: no batch, no gradients.

PyTorch hands out an operation in 5 to 10 us, which is more than these compute; NumPy takes 1 us.
Weights are copies, turned and repeated as their use is fastest, and shared by all streams.
"""

from dataclasses import dataclass
from functools import cache
from math import erfc, sqrt

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.portrait.landmarks import Floats

_STEPS_PER_UNIT, _FARTHEST = 512, 6  # of the table: linear between its entries, wrong by 1e-7

_ONE = np.array(1, np.float32)  # NumPy would turn a plain 1 into one, in a microsecond


def array_of(weights: Tensor) -> Floats:
    """A float32 copy of weights."""
    return np.array(weights.detach().cpu().numpy(), np.float32)


def silu(values: Floats) -> Floats:
    """x / (1 + exp(-x)); the caller ignores overflow, which gives the right zero."""
    divisor = np.negative(values)
    np.exp(divisor, divisor)
    divisor += _ONE
    return np.divide(values, divisor, divisor)


def gelu(values: Floats) -> Floats:
    """x times the chance that a normal number is below x."""
    return np.multiply(values, np.interp(values, *_chances_below()), dtype=np.float32)


@cache
def _chances_below() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    ends = _STEPS_PER_UNIT * _FARTHEST
    places = np.arange(-ends, ends + 1) / _STEPS_PER_UNIT
    chances = np.array([erfc(-place / sqrt(2)) / 2 for place in places.tolist()])
    chances[[0, -1]] = 0, 1  # and so beyond
    return places, chances


@dataclass(frozen=True, slots=True)
class Affine:
    """A linear layer for one value [inputs] or for as many rows as its offset has."""

    turned: Floats  # [inputs, outputs]
    offset: Floats  # [outputs] or [rows, outputs]: adding equal shapes is four times as fast

    @classmethod
    def of(cls, layer: nn.Linear, rows: int = 0) -> "Affine":
        """`rows` that the layer takes at once; 0 for a single value without that axis."""
        bias = array_of(layer.bias)
        return cls(array_of(layer.weight).T, np.tile(bias, (rows, 1)) if rows else bias)

    def centred(self) -> "Affine":
        """The layer without what it adds to all outputs alike, which norms take away."""
        means = self.turned.mean(axis=1, keepdims=True), self.offset.mean(axis=-1, keepdims=True)
        return Affine(self.turned - means[0], self.offset - means[1])

    def __call__(self, values: Floats) -> Floats:
        """[inputs] -> [outputs], or with a row axis before both."""
        result: Floats = values.dot(self.turned)
        result += self.offset
        return result


@dataclass(frozen=True, slots=True)
class CentredNorm:
    """A layer norm for one value [size], the mean of which is zero already."""

    scale: Floats
    offset: Floats
    epsilon: float

    @classmethod
    def of(cls, layer: nn.LayerNorm) -> "CentredNorm":
        """Its trained scale and offset."""
        return cls(array_of(layer.weight), array_of(layer.bias), layer.eps)

    def __call__(self, values: Floats) -> Floats:
        """[size] -> [size]."""
        variance = float(values.dot(values)) / len(values)
        normed: Floats = values * (1 / sqrt(variance + self.epsilon))
        normed *= self.scale
        normed += self.offset
        return normed
