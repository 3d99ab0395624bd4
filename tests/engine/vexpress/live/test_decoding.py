"""From latents to pictures: the badge, the planes, and what cannot be shown."""

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.badge import BadgePainter
from engine.stream.runner_settings import RunnerSettings
from engine.vexpress.live.decoding import Badge, FrameDecoder
from engine.vexpress.live.finishing import SquareFinish, Stamp
from engine.vexpress.live.guard import PictureGuard

SIDE = 128


def enlarge(latents: Tensor) -> Tensor:
    """A decoder of flat colours: the first three channels, eight times as large."""
    return latents[:, :3].repeat_interleave(8, dim=2).repeat_interleave(8, dim=3)


@pytest.fixture
def decoder() -> FrameDecoder:
    example = torch.zeros(3, 4, SIDE // 8, SIDE // 8)
    return FrameDecoder(enlarge, example, RunnerSettings(label="test", backend="eager"))


def finish(*, painted: bool, planes: bool = False) -> SquareFinish:
    return SquareFinish(Badge.of(SIDE, torch.zeros(1), painted=painted), planes)


def latents(frames: int, seed: int = 0) -> Tensor:
    source = torch.Generator().manual_seed(seed)
    return torch.rand(1, 4, frames, SIDE // 8, SIDE // 8, generator=source) * 2 - 1


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_the_badge_is_the_one_that_every_engine_paints(decoder: FrameDecoder, frames: int) -> None:
    given = latents(frames)
    plain = decoder.decode(given, finish(painted=False)).pictures
    marked = decoder.decode(given, finish(painted=True)).pictures
    assert plain.shape == (frames, SIDE, SIDE, 3)
    assert (plain != marked).any()
    painter = BadgePainter(SIDE, SIDE)
    for before, after in zip(plain, marked, strict=True):
        wanted = before.copy()
        painter.paint(wanted)
        assert np.abs(wanted.astype(int) - after).max() <= 2


def test_the_stamp_is_the_same_badge() -> None:
    pictures = torch.randint(0, 256, (2, 140, 300, 3), dtype=torch.uint8)
    wanted = pictures.numpy().copy()
    for picture in wanted:
        BadgePainter(300, 140).paint(picture)
    stamped = pictures.clone()
    Stamp(140, 300, torch.device("cpu")).paint_(stamped)
    assert np.abs(stamped.numpy().astype(int) - wanted).max() <= 1
    assert (stamped.numpy() != pictures.numpy()).any()


def test_colours_are_rounded_and_cut(decoder: FrameDecoder) -> None:
    given = torch.zeros(1, 4, 1, SIDE // 8, SIDE // 8)
    given[:, 0], given[:, 1], given[:, 2] = 5.0, -5.0, 0.0
    (picture,) = decoder.decode(given, finish(painted=False)).pictures
    assert picture[3, 3].tolist() == [255, 0, 128]


def test_black_and_broken_frames_are_told_apart_from_good_ones(decoder: FrameDecoder) -> None:
    given = latents(3)
    given[:, :, 0] = -1.0
    given[0, 2, 2, 5, 5] = float("nan")
    decoded = decoder.decode(given, finish(painted=True, planes=True))
    assert decoded.shown.tolist() == [False, True, False]
    assert decoded.pictures.shape == (3, SIDE * 3 // 2, SIDE)


def test_pictures_are_the_callers_own(decoder: FrameDecoder) -> None:
    first = decoder.decode(latents(3), finish(painted=False)).pictures
    kept = first.copy()
    decoder.decode(latents(3, seed=1), finish(painted=False))
    assert np.array_equal(first, kept)


@pytest.mark.parametrize("shape", [(2, 2, 3), (3, 2)], ids=["rgb", "planes"])
def test_the_last_good_picture_stands_in_and_fades_out(shape: tuple[int, ...]) -> None:
    black, grey, white = (np.full(shape, value, np.uint8) for value in (0, 90, 210))
    guard = PictureGuard(grey)
    assert guard.pass_on(black, shown=False) is grey
    seen = [guard.pass_on(white, shown=True) for _ in range(3)]
    assert [int(picture.flat[0]) for picture in seen] == [120, 180, 210]
    assert seen[2] is white
    assert guard.pass_on(black, shown=False) is white
    assert guard.repaired_frames == 2


def test_a_fault_during_a_fade_holds_what_was_shown() -> None:
    black, grey, white = (np.full((2, 2, 3), value, np.uint8) for value in (0, 90, 210))
    guard = PictureGuard(grey)
    guard.pass_on(black, shown=False)
    half = guard.pass_on(white, shown=True)
    assert guard.pass_on(black, shown=False) is half
    assert int(guard.pass_on(white, shown=True).flat[0]) == 143  # a quarter of 210 over 120


def test_the_guard_forgets_what_a_reset_ends() -> None:
    black, grey, white = (np.full((2, 2, 3), value, np.uint8) for value in (0, 90, 210))
    guard = PictureGuard(grey)
    guard.pass_on(white, shown=True)
    guard.pass_on(black, shown=False)
    guard.reset()
    assert guard.pass_on(white, shown=True) is white
    guard.reset()
    assert guard.pass_on(black, shown=False) is grey
    assert guard.repaired_frames == 2
