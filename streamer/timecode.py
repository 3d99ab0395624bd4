"""A strip at the top of each picture that says which frame it is, for benchmarks only.

Blocks of black and white, large enough to survive a video codec. They hold the generation of the
engine, the number of the frame, and where in its sound a word or a click began after silence, if
one did. With that, whoever decodes a call knows from pixels alone what was shown when.
"""

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.api import Samples
from engine.config import TIMING

Luma = NDArray[np.uint8]  # [height, width]

_GENERATION_BITS, _INDEX_BITS, _ONSET_BITS, _CHECK_BITS = 6, 20, 10, 12
_BITS = _GENERATION_BITS + _INDEX_BITS + _ONSET_BITS + _CHECK_BITS
_NO_ONSET = (1 << _ONSET_BITS) - 1
_SMALLEST_BLOCK, _BLOCKS_ACROSS = 8, 32
_BLACK, _WHITE, _GREY = 16, 235, 128
_HOP_SAMPLES = 20
_LOUD_RMS = 0.03  # about -30 dB: above what a codec rings before an attack
_QUIET_SAMPLES = TIMING.sample_rate_hz * 200 // 1000


@dataclass(frozen=True, slots=True)
class Code:
    """What a strip says."""

    generation: int  # modulo 64
    index: int
    onset_samples: int | None  # from the frame's first sample


class OnsetFinder:
    """Finds where sound begins after at least 200 ms of silence."""

    def __init__(self) -> None:
        self._quiet_samples = 0

    def push(self, samples: Samples) -> int | None:
        """The first onset in the next samples [time], a multiple of 20; None if there is none."""
        found = None
        hops = samples[: len(samples) // _HOP_SAMPLES * _HOP_SAMPLES].reshape(-1, _HOP_SAMPLES)
        for number, rms in enumerate(np.sqrt(np.mean(hops.astype(np.float64) ** 2, axis=1))):
            if rms > _LOUD_RMS and self._quiet_samples >= _QUIET_SAMPLES and found is None:
                found = number * _HOP_SAMPLES
            self._quiet_samples = 0 if rms > _LOUD_RMS else self._quiet_samples + _HOP_SAMPLES
        return found


def stamp(planes: NDArray[np.uint8], code: Code) -> NDArray[np.uint8]:
    """A copy of I420 planes [height * 3 / 2, width] with the strip painted in."""
    stamped = planes.copy()
    height, width = len(planes) * 2 // 3, planes.shape[1]
    block, rows = _layout(width)
    bits = np.zeros(rows * (width // block), np.uint8)
    bits[:_BITS] = _to_bits(code)
    blocks = np.where(bits, _WHITE, _BLACK).astype(np.uint8).reshape(rows, -1)
    luma = np.repeat(np.repeat(blocks, block, axis=0), block, axis=1)
    stamped[: luma.shape[0], : luma.shape[1]] = luma
    for first in (height, height + height // 4):  # both chroma planes, [height / 2, width / 2]
        plane = stamped[first : first + height // 4].reshape(-1)
        plane[: rows * block // 2 * (width // 2)] = _GREY
    return stamped


def read(luma: Luma) -> Code | None:
    """What the strip of a decoded picture says; None if there is none or it is damaged."""
    block, rows = _layout(luma.shape[1])
    inner = slice(block // 4, block - block // 4)
    strip = luma[: rows * block, : luma.shape[1] // block * block]
    blocks = strip.reshape(rows, block, -1, block)[:, inner, :, inner]
    bits = (blocks.mean(axis=(1, 3)) > _GREY).reshape(-1)[:_BITS]
    return _from_bits(bits.astype(np.uint8))


def _layout(width: int) -> tuple[int, int]:
    """The side of a block and the number of rows of blocks."""
    block = max(_SMALLEST_BLOCK, width // _BLOCKS_ACROSS // 2 * 2)
    return block, -(-_BITS // (width // block))


def _to_bits(code: Code) -> NDArray[np.uint8]:
    onset = _NO_ONSET if code.onset_samples is None else code.onset_samples
    generation = code.generation % (1 << _GENERATION_BITS)
    index = code.index % (1 << _INDEX_BITS)
    body = ((generation << _INDEX_BITS) + index << _ONSET_BITS) + onset
    word = (body << _CHECK_BITS) + _check(body)
    return np.array([word >> shift & 1 for shift in reversed(range(_BITS))], np.uint8)


def _from_bits(bits: NDArray[np.uint8]) -> Code | None:
    word = int("".join(map(str, bits)), 2)
    body, check = divmod(word, 1 << _CHECK_BITS)
    if check != _check(body):
        return None
    rest, onset = divmod(body, 1 << _ONSET_BITS)
    generation, index = divmod(rest, 1 << _INDEX_BITS)
    return Code(generation, index, None if onset == _NO_ONSET else onset)


def _check(body: int) -> int:
    return zlib.crc32(body.to_bytes(8)) % (1 << _CHECK_BITS)
