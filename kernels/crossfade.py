"""Latent cross-fade where two windows overlap, with the history kept by its weights.

On the CPU (`python -m benchmarks.kernels`, one thread of a shared machine, 16 latents of 64x64)
NumPy takes 0.5 of the reference's time and is equal to it bit by bit. `torch.lerp` takes 0.2, but a
window whose weight is zero must leave no trace, and there NaN goes through.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from kernels import reference
from kernels.dispatch import Way, way
from kernels.terms import check_latents, check_table, columns_of, term, values_of

_Crossfade: TypeAlias = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]


def crossfade(
    old: Tensor, new: Tensor, weights: Tensor, noise: Tensor, coefficients: Tensor
) -> Tensor:
    """Mix two windows frame by frame and bring the mix to each frame's noise level.

    old, new, noise: [batch, channels, frames, height, width], any float types and strides;
    weights: [frames] float32, share of `new`, 0 for history that is to stay; coefficients:
    [frames, 2] float32, signal root a' and noise root s'. Returns float32, computed in float32:
    a' ((1 - weight) old + weight new) + s' noise. A term of weight zero is left out, whatever its
    value; with a' = 1 and s' = 0 this is a plain cross-fade.

    Raises ValueError for shapes or types that do not fit.
    """
    check_latents(old=old, new=new, noise=noise)
    check_table("weights", weights, (old.shape[2],))
    check_table("coefficients", coefficients, (old.shape[2], 2))
    return _WAYS[way(old)](old, new, weights, noise, coefficients)


def _with_numpy(
    old: Tensor, new: Tensor, weights: Tensor, noise: Tensor, coefficients: Tensor
) -> Tensor:
    (weight,) = columns_of(weights[:, None])
    signal_root, noise_root = columns_of(coefficients)
    with np.errstate(invalid="ignore", over="ignore"):
        faded = term(1 - weight, values_of(old))
        faded += term(weight, values_of(new))
        faded = term(signal_root, faded)
        faded += term(noise_root, values_of(noise))
    return torch.from_numpy(faded)


def _with_triton(
    old: Tensor, new: Tensor, weights: Tensor, noise: Tensor, coefficients: Tensor
) -> Tensor:
    from kernels.triton_crossfade import crossfade as twin  # noqa: PLC0415 (Triton is optional)

    return twin(old, new, weights, noise, coefficients)


_WAYS: Mapping[Way, _Crossfade] = {
    Way.CPU: _with_numpy,
    Way.TRITON: _with_triton,
    Way.PLAIN: reference.crossfade,
}
