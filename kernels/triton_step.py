"""One solver step in one launch, in Triton: guidance, prediction, step and re-noise.

The grid is (planes, parts of a plane): a program handles one batch item, channel and frame, so
that its coefficients are single numbers.
"""

import triton
import triton.language as tl
from torch import Tensor

from kernels.reference import NOISE_FLOOR, Guided, Prediction, Stepped
from kernels.triton_planes import at, place_of, term

_NOISE_FLOOR = tl.constexpr(NOISE_FLOOR)
_PIXELS = 1024  # of one program


def denoise_step_(
    latents: Tensor,
    guided: Guided,
    clean: Tensor,
    noise: Tensor,
    coefficients: Tensor,
    out: Stepped,
) -> None:
    """See `kernels.step.denoise_step_`."""
    batch, channels, frames, height, width = latents.shape
    free = guided.predicted if guided.free is None else guided.free
    tensors = (latents, guided.predicted, free, clean, noise, out.next, out.original)
    grid = (batch * channels * frames, triton.cdiv(height * width, _PIXELS))
    # Without fused multiply-adds the twin rounds like the reference.
    _kernel[grid](
        *tensors,
        tuple(tensor.stride() for tensor in tensors),
        *(coefficients, coefficients.stride(), float(guided.scale)),
        *(channels, frames, height * width, width),
        GUIDED=guided.free is not None,
        VELOCITY=guided.prediction is Prediction.VELOCITY,
        PIXELS=_PIXELS,
        enable_fp_fusion=False,
    )


@triton.jit
def _kernel(
    latents: tl.tensor,
    predicted: tl.tensor,
    free: tl.tensor,
    clean: tl.tensor,
    noise: tl.tensor,
    next_out: tl.tensor,
    original_out: tl.tensor,
    strides: tl.tuple,
    coefficients: tl.tensor,
    coefficient_strides: tl.tuple,
    scale: float,
    channels: int,
    frames: int,
    size: int,
    width: int,
    GUIDED: tl.constexpr,
    VELOCITY: tl.constexpr,
    PIXELS: tl.constexpr,
) -> None:
    plane = tl.program_id(0).to(tl.int64)
    pixel = tl.program_id(1) * PIXELS + tl.arange(0, PIXELS)
    real = pixel < size
    place = place_of(plane, pixel, channels, frames, width)

    coefficients += place[2] * coefficient_strides[0]
    column = coefficient_strides[1]
    signal_root = tl.load(coefficients)
    noise_root = tl.load(coefficients + column)
    next_signal_root = tl.load(coefficients + 2 * column)
    next_noise_root = tl.load(coefficients + 3 * column)
    clamped = tl.load(coefficients + 4 * column) != 0
    fresh = tl.load(coefficients + 5 * column) != 0

    noisy = tl.load(at(latents, strides[0], place), mask=real).to(tl.float32)
    said = tl.load(at(predicted, strides[1], place), mask=real).to(tl.float32)
    if GUIDED:
        without = tl.load(at(free, strides[2], place), mask=real).to(tl.float32)
        said = without + scale * (said - without)
    if VELOCITY:
        original = term(signal_root, noisy) - term(noise_root, said)
        error = term(signal_root, said) + term(noise_root, noisy)
    else:
        original = said
        error = tl.math.div_rn(
            noisy - term(signal_root, said), tl.maximum(noise_root, _NOISE_FLOOR)
        )
    given = tl.load(at(clean, strides[3], place), mask=real).to(tl.float32)
    drawn = tl.load(at(noise, strides[4], place), mask=real).to(tl.float32)
    original = tl.where(clamped, given, original)
    error = tl.where(clamped | fresh, drawn, error)
    following = term(next_signal_root, original) + term(next_noise_root, error)
    tl.store(at(next_out, strides[5], place), following, mask=real)
    tl.store(at(original_out, strides[6], place), original, mask=real)
