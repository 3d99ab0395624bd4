"""The public functions: how they choose, what they refuse, and that their CPU side agrees."""

from collections.abc import Callable

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from kernels import reference
from kernels.crossfade import crossfade
from kernels.dispatch import Way, way
from kernels.i420 import rgb_bytes_to_i420, rgb_to_i420
from kernels.paste import paste
from kernels.reference import Guided, Prediction
from kernels.step import denoise_step, denoise_step_
from tests.kernels import cases

LATENTS = torch.zeros(1, 1, 2, 3, 3)


@pytest.mark.parametrize("size", cases.SIZES)
@pytest.mark.parametrize("dtype", cases.FLOATS)
def test_i420(dtype: torch.dtype, size: tuple[int, int]) -> None:
    images = cases.images(dtype, size, "cpu")
    cases.assert_same_bytes(rgb_to_i420(images), reference.rgb_to_i420(images))


@pytest.mark.parametrize("size", cases.SIZES)
def test_i420_of_bytes(size: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(1)
    pictures = torch.randint(0, 256, (2, *size, 3), generator=generator).byte()
    cases.assert_same_bytes(rgb_bytes_to_i420(pictures), reference.rgb_bytes_to_i420(pictures))


@pytest.mark.parametrize("prediction", Prediction)
@pytest.mark.parametrize("guided", [False, True])
@pytest.mark.parametrize("dtype", cases.FLOATS)
def test_step(dtype: torch.dtype, guided: bool, prediction: Prediction) -> None:
    given = cases.step(dtype, guided, prediction, "cpu")
    expected = reference.denoise_step(*given)
    torch.testing.assert_close(denoise_step(*given), expected, rtol=1e-5, atol=1e-5)


def test_step_in_place_changes_nothing_else() -> None:
    given = cases.step(torch.float32, False, Prediction.ORIGINAL, "cpu")
    expected, said = reference.denoise_step(*given), given.guided.predicted.clone()
    out = cases.empty_out(given.latents)._replace(next=given.latents)
    denoise_step_(*given, out)
    torch.testing.assert_close(out, expected, rtol=1e-5, atol=1e-5)
    assert torch.equal(given.guided.predicted, said)


@pytest.mark.parametrize("dtype", cases.FLOATS)
def test_crossfade(dtype: torch.dtype) -> None:
    given = cases.fade(dtype, "cpu")
    torch.testing.assert_close(crossfade(*given), reference.crossfade(*given), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("number", range(8))
def test_paste(number: int) -> None:
    given = cases.pastes("cpu")[number]
    expected = given.canvas.clone()
    reference.paste(expected, *given[1:])
    paste(*given)
    cases.assert_same_bytes(given.canvas, expected)


def test_tensors_without_memory_go_the_plain_way() -> None:
    assert way(torch.zeros(1)) is Way.CPU
    assert way(torch.zeros(1, device="meta")) is Way.PLAIN
    with FakeTensorMode():
        images = torch.zeros(2, 3, 512, 512, device="cuda", dtype=torch.float16)
        assert way(images) is Way.PLAIN
        planes = rgb_to_i420(images)
    assert (planes.device.type, planes.shape) == ("cuda", (2, 512 * 512 * 3 // 2))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: rgb_to_i420(torch.zeros(1, 8, 8, 3)), r"\[1, 8, 8, 3\].*\[frames, 3"),
        (lambda: rgb_to_i420(torch.zeros(1, 3, 8, 8, dtype=torch.uint8)), "uint8.*floats"),
        (lambda: rgb_bytes_to_i420(torch.zeros(1, 8, 8, 3)), "float32.*uint8"),
        (
            lambda: denoise_step(
                LATENTS, Guided(LATENTS[..., 1:]), LATENTS, LATENTS, torch.zeros(2, 6)
            ),
            "predicted",
        ),
        (
            lambda: denoise_step(LATENTS, Guided(LATENTS), LATENTS, LATENTS, torch.zeros(3, 6)),
            r"\[3, 6\].*\[2, 6\]",
        ),
        (
            lambda: crossfade(LATENTS, LATENTS, torch.zeros(3), LATENTS, torch.zeros(2, 2)),
            r"weights \[3\]",
        ),
        (
            lambda: paste(torch.zeros(9, 9, 3), LATENTS[0, 0], torch.eye(2, 3), torch.ones(2, 3)),
            "float32.*uint8",
        ),
        (
            lambda: paste(
                torch.zeros(9, 9, 3).byte(), LATENTS[0, 0], torch.eye(3), torch.ones(2, 3)
            ),
            r"matrix \[3, 3\]",
        ),
    ],
)
def test_what_does_not_fit_is_named(call: Callable[[], object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()
