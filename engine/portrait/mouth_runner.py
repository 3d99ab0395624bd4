"""The mouth network on NumPy, a frame at a time: `mouth_network.py` says what it computes.

What the blocks add up is read through norms alone, so the sum is kept centred.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.portrait.landmarks import Floats
from engine.portrait.mel import BANDS
from engine.portrait.mouth_network import CausalTaps, HearingBlock, MouthNetwork
from engine.portrait.numpy_layers import Affine, CentredNorm, gelu


class MouthWeights:
    """What never changes: the weights of a mouth network, shared by any number of streams."""

    def __init__(self, network: MouthNetwork) -> None:
        hops = network.join.in_features // network.hops.linear.out_features  # of one frame
        self.hops = _Taps.of(network.hops, hops)
        self.join = Affine.of(network.join).centred()
        self.phones = Affine.of(network.phones).centred()
        self.blocks = [_Block.of(block) for block in network.blocks]
        self.norm = CentredNorm.of(network.norm)


class MouthRunner:
    """One voice: the few past values that each layer looks back on, fixed in size."""

    def __init__(self, weights: MouthWeights) -> None:
        self._weights = weights
        self._hops = weights.hops.start()
        self._pasts = [block.taps.start() for block in weights.blocks]

    def reset(self) -> None:
        """Forget all sound."""
        for past in (self._hops, *self._pasts):
            past.fill(0)

    def listen(self, features: Floats) -> Floats:
        """Features [hops, FEATURES] of one frame: what is heard in it [HEARD]."""
        weights = self._weights
        bands, phones = features[:, :BANDS], features[:, BANDS:]
        values = weights.join(gelu(weights.hops(bands, self._hops)).ravel())
        values += weights.phones(phones.ravel())
        for block, past in zip(weights.blocks, self._pasts, strict=True):
            block.add(values, past)
        return weights.norm(values)


@dataclass(frozen=True, slots=True)
class _Taps:
    """`CausalTaps` for a fixed number of steps at once."""

    linear: Affine
    places: NDArray[np.intp]  # [steps, taps] of what each step sees
    shape: tuple[int, ...]  # of the values that it sees, steps (if there are several) first
    past: tuple[int, int]  # [steps, inputs] in memory

    @classmethod
    def of(cls, layer: CausalTaps, steps: int = 1) -> "_Taps":
        taps = layer.linear.in_features // layer.inputs
        dilation = layer.past // max(taps - 1, 1)
        places = np.arange(steps)[:, None] + dilation * np.arange(taps)
        shape = (steps, -1) if steps > 1 else (-1,)
        linear = Affine.of(layer.linear, steps if steps > 1 else 0)
        return cls(linear, places, shape, (layer.past + steps, layer.inputs))

    def start(self) -> Floats:
        """Past and present values before the first sound."""
        return np.zeros(self.past, np.float32)

    def __call__(self, values: Floats, past: Floats) -> Floats:
        """values [steps, inputs], or [inputs] of one step, which also enter `past`."""
        steps = len(self.places)
        past[:-steps] = past[steps:]
        past[-steps:] = values
        return self.linear(past.take(self.places, 0).reshape(self.shape))


@dataclass(frozen=True, slots=True)
class _Block:
    norm: CentredNorm
    taps: _Taps
    mix: Affine

    @classmethod
    def of(cls, block: object) -> "_Block":
        assert isinstance(block, HearingBlock)  # a list of modules does not know of what kind
        mix = Affine.of(block.mix).centred()
        return cls(CentredNorm.of(block.norm), _Taps.of(block.taps), mix)

    def add(self, values: Floats, past: Floats) -> None:
        """To values [width], in place."""
        values += self.mix(gelu(self.taps(self.norm(values), past)))
