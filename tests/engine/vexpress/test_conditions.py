"""Guider and audio projection: frames are independent, so any split of a clip will do."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.vexpress.audio_projection import AudioProjection
from engine.vexpress.guider import VKpsGuider
from engine.vexpress.kps import Points
from engine.vexpress.pipeline import ClipInputs, draw_and_guide
from tests.engine.vexpress.tiny import TINY, randomise

FRAMES = 7


@pytest.fixture(scope="module")
def guider() -> VKpsGuider:
    network = VKpsGuider(TINY.guider)
    randomise(network)
    return network.requires_grad_(False)


@pytest.fixture(scope="module")
def projection() -> AudioProjection:
    network = AudioProjection(TINY.audio_projection)
    randomise(network)
    return network.requires_grad_(False)


@settings(max_examples=10, deadline=None)
@given(cut=st.integers(1, FRAMES - 1))
def test_a_clip_may_be_guided_in_pieces(guider: VKpsGuider, cut: int) -> None:
    images = torch.rand(1, 3, FRAMES, 16, 24, generator=torch.Generator().manual_seed(0))
    pieces = [guider(images[:, :, :cut]), guider(images[:, :, cut:])]
    whole = guider(images)
    assert whole.shape == (1, TINY.guider.out_channels, FRAMES, 2, 3)
    torch.testing.assert_close(torch.cat(pieces, dim=2), whole, rtol=1e-5, atol=1e-5)


@settings(max_examples=10, deadline=None)
@given(cut=st.integers(1, FRAMES - 1), rows=st.integers(1, 10))
def test_a_clip_may_be_heard_in_pieces(projection: AudioProjection, cut: int, rows: int) -> None:
    windows = torch.randn(FRAMES, rows, 10, generator=torch.Generator().manual_seed(0))
    pieces = [projection(windows[:cut]), projection(windows[cut:])]
    whole = projection(windows)
    assert whole.shape == (FRAMES, 5, TINY.audio_projection.out_channels)
    torch.testing.assert_close(torch.cat(pieces), whole, rtol=1e-4, atol=1e-5)


def test_more_rows_than_positions_are_refused(projection: AudioProjection) -> None:
    with pytest.raises(ValueError, match=r"11 rows .* 10 positions"):
        projection(torch.zeros(1, 11, 10))


def test_a_new_guider_says_nothing() -> None:
    assert not VKpsGuider(TINY.guider)(torch.rand(1, 3, 1, 8, 8)).any()


def test_a_face_that_stays_is_drawn_once_for_all_frames(guider: VKpsGuider) -> None:
    face = np.array([[4, 4], [12, 4], [8, 10]], np.float32)
    still, moving = np.stack([face] * FRAMES), np.stack([face] * (FRAMES - 1) + [face + 1])
    shared, apart = (
        draw_and_guide(guider, clip_inputs(track), lambda *_: None) for track in (still, moving)
    )
    assert shared.shape == apart.shape == (1, TINY.guider.out_channels, FRAMES, 2, 3)
    assert shared.untyped_storage().nbytes() * FRAMES == shared.numel() * shared.itemsize
    torch.testing.assert_close(shared[:, :, :-1], apart[:, :, :-1])
    assert not torch.allclose(shared[:, :, -1], apart[:, :, -1])


def clip_inputs(track: Points) -> ClipInputs:
    nobody, silence = np.zeros((16, 24, 3), np.uint8), torch.zeros(1)
    return ClipInputs(portrait=nobody, speech=silence, track=track, height=16, width=24)
