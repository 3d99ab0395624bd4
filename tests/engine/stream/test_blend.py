"""Cross-fades: weights that sum to one exactly, rounding of pictures, fades of a stream."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.api import AvatarError
from engine.stream.blend import Fade, blend_pictures, fade_in

pixels = st.integers(0, 255)


@given(st.integers(0, 300))
def test_a_fade_rises_strictly_between_nothing_and_everything(frames: int) -> None:
    weights = fade_in(frames)
    assert len(weights) == frames
    assert weights.dtype == np.float32
    assert ((weights > 0) & (weights < 1)).all()
    assert (np.diff(weights) > 0).all()


@given(st.integers(0, 300))
def test_a_fade_and_its_reverse_are_everything(frames: int) -> None:
    weights = fade_in(frames)
    np.testing.assert_allclose(weights + weights[::-1], 1, rtol=0, atol=2**-23)


def test_fades_by_hand() -> None:
    assert fade_in(1).tolist() == [0.5]
    assert fade_in(2).tolist() == [0.25, 0.75]
    np.testing.assert_allclose(fade_in(3), [(2 - 2**0.5) / 4, 0.5, (2 + 2**0.5) / 4], rtol=1e-6)


def test_a_fade_of_fewer_than_no_frames_is_named() -> None:
    with pytest.raises(AvatarError, match="a cross-fade of -1 frames: expected 0 or more"):
        fade_in(-1)


@given(pixels, pixels, st.floats(0, 1))
def test_pixels_are_mixed_exactly_and_halves_go_up(old: int, new: int, weight: float) -> None:
    size = (1, 2, 3)
    mixed = blend_pictures(np.full(size, old, np.uint8), np.full(size, new, np.uint8), weight)
    share = Fraction(round(weight * 256), 256)
    wanted = (old * (1 - share) + new * share + Fraction(1, 2)).__floor__()
    assert mixed.dtype == np.uint8
    assert (mixed == wanted).all()
    assert min(old, new) <= wanted <= max(old, new)


def test_pixels_by_hand() -> None:
    old, new = np.array([[[0, 10, 255]]], np.uint8), np.array([[[1, 20, 0]]], np.uint8)
    assert blend_pictures(old, new, 0.5).tolist() == [[[1, 15, 128]]]
    assert blend_pictures(old, new, -3).tolist() == old.tolist()
    assert blend_pictures(old, new, 7).tolist() == new.tolist()
    assert (old.tolist(), new.tolist()) == ([[[0, 10, 255]]], [[[1, 20, 0]]])


def test_planes_are_mixed_like_pictures() -> None:
    old, new = (np.arange(start, start + 12, dtype=np.uint8).reshape(6, 2) for start in (0, 90))
    assert blend_pictures(old, new, 0.5).tolist() == (np.arange(12) + 45).reshape(6, 2).tolist()


@given(
    frames=st.integers(0, 8), cuts=st.lists(st.integers(1, 5), max_size=8), axes=st.integers(0, 2)
)
def test_a_fade_goes_on_from_part_to_part(frames: int, cuts: list[int], axes: int) -> None:
    space = (2,) * axes
    last = torch.full((1, 2, 1, *space), 4.0)
    fade = Fade(frames)
    fade.begin(last)
    last.fill_(99)  # what was shown may be overwritten
    came: list[float] = []
    for count in cuts:
        part = torch.full((1, 2, count, *space), 8.0)
        fade.apply_(part)
        rows = part.transpose(1, 2).reshape(count, -1)
        assert torch.equal(rows, rows[:, :1].expand_as(rows))
        came += rows[:, 0].tolist()
    weights = [*fade_in(frames).tolist(), *[1.0] * len(came)]
    wanted = [8 * weight + 4 * (1 - weight) for weight in weights[: len(came)]]
    assert came == pytest.approx(wanted, rel=1e-6)


def test_a_fade_that_has_not_begun_or_is_stopped_changes_nothing() -> None:
    fade, part = Fade(3), torch.ones(1, 1, 4)
    fade.apply_(part)
    fade.begin(torch.zeros(1, 1, 1))
    fade.stop()
    fade.apply_(part)
    assert (part == 1).all()


def test_a_fade_begins_anew_over_what_is_shown_then() -> None:
    fade = Fade(1)
    for shown in (0.0, 4.0):
        fade.begin(torch.full((1, 1, 1), shown))
        part = torch.full((1, 1, 2), 8.0)
        fade.apply_(part)
        assert part.flatten().tolist() == [(8 + shown) / 2, 8]
