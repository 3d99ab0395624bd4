"""The phone network on NumPy, a frame at a time: `phone_network.py` says what it computes."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file

from engine.portrait.landmarks import Floats
from engine.portrait.mel import HOPS_PER_FRAME, PHONE_BANDS
from engine.portrait.numpy_layers import gelu, silu
from engine.portrait.phone_network import (
    AHEAD_TAPS,
    BLOCKS,
    HEADS,
    HEARD_PHONES,
    PAST_PAIRS,
    PAST_TAPS,
    STEM_HOPS,
    STEPS_PER_FRAME,
    PhoneNetwork,
)

PHONES_PATH = Path(__file__).parents[1] / "weights" / "phones.safetensors"

_PAIR = STEPS_PER_FRAME
_KEPT = (PAST_PAIRS + 1) * _PAIR  # steps that attention sees
_TAPS = PAST_TAPS + 1 + AHEAD_TAPS
_HEAD = HEARD_PHONES // HEADS
_EPSILON = 1e-5  # of a layer norm, PyTorch's


class PhoneWeights:
    """What never changes, shared by any number of streams."""

    def __init__(self, weights: Mapping[str, Floats]) -> None:
        stem = weights["stem.weight"]  # [144, PHONE_BANDS, hops]
        turned = stem.transpose(0, 2, 1).reshape(HEARD_PHONES, -1)
        self.stem = _Linear.of(turned, weights["stem.bias"])
        self.blocks = [_Block.of(weights, f"blocks.{block}.") for block in range(BLOCKS)]

    @classmethod
    def load(cls, path: Path = PHONES_PATH) -> "PhoneWeights":
        """Read weights; `ValueError` when the file is not such weights."""
        try:
            weights = load_file(path)
        except SafetensorError as error:
            raise ValueError(f"{path}: not weights of the phone network ({error})") from error
        with torch.device("meta"):
            expected = {key: tuple(part.shape) for key, part in PhoneNetwork().state_dict().items()}
        given = {key: part.shape for key, part in weights.items()}
        if given != expected:
            wrong = sorted(key for key, _ in given.items() ^ expected.items())[0]
            raise ValueError(
                f"{path}: not weights of the phone network: {wrong} is {given.get(wrong)}, "
                f"expected {expected.get(wrong)}"
            )
        return cls({name: part.astype(np.float32) for name, part in weights.items()})


@cache
def shipped_phones() -> PhoneWeights:
    """The weights in this package, read once."""
    return PhoneWeights.load()


class PhoneRunner:
    """One voice: what each layer looks back on, fixed in size."""

    def __init__(self, weights: PhoneWeights) -> None:
        self._stem = weights.stem
        self._hops = np.empty((1 + HOPS_PER_FRAME, PHONE_BANDS), np.float32)
        self._seen = _spans(self._hops, STEM_HOPS, STEPS_PER_FRAME)
        self._blocks = [_BlockRunner(block) for block in weights.blocks]
        self.reset()

    def reset(self) -> None:
        """Forget all sound."""
        self._hops.fill(0)
        for block in self._blocks:
            block.reset()

    def push(self, bands: Floats) -> Floats | None:
        """Take the bands [4, PHONE_BANDS] of frame k; return the steps [2, 144] of frame k - 2."""
        self._hops[0] = self._hops[-1]
        self._hops[1:] = bands
        steps: Floats | None = gelu(self._stem(self._seen.reshape(_PAIR, -1)))
        with np.errstate(over="ignore"):
            for block in self._blocks:
                if steps is None:
                    return None
                steps = block.push(steps)
        return steps


@dataclass(frozen=True, slots=True)
class _Linear:
    """A linear layer for a pair of steps, each by itself: a third of the time of both at once."""

    turned: Floats  # [inputs, outputs]
    offset: Floats  # [2, outputs]

    @classmethod
    def of(cls, weight: Floats, bias: Floats) -> "_Linear":
        return cls(np.ascontiguousarray(weight.T), np.tile(bias, (_PAIR, 1)))

    def __call__(self, steps: Floats) -> Floats:
        """[2, inputs] -> [2, outputs]."""
        result = np.empty_like(self.offset)
        for step in range(_PAIR):
            np.dot(steps[step], self.turned, result[step])
        result += self.offset
        return result


@dataclass(frozen=True, slots=True)
class _Norm:
    scale: Floats
    offset: Floats

    @classmethod
    def of(cls, weights: Mapping[str, Floats], name: str) -> "_Norm":
        return cls(weights[f"{name}weight"], weights[f"{name}bias"])

    def __call__(self, steps: Floats) -> Floats:
        """[steps, 144] -> [steps, 144]."""
        share = np.float32(1 / HEARD_PHONES)
        centred = steps - np.add.reduce(steps, 1, keepdims=True) * share
        variance = np.add.reduce(centred * centred, 1, keepdims=True) * share
        centred /= np.sqrt(variance + np.float32(_EPSILON))
        centred *= self.scale
        centred += self.offset
        return np.asarray(centred)


@dataclass(frozen=True, slots=True)
class _Feed:
    norm: _Norm
    widen: _Linear
    narrow: _Linear

    @classmethod
    def of(cls, weights: Mapping[str, Floats], name: str) -> "_Feed":
        widen, narrow = (_layer(weights, name + part) for part in ("widen.", "narrow."))
        return cls(_Norm.of(weights, f"{name}norm."), widen, narrow)

    def add(self, steps: Floats) -> None:
        """To steps [2, 144], in place."""
        steps += self.narrow(silu(self.widen(self.norm(steps))))


@dataclass(frozen=True, slots=True)
class _Block:
    """The weights of one block."""

    first: _Feed
    last: _Feed
    attend_norm: _Norm
    ask: _Linear
    answer: _Linear
    reach_norm: _Norm
    gate: _Linear
    taps: Floats  # [taps, 144]
    taps_offset: Floats
    mix: _Linear
    norm: _Norm

    @classmethod
    def of(cls, weights: Mapping[str, Floats], name: str) -> "_Block":
        return cls(
            _Feed.of(weights, f"{name}first."),
            _Feed.of(weights, f"{name}last."),
            _Norm.of(weights, f"{name}attend.norm."),
            _layer(weights, f"{name}attend.ask."),
            _layer(weights, f"{name}attend.answer."),
            _Norm.of(weights, f"{name}reach.norm."),
            _layer(weights, f"{name}reach.gate."),
            weights[f"{name}reach.taps.weight"][:, 0].T.copy(),
            weights[f"{name}reach.taps.bias"],
            _layer(weights, f"{name}reach.mix."),
            _Norm.of(weights, f"{name}norm."),
        )


class _BlockRunner:
    """One block in one stream, a pair of steps behind what it is given."""

    def __init__(self, block: _Block) -> None:
        self._block = block
        self._keys, self._values = np.empty((2, HEADS, _KEPT, _HEAD), np.float32)
        self._gated = np.empty((_TAPS - 1 + _PAIR, HEARD_PHONES), np.float32)
        self._spans = _spans(self._gated, _TAPS, 1)
        self.reset()

    def reset(self) -> None:
        """Forget all steps."""
        self._pairs = 0
        self._gated.fill(0)
        self._waiting: Floats | None = None

    def push(self, steps: Floats) -> Floats | None:
        """Take a pair of steps [2, 144], which is changed; return the pair before, or none."""
        block = self._block
        block.first.add(steps)
        steps += block.answer(self._attend(block.ask(block.attend_norm(steps))))
        self._gate(steps)
        late, self._waiting = self._waiting, steps
        if late is None:
            return None
        reached = np.add.reduce(self._spans * block.taps, 1)
        reached += block.taps_offset
        late += block.mix(silu(reached))
        block.last.add(late)
        return block.norm(late)

    def _attend(self, asked: Floats) -> Floats:
        """What steps that ask [2, 432] find among those of the past [2, 144]."""
        queries, keys, values = asked.reshape(_PAIR, 3, HEADS, _HEAD).transpose(1, 2, 0, 3)
        place = self._pairs % (PAST_PAIRS + 1) * _PAIR
        self._keys[:, place : place + _PAIR] = keys
        self._values[:, place : place + _PAIR] = values
        self._pairs += 1
        known = slice(min(self._pairs * _PAIR, _KEPT))
        likeness = queries @ self._keys[:, known].transpose(0, 2, 1)
        likeness *= np.float32(_HEAD**-0.5)
        likeness -= np.maximum.reduce(likeness, 2, keepdims=True)
        np.exp(likeness, likeness)
        likeness /= np.add.reduce(likeness, 2, keepdims=True)
        found = likeness @ self._values[:, known]
        return np.asarray(found.transpose(1, 0, 2).reshape(_PAIR, HEARD_PHONES))

    def _gate(self, steps: Floats) -> None:
        block = self._block
        gated = block.gate(block.reach_norm(steps))
        self._gated[:-_PAIR] = self._gated[_PAIR:]
        self._gated[-_PAIR:] = gated[:, :HEARD_PHONES] / (1 + np.exp(-gated[:, HEARD_PHONES:]))


def _spans(values: Floats, length: int, step: int) -> Floats:
    """For each of a pair of steps, `length` rows of values [rows, size], `step` rows apart.

    A view that stays true as the values change.
    """
    rows, size = values.strides
    spans = np.ndarray(
        (_PAIR, length, values.shape[1]), values.dtype, values, 0, (step * rows, rows, size)
    )
    spans.flags.writeable = False
    return spans


def _layer(weights: Mapping[str, Floats], name: str) -> _Linear:
    return _Linear.of(weights[f"{name}weight"], weights[f"{name}bias"])
