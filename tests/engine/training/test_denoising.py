import numpy as np
import pytest
import torch
from torch import Tensor

from engine.portrait.motion_denoiser import SCHEDULE
from engine.portrait.motion_unet import WINDOW_FRAMES
from engine.training.crops import Batch
from engine.training.denoising import (
    DenoiserPlan,
    Denoising,
    Windows,
    cut_windows,
    train_denoiser,
    unheard_share,
)
from engine.training.foretelling import Batches, Mixture
from engine.training.loop import Log, Pace
from tests.engine.portrait.motion_networks import network
from tests.engine.training.programmes_of_beats import rounds

PLAN = DenoiserPlan(pace=Pace(steps=30, learning_rate=3e-3), windows=3)
MIXTURE = Mixture(rounds=1, real_crops=3, synthetic_crops=3)


def batch(step: int = 0) -> Batch:
    return Batches(MIXTURE, PLAN.pace, rounds()).draw(step)


def windows(plan: DenoiserPlan = PLAN, seed: int = 0) -> Windows:
    return cut_windows(network(), batch(), plan, torch.Generator().manual_seed(seed))


def test_windows_hold_the_truth_of_their_frames() -> None:
    net, crops = network(), batch()
    cut = cut_windows(net, crops, DenoiserPlan(start_share=0.0), torch.Generator().manual_seed(0))
    mouth = net.to_mouth(cut.truth.transpose(1, 2))
    assert mouth.shape == (6 * 4, WINDOW_FRAMES, 9)
    for number in range(0, len(mouth), 7):
        whole = crops[1][number // 4]
        places = range(len(whole) - WINDOW_FRAMES + 1)
        off = [float((whole[p : p + WINDOW_FRAMES] - mouth[number]).abs().max()) for p in places]
        assert min(off) < 1e-5


def test_most_windows_have_the_history_of_run_time() -> None:
    many = DenoiserPlan(windows=60)
    new = windows(many).new
    usual = (new.sum(1) == WINDOW_FRAMES - SCHEDULE.history_frames).float().mean()
    assert 0.5 < usual < 0.75
    assert new[:, -1].all()
    assert (new[:, 1:] >= new[:, :-1]).all()


def test_windows_at_the_start_of_a_stream_begin_with_nothing_heard() -> None:
    net = network()
    cut = windows(DenoiserPlan(start_share=1.0))
    assert torch.equal(cut.rows[:, 0], net.silence()[0].expand(len(cut.rows), -1))
    assert torch.allclose(net.to_mouth(cut.truth[:, :, 0]), torch.zeros(9), atol=1e-6)
    assert (cut.known[:, 0] == 0).all()


def test_conditions_are_dropped_in_stages() -> None:
    plan = DenoiserPlan(pace=Pace(steps=30), unheard_shares=(0.0, 0.5, 1.0), start_share=0.0)
    assert [unheard_share(plan, step) for step in (0, 9, 10, 19, 20, 29)] == [0, 0, 0.5, 0.5, 1, 1]
    net = network()
    cut = cut_windows(net, batch(), plan, torch.Generator().manual_seed(0), step=29)
    nothing = net.unet.told.bias.expand_as(cut.rows[..., 9:])
    assert torch.equal(cut.rows[..., 9:], nothing)


def test_the_truth_costs_less_than_anything_else() -> None:
    cut, plan = windows(), DenoiserPlan(own_share=0.0, own_step_share=0.0)

    def cost(shift: float) -> float:
        net = network()

        def told(latents: Tensor, timesteps: Tensor, rows: Tensor) -> Tensor:
            del latents, timesteps, rows
            return cut.truth + shift

        net.unet.forward = told  # type: ignore[method-assign]
        return Denoising(net, plan, torch.Generator().manual_seed(0)).loss(cut).item()

    assert cost(0.0) < 1e-2 < cost(0.3) < cost(0.6)


def test_history_is_shown_and_new_frames_are_not() -> None:
    cut = windows()
    shown: list[tuple[Tensor, Tensor]] = []
    net = network()

    def told(latents: Tensor, timesteps: Tensor, rows: Tensor) -> Tensor:
        del rows
        shown.append((latents, timesteps))
        return torch.zeros_like(latents)

    net.unet.forward = told  # type: ignore[method-assign]
    plan = DenoiserPlan(own_share=0.0, history_noise=0.0)
    Denoising(net, plan, torch.Generator().manual_seed(0)).loss(cut)
    latents, timesteps = shown[-SCHEDULE.steps]  # the first look that counts
    old = ~cut.new
    assert torch.equal(timesteps == 0, old)
    assert torch.equal(latents.transpose(1, 2)[old], cut.truth.transpose(1, 2)[old])
    new = torch.stack([latents.transpose(1, 2)[cut.new], cut.truth.transpose(1, 2)[cut.new]])
    assert abs(torch.corrcoef(new.flatten(1))[0, 1]) < 0.1  # pure noise


@pytest.mark.slow
def test_training_learns_and_leaves_the_mouth_network_alone() -> None:
    net = network().requires_grad_()
    with torch.no_grad():
        net.middle.fill_(0.2)
        net.spread.fill_(0.2)
        net.mouth.scale.fill_(0.0)  # sound foretells nothing: the denoiser has it all to learn
    torch.nn.init.zeros_(net.unet.leave.weight)
    before = {name: value.clone() for name, value in net.mouth.state_dict().items()}
    log = Log("denoiser")
    trained = train_denoiser(net, PLAN, Batches(MIXTURE, PLAN.pace, rounds()).draw, log)
    assert np.mean(log.losses[-4:]) < 0.8 * np.mean(log.losses[:4])
    assert all(
        torch.equal(before[name], value) for name, value in trained.mouth.state_dict().items()
    )
