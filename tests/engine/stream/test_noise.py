"""Noise that belongs to a frame."""

import math
from itertools import combinations
from typing import TypeAlias

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.api import AvatarError
from engine.stream.noise import FrameNoise

Row: TypeAlias = NDArray[np.float32]

SHAPE = (4, 6, 5)
FRAMES = st.integers(-(10**6), 10**9)
LARGE = (4, 64, 64)  # numbers enough for statistics: a standard error of 0.8 %


def correlation(one: Row, other: Row) -> float:
    return float(((one - one.mean()) * (other - other.mean())).mean() / (one.std() * other.std()))


@settings(deadline=None)
@given(seed=st.integers(), first=FRAMES, count=st.integers(1, 6), cut=st.integers(0, 6))
def test_any_frame_is_the_same_however_it_is_asked_for(
    seed: int, first: int, count: int, cut: int
) -> None:
    source = FrameNoise(seed, SHAPE)
    whole = torch.empty(1, SHAPE[0], count, *SHAPE[1:])
    source.fill(whole, first)
    cut = min(cut, count)
    parts = torch.empty_like(whole)
    FrameNoise(seed, SHAPE).fill(parts[:, :, cut:], first + cut)  # the later ones first
    FrameNoise(seed, SHAPE).fill(parts[:, :, :cut], first)
    assert torch.equal(whole, parts)
    for place in range(count):
        assert np.array_equal(whole[0, :, place].numpy(), source.frame(first + place))


@settings(deadline=None)
@given(seed=st.integers(0, 2**63), one=FRAMES, other=FRAMES)
def test_frames_and_seeds_differ(seed: int, one: int, other: int) -> None:
    source = FrameNoise(seed, SHAPE)
    assert np.array_equal(source.frame(one), source.frame(other)) == (one == other)
    assert not np.array_equal(source.frame(one), FrameNoise(seed + 1, SHAPE).frame(one))


def test_these_numbers_stay_for_ever() -> None:
    """Films of a seed must look alike in every version."""
    assert FrameNoise(7, (3,)).frame(5).tolist() == pytest.approx(
        [-1.648872, 0.685752, 1.352817], abs=1e-6
    )


@pytest.mark.parametrize("shared", [0.0, 0.3, 0.9])
def test_frames_are_standard_normal_and_correlate_as_stated(shared: float) -> None:
    source = FrameNoise(1, LARGE, shared)
    frames = np.stack([source.frame(index).ravel() for index in (-1, 0, 1, 2, 1000)])
    error = 1 / math.sqrt(frames.shape[1])
    assert np.abs(frames.mean(axis=1)).max() < 4 * error
    assert np.abs(frames.var(axis=1) - 1).max() < 6 * error
    assert np.abs((frames**4).mean(axis=1) - 3).max() < 50 * error  # no heavier than Gaussian
    for one, other in combinations(frames, 2):
        assert abs(correlation(one, other) - shared) < 4 * error


def test_neighbours_in_a_frame_are_independent() -> None:
    frame = FrameNoise(3, LARGE).frame(0)
    for axis in range(3):
        after, before = (np.delete(frame, end, axis).ravel() for end in (0, -1))
        assert abs(correlation(after, before)) < 4 / math.sqrt(frame.size)


def test_the_shared_part_is_of_the_seed() -> None:
    one, other = (FrameNoise(seed, LARGE, 0.9).frame(0).ravel() for seed in (1, 2))
    assert abs(correlation(one, other)) < 4 / math.sqrt(one.size)


@pytest.mark.parametrize("shared", [-0.1, 1.0, float("nan")])
def test_a_share_that_is_none_is_named(shared: float) -> None:
    with pytest.raises(AvatarError, match=f"shared noise {shared}: expected 0 up to less than 1"):
        FrameNoise(0, SHAPE, shared)
