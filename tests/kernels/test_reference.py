"""The definitions, worked by hand."""

import pytest
import torch
from torch import Tensor

from kernels import reference
from kernels.reference import Guided, Prediction

NAN, INFINITY = float("nan"), float("inf")


def latents(*frames: float) -> Tensor:
    """One value a frame: [1, 1, frames, 1, 1]."""
    return torch.tensor(frames, dtype=torch.float32).reshape(1, 1, -1, 1, 1)


@pytest.mark.parametrize(
    ("colour", "planes"),
    [
        ((1, 1, 1), [235, 128, 128]),
        ((-1, -1, -1), [16, 128, 128]),
        ((0, 0, 0), [126, 128, 128]),  # 125.5: halves go up
        ((1, -1, -1), [81, 90, 240]),
        ((-1, 1, -1), [145, 54, 34]),
        ((-1, -1, 1), [41, 240, 110]),
        ((7, -7, -7), [81, 90, 240]),  # clamped
    ],
)
def test_colours_of_the_standard(colour: tuple[int, int, int], planes: list[int]) -> None:
    image = torch.tensor(colour, dtype=torch.float32).reshape(1, 3, 1, 1)
    assert reference.rgb_to_i420(image).tolist() == [planes]


def test_chroma_is_the_mean_of_the_pixels_that_exist() -> None:
    image = torch.full((1, 3, 3, 3), -1.0)
    image[0, 2, 0, 0] = 1  # one blue pixel of four: U = 128 + 112 / 4
    image[0, 2, 0, 2] = 1  # one of two
    image[0, 2, 2, 2] = 1  # one of one
    bytes_ = reference.rgb_to_i420(image)[0].tolist()
    assert bytes_[:9] == [41, 16, 41, 16, 16, 16, 16, 16, 41]
    assert bytes_[9:13] == [156, 184, 128, 240]
    assert bytes_[13:] == [123, 119, 128, 110]  # V = 128 - 18.214 times those shares


def test_bytes_are_floats_from_minus_one_to_one() -> None:
    pictures = torch.tensor([255, 0, 0], dtype=torch.uint8).reshape(1, 1, 1, 3)
    assert reference.rgb_bytes_to_i420(pictures).tolist() == [[81, 90, 240]]


def test_a_step_on_velocities() -> None:
    # x = 2, p = 1, a = 0.6, s = 0.8: original 1.2 - 0.8 = 0.4, error 0.6 + 1.6 = 2.2;
    # next = 0.8 * 0.4 + 0.6 * 2.2 = 1.64. The next frames: clamped, fresh.
    table = torch.tensor(
        [[0.6, 0.8, 0.8, 0.6, clamped, fresh] for clamped, fresh in [(0, 0), (1, 0), (0, 1)]]
    )
    stepped = reference.denoise_step(
        latents(2, 2, 2),
        Guided(latents(1, 1, 1)),
        latents(NAN, 5, NAN),
        latents(NAN, 10, 10),
        table,
    )
    torch.testing.assert_close(stepped.original, latents(0.4, 5, 0.4))
    torch.testing.assert_close(stepped.next, latents(1.64, 10, 6.32))


def test_a_step_on_originals() -> None:
    # x = 2, p = 1: error (2 - 0.6) / 0.8 = 1.75, next = 0.8 + 0.6 * 1.75 = 1.85.
    guided = Guided(latents(1), prediction=Prediction.ORIGINAL)
    table = torch.tensor([[0.6, 0.8, 0.8, 0.6, 0, 0]])
    stepped = reference.denoise_step(latents(2), guided, latents(NAN), latents(NAN), table)
    torch.testing.assert_close(stepped.original, latents(1))
    torch.testing.assert_close(stepped.next, latents(1.85))


def test_guidance_goes_on_from_the_free_prediction() -> None:
    # 1 + 3 * (2 - 1) = 4
    guided = Guided(latents(2), latents(1), 3.0, Prediction.ORIGINAL)
    table = torch.tensor([[0.6, 0.8, 1, 0, 0, 0]])
    stepped = reference.denoise_step(latents(0), guided, latents(0), latents(0), table)
    assert stepped.next.tolist() == latents(4).tolist()


@pytest.mark.parametrize("prediction", Prediction)
def test_pure_noise_and_no_noise_are_exact(prediction: Prediction) -> None:
    # Frame 0 has no signal (alpha bar 0), frame 1 no noise, frame 2 leaves its original unused.
    table = torch.tensor([[0.0, 1, 1, 0, 0, 0], [1, 0, 1, 0, 0, 0], [0.6, 0.8, 0, 1, 0, 1]])
    noisy, said = latents(0.3, 0.7, INFINITY), latents(0.1, NAN, INFINITY)
    if prediction is Prediction.ORIGINAL:
        said = latents(0.1, 0.7, INFINITY)
    guided = Guided(said, prediction=prediction)
    stepped = reference.denoise_step(
        noisy, guided, latents(*[NAN] * 3), latents(NAN, NAN, 9), table
    )
    sign = -1 if prediction is Prediction.VELOCITY else 1
    torch.testing.assert_close(stepped.next, latents(sign * 0.1, 0.7, 9), rtol=0, atol=0)


def test_a_crossfade_with_history_and_noise() -> None:
    old, new, noise = latents(2, 2, NAN, 2), latents(NAN, 6, 6, 6), latents(NAN, NAN, NAN, 10)
    weights = torch.tensor([0, 0.25, 1, 0.5])
    table = torch.tensor([[1.0, 0], [1, 0], [1, 0], [0.8, 0.6]])
    faded = reference.crossfade(old, new, weights, noise, table)
    torch.testing.assert_close(faded, latents(2, 3, 6, 9.2))  # 0.8 * 4 + 0.6 * 10


def test_a_patch_is_blended_and_rounded_half_up() -> None:
    canvas = torch.full((2, 4, 3), 10, dtype=torch.uint8)
    patch = torch.full((1, 2, 3), 21, dtype=torch.uint8)
    # Canvas pixels (1, 1) and (2, 1) are patch pixels (0, 0) and (1, 0).
    matrix = torch.tensor([[1.0, 0, -1], [0, 1, -1]])
    reference.paste(canvas, patch, matrix, torch.tensor([[0.5, 1.0]]))
    assert canvas[..., 0].tolist() == [[10, 10, 10, 10], [10, 16, 21, 10]]  # 10 + 5.5 = 15.5


def test_samples_lie_between_pixel_centres() -> None:
    canvas = torch.zeros((1, 4, 3), dtype=torch.uint8)
    patch = torch.tensor([0.0, 100]).reshape(1, 2, 1).expand(1, 2, 3)
    # Columns 0..3 are at -0.25, 0.25, 0.75 and 1.25 of the patch: two of them outside.
    matrix = torch.tensor([[0.5, 0, -0.25], [0, 1, 0]])
    reference.paste(canvas, patch, matrix, torch.ones(1, 2))
    assert canvas[0, :, 2].tolist() == [0, 25, 75, 0]


def test_colours_beyond_bytes_are_clamped() -> None:
    canvas = torch.full((1, 2, 3), 10, dtype=torch.uint8)
    patch = torch.tensor([-300.0, 300]).reshape(1, 2, 1).expand(1, 2, 3)
    reference.paste(canvas, patch, torch.eye(2, 3), torch.ones(1, 2))
    assert canvas[0, :, 0].tolist() == [0, 255]
