"""Training samples: equal to the published ones, and sensible where those are silent."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.vexpress.check_training import check_dataset
from engine.vexpress.clip_sample import (
    NARROWEST,
    WIDEST,
    Box,
    Corners,
    Cutting,
    draw_box,
    draw_mask,
    drawings,
    lip_corners,
)
from engine.vexpress.goldens import read_golden

FACE = np.array([[[20, 20], [44, 20], [32, 40]]], np.float32)


def test_samples_equal_the_published_ones(full_set: Path) -> None:
    golden = read_golden(full_set / "n_dataset.safetensors")
    comparisons = list(check_dataset(golden))
    assert len(comparisons) == sum(len(golden.outputs(case["name"])) for case in golden.cases)
    for comparison in comparisons:
        assert comparison.passed, comparison


@given(height=st.integers(8, 300), width=st.integers(8, 300), seed=st.integers(0, 99))
def test_a_cut_lies_inside_and_is_nearly_as_wide_as_high(
    height: int, width: int, seed: int
) -> None:
    box = draw_box(height, width, torch.Generator().manual_seed(seed))
    assert 0 <= box.top <= box.top + box.height <= height
    assert 0 <= box.left <= box.left + box.width <= width
    assert NARROWEST * box.height - 1 <= box.width <= WIDEST * box.height + 1


def test_flipping_keeps_an_eyes_colour_on_its_side() -> None:
    plain = Cutting(box=Box(0, 0, 64, 64), height=64, width=64)
    flipped = Cutting(box=Box(0, 0, 64, 64), height=64, width=64, flip=True)
    red, green, _ = drawings(FACE, (64, 64), flipped)[:, 0]
    assert red[:, :32].sum() > 0
    assert red[:, 40:].sum() == 0
    assert green[:, 32:].sum() > 0
    assert not torch.equal(drawings(FACE, (64, 64), plain), drawings(FACE, (64, 64), flipped))


def test_masks_beyond_the_picture_are_cut_off() -> None:
    assert draw_mask(Corners(-3, 1, 6, 20), 8, 8).nonzero()[0].tolist() == [0, 0, 1, 1]
    assert not draw_mask(Corners(-9, -2, 0, 7), 8, 8).any()
    assert draw_mask(Corners(0, 7, 0, 7), 8, 8).all()


def test_a_lip_mask_is_twice_as_large_as_the_lips() -> None:
    landmarks = np.zeros((106, 2), np.float32)
    landmarks[52:72] = [50, 86]
    landmarks[52], landmarks[53] = [40.7, 80.2], [60.9, 90.9]
    assert lip_corners(landmarks) == Corners(75, 95, 30, 70)


@pytest.mark.parametrize(("height", "width"), [(40, 24), (24, 40)])
def test_masks_end_in_the_size_of_latents(height: int, width: int) -> None:
    cutting = Cutting(box=Box(0, 0, 50, 50), height=height, width=width)
    mask = cutting.cut_mask(np.full((50, 50), 255, np.uint8))
    assert mask.shape == (1, height // 8, width // 8)
    assert mask.min() == 1
