import pytest
import torch
from torch import Tensor

from engine.portrait.gate import LOOK_AHEAD_FRAMES
from engine.portrait.motion_unet import ROW, WIDTH, WINDOW_FRAMES, FrameMix, MotionUnet
from tests.engine.portrait.motion_networks import network


def inputs(windows: int = 1, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    chance = torch.Generator().manual_seed(seed)
    latents = torch.randn(windows, 9, WINDOW_FRAMES, generator=chance)
    rows = torch.randn(windows, WINDOW_FRAMES, ROW, generator=chance)
    return latents, torch.full((windows, WINDOW_FRAMES), 499), rows


@pytest.mark.parametrize(("frames", "frames_out"), [(8, 8), (8, 4), (4, 8)])
def test_mixing_begins_as_a_convolution_of_three_taps(frames: int, frames_out: int) -> None:
    mix = FrameMix(frames, frames_out)
    for place in range(frames):
        values = torch.zeros(1, frames, WIDTH)
        values[0, place] = 1.0
        reached = (mix(values)[0] != 0).any(-1).nonzero().flatten().float()
        seen = (reached + 0.5) * frames / frames_out - 0.5
        assert (seen - place).abs().max() <= 2
        assert len(reached) >= min(2, 3 * frames_out // frames)


def test_a_new_network_says_what_sound_foretells() -> None:
    latents, times, rows = inputs()
    with torch.inference_mode():
        clean = MotionUnet()(latents, times, rows)
    foretold = rows[0, :, :9]
    torch.testing.assert_close(clean[0, :, :-LOOK_AHEAD_FRAMES].T, foretold[LOOK_AHEAD_FRAMES:])
    assert torch.equal(clean[0, :, -1], foretold[-1])


def test_windows_of_a_batch_do_not_touch_each_other() -> None:
    unet = network().unet
    latents, times, rows = inputs(3)
    together = unet(latents, times, rows)
    for number in range(3):
        alone = unet(*(part[number : number + 1] for part in (latents, times, rows)))
        torch.testing.assert_close(alone[0], together[number], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("part", range(3))
def test_every_input_counts_for_the_new_frames(part: int) -> None:
    unet = network().unet
    given = list(inputs())
    before = unet(*given)
    if part == 1:
        given[1] = torch.zeros_like(given[1])
    else:
        given[part] = given[part] + 0.5
    new = slice(-1 - LOOK_AHEAD_FRAMES, None)
    assert not torch.allclose(before[..., new], unet(*given)[..., new], atol=1e-3)


@pytest.mark.parametrize("level", range(3))
def test_sound_is_heard_at_every_level(level: int) -> None:
    unet = network().unet
    latents, times, rows = inputs()
    before = unet(latents, times, rows)
    rows[..., 9 + level * WIDTH : 9 + (level + 1) * WIDTH] += 1.0
    assert not torch.allclose(before, unet(latents, times, rows), atol=1e-3)
