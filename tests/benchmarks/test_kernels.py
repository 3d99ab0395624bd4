"""The comparison of kernels: what it computes, and that the rivals are what their names say."""

import pytest
import torch

from benchmarks import kernel_rivals as rivals
from benchmarks.kernels import Contest, compare
from kernels import reference
from kernels.reference import Prediction
from tests.kernels import cases


def test_a_way_is_compared_with_the_first_one() -> None:
    ways = {"reference": lambda: torch.zeros(4), "other": lambda: torch.tensor([0.0, 0, 0, 3])}
    first, second = compare(Contest("sum", ways), rounds=3, device="cpu")
    assert (first.kernel, first.way, first.ratio, first.largest_difference) == (
        "sum (cpu)",
        "reference",
        1.0,
        0.0,
    )
    assert (second.way, second.largest_difference, second.share_apart) == ("other", 3.0, 0.25)
    assert second.ratio == pytest.approx(second.ms_per_frame / first.ms_per_frame)


def test_rivals_on_pictures() -> None:
    images = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(2)) * 2 - 1
    expected = reference.rgb_to_i420(images)
    cases.assert_same_bytes(rivals.i420_product(images), expected)
    own = rivals.i420_opencv(images)  # luma within rounding, chroma of one pixel of four
    assert int((own.int() - expected.int())[:, :64].abs().max()) <= 1
    assert int((own.int() - expected.int())[:, 64:].abs().max()) > 10


def test_rivals_on_latents_lose_only_what_is_not_used() -> None:
    given = cases.step(torch.float32, True, Prediction.VELOCITY, "cpu")
    expected, found = reference.denoise_step(*given), rivals.step_fused_products(*given)
    torch.testing.assert_close(found.original, expected.original)
    used = given.coefficients[:, 3] != 0
    torch.testing.assert_close(found.next[:, :, used], expected.next[:, :, used])
    assert found.next[:, :, 1].isnan().all()
    fade = cases.fade(torch.float32, "cpu")
    used = (fade.weights % 1 != 0) & (fade.coefficients[:, 1] != 0)
    expected_fade, found_fade = reference.crossfade(*fade), rivals.crossfade_lerp(*fade)
    torch.testing.assert_close(found_fade[:, :, used], expected_fade[:, :, used])
    assert not found_fade[:, :, 0].isfinite().any()


@pytest.mark.parametrize("way", [rivals.paste_gathered, rivals.paste_numpy])
def test_rivals_that_gather(way: rivals.Paste) -> None:
    given = cases.pastes("cpu")[0]
    expected = given.canvas.clone()
    reference.paste(expected, *given[1:])
    way(*given)
    cases.assert_same_bytes(given.canvas, expected)
