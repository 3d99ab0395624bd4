"""The phone recogniser that the phone network is made from: what it hears, with all the future.

The package hama (Apache-2.0) has a conformer of four blocks that recognises phones, whoever speaks.
Lips follow what its first two blocks hear as well as they follow all four. It is read from the
installed package while training; what is shipped is `PhoneNetwork`.
"""

import struct
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from engine.api import Samples
from engine.portrait.landmarks import Floats
from engine.portrait.mel import (
    HOP_SAMPLES,
    LEAST_POWER,
    NATURAL_PER_DB,
    PHONE_FLOOR,
    PHONE_SPEECH_DB,
)
from engine.portrait.phone_network import AHEAD_TAPS, BLOCKS, PAST_TAPS, PhoneNetwork
from engine.training.corpus import CorpusError

Weights = dict[str, Tensor]

_FILE = "assets/asr_waveform.hama"
_MAGIC = b"HAMAPK"
_TYPES: "dict[int, np.dtype[Any]]" = {0: np.dtype("<f4"), 1: np.dtype("<f2")}
_MODEL = "acoustic_model.model."
# Layers without a name of their own have the number of their node in the graph they come from.
_STEM = "onnx::Conv_801", "onnx::Conv_802"
_TAPS = ("onnx::Conv_804", "onnx::Conv_805"), ("onnx::Conv_807", "onnx::Conv_808")
_FIRST_NODE = 829, 838  # of a block: first feed 0 and 1, ask 2, answer 6, last feed 7 and 8
_KINDS = ("weight", "bias")
_HALF_WINDOW = 200


def teacher_file() -> Path:
    """Where the installed package keeps its weights."""
    found = find_spec("hama")
    if found is None or found.origin is None:
        raise CorpusError("the phone recogniser is missing: pip install '.[train]'")
    return Path(found.origin).parent / _FILE


def read_teacher(file: Path) -> Weights:
    """The arrays of a file by name."""
    data = file.read_bytes()
    if not data.startswith(_MAGIC):
        raise CorpusError(f"{file}: expected weights that begin with {_MAGIC!r}")
    entries = list(_entries(data))
    used = max(at + size for _, _, _, at, size in entries)
    start = len(data) - used
    return {
        name: torch.from_numpy(
            np.frombuffer(data, kind, size // kind.itemsize, start + at)
            .reshape(shape)
            .astype(np.float32)
        )
        for name, kind, shape, at, size in entries
    }


def _entries(
    data: bytes,
) -> Iterator[tuple[str, "np.dtype[Any]", tuple[int, ...], int, int]]:
    """Names, types, shapes, places and sizes in bytes."""
    (count,) = struct.unpack_from("<I", data, 8)
    at = 12
    for _ in range(count):
        (length,) = struct.unpack_from("<H", data, at)
        name = data[at + 2 : at + 2 + length].decode()
        at += 2 + length
        kind, axes = data[at], data[at + 1]
        shape = struct.unpack_from(f"<{axes}I", data, at + 2)
        place, size = struct.unpack_from("<QQ", data, at + 2 + 4 * axes)
        at += 2 + 4 * axes + 16
        yield name, _TYPES[kind], shape, place, size


def begin(weights: Weights, ahead_taps: int = AHEAD_TAPS) -> Weights:
    """State of a `PhoneNetwork` that begins with the teacher's weights, taps cut to its reach."""
    state = {"stem.weight": weights[_STEM[0]], "stem.bias": weights[_STEM[1]]}
    for block in range(BLOCKS):
        parts = _block(weights, block, ahead_taps)
        state |= {f"blocks.{block}.{name}": part for name, part in parts.items()}
    return state


def _block(weights: Weights, block: int, ahead_taps: int) -> Weights:
    name, node = f"{_MODEL}blocks.{block}.", _FIRST_NODE[block]

    def linear(number: int) -> Tensor:
        return weights[f"onnx::MatMul_{node + number}"].T

    taps, taps_bias = (weights[part] for part in _TAPS[block])
    middle = taps.shape[-1] // 2
    state = {
        "attend.ask.weight": linear(2),
        "attend.ask.bias": weights[f"{name}attn.in_proj_bias"],
        "attend.answer.weight": linear(6),
        "attend.answer.bias": weights[f"{name}attn.out_proj.bias"],
        "reach.gate.weight": weights[f"{name}conv.pointwise1.weight"][..., 0],
        "reach.gate.bias": weights[f"{name}conv.pointwise1.bias"],
        "reach.taps.weight": taps[..., middle - PAST_TAPS : middle + ahead_taps + 1],
        "reach.taps.bias": taps_bias,
        "reach.mix.weight": weights[f"{name}conv.pointwise2.weight"][..., 0],
        "reach.mix.bias": weights[f"{name}conv.pointwise2.bias"],
    }
    for part, number in (("first", 0), ("last", 7)):
        feed = f"{name}ffn{1 if part == 'first' else 2}."
        state |= {
            f"{part}.widen.weight": linear(number),
            f"{part}.widen.bias": weights[f"{feed}fc1.bias"],
            # A conformer adds half of what it feeds forward.
            f"{part}.narrow.weight": linear(number + 1) / 2,
            f"{part}.narrow.bias": weights[f"{feed}fc2.bias"] / 2,
        }
    norms = {"first": "ffn1.norm", "attend": "attn_norm", "reach": "conv.norm", "last": "ffn2.norm"}
    for part, of in norms.items():
        state |= {f"{part}.norm.{kind}": weights[f"{name}{of}.{kind}"] for kind in _KINDS}
    state |= {f"norm.{kind}": weights[f"{name}norm.{kind}"] for kind in _KINDS}
    return {key: value.contiguous() for key, value in state.items()}


class Teacher:
    """The first two blocks as they were trained: each step sees the whole sound."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._network = PhoneNetwork(past_pairs=None, ahead_taps=PAST_TAPS).eval()
        self._network.load_state_dict(begin(weights, PAST_TAPS), strict=True)

    @torch.no_grad()
    def hear(self, samples: Samples, speech_db: Floats) -> Floats:
        """Steps [hops / 2, 144] of a sound whose speech level is known at each hop [hops]."""
        steps: Tensor = self._network(self.bands(samples, speech_db)[None])[0]
        return steps.numpy()

    def bands(self, samples: Samples, speech_db: Floats) -> Tensor:
        """What the blocks are told, [hops, PHONE_BANDS]: windows stand 2.5 ms later than ours."""
        sound = torch.from_numpy(samples)[None, None]
        sound = functional.pad(sound, (_HALF_WINDOW, _HALF_WINDOW), mode="reflect")
        parts = [
            functional.conv1d(sound, self._weights[f"stft_{part}_kernel"], stride=HOP_SAMPLES)
            for part in ("real", "imag")
        ]
        power = parts[0] ** 2 + parts[1] ** 2
        bands = (power[0].T @ self._weights["mel_fb"]).clamp_min(LEAST_POWER).log()
        gain = (PHONE_SPEECH_DB - torch.from_numpy(speech_db)) * float(NATURAL_PER_DB)
        return (bands[: len(speech_db)] + gain[:, None]).clamp_min(PHONE_FLOOR)
