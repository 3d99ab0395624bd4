"""Cross-fades: weights that sum to one exactly, rounding of pictures, fades of a stream."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.api import AvatarError
from engine.stream.blend import Fade, Ramp, blend_pictures, fade_in, overlap_weights

ramps = st.sampled_from(Ramp)
pixels = st.integers(0, 255)


@given(st.integers(0, 300), ramps)
def test_a_fade_rises_strictly_between_nothing_and_everything(frames: int, ramp: Ramp) -> None:
    weights = fade_in(frames, ramp)
    assert len(weights) == frames
    assert weights.dtype == np.float32
    assert ((weights > 0) & (weights < 1)).all()
    assert (np.diff(weights) > 0).all()


@given(st.integers(0, 300), ramps)
def test_a_fade_and_its_reverse_are_everything(frames: int, ramp: Ramp) -> None:
    weights = fade_in(frames, ramp)
    np.testing.assert_allclose(weights + weights[::-1], 1, rtol=0, atol=2**-23)


def test_fades_by_hand() -> None:
    assert fade_in(3, Ramp.LINEAR).tolist() == [0.25, 0.5, 0.75]
    np.testing.assert_allclose(
        fade_in(3, Ramp.RAISED_COSINE), [(2 - 2**0.5) / 4, 0.5, (2 + 2**0.5) / 4], rtol=1e-6
    )


@given(st.data(), st.integers(1, 60), ramps)
def test_overlapping_windows_share_every_frame_exactly(
    data: st.DataObject, frames: int, ramp: Ramp
) -> None:
    overlap = data.draw(st.integers(0, frames // 2))
    weights = overlap_weights(frames, overlap, ramp)
    stride = frames - overlap
    total = np.zeros(2 * stride + frames, np.float32)
    for window in range(3):
        total[window * stride : window * stride + frames] += weights
    assert (total[overlap : -overlap or None] == 1).all()  # in float32, to the last bit
    assert (weights > 0).all()


@pytest.mark.parametrize(("frames", "overlap"), [(4, 3), (4, -1), (0, 1)])
def test_windows_that_share_too_much_are_named(frames: int, overlap: int) -> None:
    with pytest.raises(AvatarError, match=f"{overlap} of {frames} frames shared: expected"):
        overlap_weights(frames, overlap)


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


@given(frames=st.integers(0, 8), cuts=st.lists(st.integers(1, 5), max_size=8), ramp=ramps)
def test_a_fade_goes_on_from_part_to_part(frames: int, cuts: list[int], ramp: Ramp) -> None:
    last = torch.full((1, 2, 1, 2), 4.0)
    fade = Fade(frames, ramp)
    fade.begin(last)
    last.fill_(99)  # what was shown may be overwritten
    came: list[float] = []
    for count in cuts:
        part = torch.full((1, 2, count, 2), 8.0)
        fade.apply_(part)
        assert torch.equal(part, part[:, :1, :, :1].expand_as(part))
        came += part[0, 0, :, 0].tolist()
    weights = [*fade_in(frames, ramp).tolist(), *[1.0] * len(came)]
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
    fade = Fade(1, Ramp.LINEAR)
    for shown in (0.0, 4.0):
        fade.begin(torch.full((1, 1, 1), shown))
        part = torch.full((1, 1, 2), 8.0)
        fade.apply_(part)
        assert part.flatten().tolist() == [(8 + shown) / 2, 8]
