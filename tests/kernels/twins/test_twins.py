"""Each Triton twin against the reference."""

import pytest
import torch

from kernels import reference
from kernels.reference import Prediction
from tests.kernels import cases

# Interpreted, a kernel is NumPy, which warns of zero times infinity. That is what is tested.
pytestmark = pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")


@pytest.mark.parametrize("size", cases.SIZES)
@pytest.mark.parametrize("dtype", cases.FLOATS)
def test_i420(device: str, dtype: torch.dtype, size: tuple[int, int]) -> None:
    from kernels.triton_i420 import rgb_to_i420  # noqa: PLC0415 (Triton is optional)

    images = cases.images(dtype, size, device)
    cases.assert_same_bytes(rgb_to_i420(images), reference.rgb_to_i420(images))


def test_i420_of_more_blocks_than_one_program_takes(device: str) -> None:
    from kernels.triton_i420 import rgb_to_i420  # noqa: PLC0415 (Triton is optional)

    images = cases.images(torch.float32, (35, 61), device)
    cases.assert_same_bytes(rgb_to_i420(images), reference.rgb_to_i420(images))


@pytest.mark.parametrize("prediction", Prediction)
@pytest.mark.parametrize("guided", [False, True])
@pytest.mark.parametrize("dtype", cases.FLOATS)
def test_step(device: str, dtype: torch.dtype, guided: bool, prediction: Prediction) -> None:
    from kernels.triton_step import denoise_step_  # noqa: PLC0415 (Triton is optional)

    given = cases.step(dtype, guided, prediction, device)
    out = cases.empty_out(given.latents)
    denoise_step_(*given, out)
    torch.testing.assert_close(out, reference.denoise_step(*given), rtol=1e-5, atol=1e-5)


def test_step_in_place_over_several_programs(device: str) -> None:
    from kernels.triton_step import denoise_step_  # noqa: PLC0415 (Triton is optional)

    given = cases.step(torch.float32, False, Prediction.VELOCITY, device)
    wide = given._replace(
        latents=given.latents[:1, :1].repeat(1, 1, 1, 13, 13),
        guided=given.guided._replace(predicted=given.latents[:1, :1].repeat(1, 1, 1, 13, 13)),
        clean=given.clean[:1, :1].repeat(1, 1, 1, 13, 13),
        noise=given.noise[:1, :1].repeat(1, 1, 1, 13, 13),
    )
    expected = reference.denoise_step(*wide)
    out = cases.empty_out(wide.latents)._replace(next=wide.latents)
    denoise_step_(*wide, out)
    torch.testing.assert_close(out, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", cases.FLOATS)
def test_crossfade(device: str, dtype: torch.dtype) -> None:
    from kernels.triton_crossfade import crossfade  # noqa: PLC0415 (Triton is optional)

    given = cases.fade(dtype, device)
    torch.testing.assert_close(crossfade(*given), reference.crossfade(*given), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("number", range(8))
def test_paste(device: str, number: int) -> None:
    from kernels.triton_paste import paste  # noqa: PLC0415 (Triton is optional)

    given = cases.pastes(device)[number]
    expected = given.canvas.clone()
    reference.paste(expected, *given[1:])
    paste(*given)
    cases.assert_same_bytes(given.canvas, expected)
