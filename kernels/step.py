"""One step of the solver: guidance, prediction, per-frame noise levels and re-noise.

On the CPU (`python -m benchmarks.kernels`, one thread of a shared machine, 16 latents of 64x64)
NumPy takes 0.6 of the reference's time and is equal to it bit by bit. PyTorch's multiply-adds take
0.4, but multiply what a frame does not use by zero, which lets NaN through.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from kernels import reference
from kernels.dispatch import Way, way
from kernels.reference import NOISE_FLOOR, Guided, Prediction, Stepped
from kernels.terms import Values, check_latents, check_table, columns_of, term, values_of

__all__ = ["Guided", "Prediction", "Stepped", "denoise_step", "denoise_step_"]

_COLUMNS = 6
_Step: TypeAlias = Callable[[Tensor, Guided, Tensor, Tensor, Tensor, Stepped], None]


def denoise_step(
    latents: Tensor, guided: Guided, clean: Tensor, noise: Tensor, coefficients: Tensor
) -> Stepped:
    """Take each frame from its noise level to its next one; float32 results.

    latents, the tensors in `guided`, clean and noise: [batch, channels, frames, height, width],
    any float types and strides. coefficients: [frames, 6] float32 on the same device; columns
    signal root a, noise root s, next signal root a', next noise root s', clamped, fresh (0 or 1).

    With x = latents and p = free + scale * (predicted - free), in float32: a velocity p means
    original = a x - s p, error = a p + s x; an original p means original = p,
    error = (x - a p) / max(s, 0.0001). Clamped frames have original = clean and error = noise
    instead, fresh ones error = noise. Then next = a' original + s' error. A term of weight zero is
    left out, so that values which a frame does not use, NaN included, leave no trace.

    Raises ValueError for shapes or types that do not fit.
    """
    like = torch.empty_like(latents, dtype=torch.float32)
    out = Stepped(like, torch.empty_like(like))
    denoise_step_(latents, guided, clean, noise, coefficients, out)
    return out


def denoise_step_(  # the underscore: it writes into what it is given
    latents: Tensor,
    guided: Guided,
    clean: Tensor,
    noise: Tensor,
    coefficients: Tensor,
    out: Stepped,
) -> None:
    """`denoise_step` into the tensors of `out`, of any float types and strides.

    They may be inputs of the same call, `latents` for one. On CUDA nothing is allocated: it is one
    launch, and may be captured in a graph (`guided.scale` is then fixed, coefficients are not).
    """
    free = {} if guided.free is None else {"free": guided.free}
    check_latents(
        latents=latents,
        predicted=guided.predicted,
        **free,
        clean=clean,
        noise=noise,
        next=out.next,
        original=out.original,
    )
    check_table("coefficients", coefficients, (latents.shape[2], _COLUMNS))
    _WAYS[way(latents)](latents, guided, clean, noise, coefficients, out)


def _with_numpy(
    latents: Tensor,
    guided: Guided,
    clean: Tensor,
    noise: Tensor,
    coefficients: Tensor,
    out: Stepped,
) -> None:
    signal_root, noise_root, next_signal_root, next_noise_root, *flags = columns_of(coefficients)
    clamped, fresh = (flag.ravel() != 0 for flag in flags)
    with np.errstate(invalid="ignore", over="ignore"):
        noisy, said = values_of(latents), _guided(guided)
        if guided.prediction is Prediction.VELOCITY:
            original = term(signal_root, noisy)
            original -= term(noise_root, said)
            error = term(signal_root, said)
            error += term(noise_root, noisy)
        else:
            original = said.copy()
            error = noisy - term(signal_root, said)
            error /= np.maximum(noise_root, np.float32(NOISE_FLOOR))
        if clamped.any():
            original[:, :, clamped] = values_of(clean)[:, :, clamped]
        drawn = clamped | fresh
        if drawn.any():
            error[:, :, drawn] = values_of(noise)[:, :, drawn]
        following = term(next_signal_root, original)
        following += term(next_noise_root, error)
    out.next.copy_(torch.from_numpy(following))
    out.original.copy_(torch.from_numpy(original))


def _guided(guided: Guided) -> Values:
    said = values_of(guided.predicted)
    if guided.free is None:
        return said
    free = values_of(guided.free)
    said = said - free
    said *= np.float32(guided.scale)
    said += free
    return said


def _with_triton(
    latents: Tensor,
    guided: Guided,
    clean: Tensor,
    noise: Tensor,
    coefficients: Tensor,
    out: Stepped,
) -> None:
    from kernels.triton_step import denoise_step_ as twin  # noqa: PLC0415 (Triton is optional)

    twin(latents, guided, clean, noise, coefficients, out)


def _plain(
    latents: Tensor,
    guided: Guided,
    clean: Tensor,
    noise: Tensor,
    coefficients: Tensor,
    out: Stepped,
) -> None:
    stepped = reference.denoise_step(latents, guided, clean, noise, coefficients)
    out.next.copy_(stepped.next)
    out.original.copy_(stepped.original)


_WAYS: Mapping[Way, _Step] = {
    Way.CPU: _with_numpy,
    Way.TRITON: _with_triton,
    Way.PLAIN: _plain,
}
