"""The noise schedule: its ends, its steps, and the counts that rounding spoils."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.vexpress.scheduler import BetaSchedule, NoiseConfig, Scheduler, SchedulerError

SPOILT = 61  # the first count that rounding makes one level too long


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_no_signal_is_left_at_the_highest_level() -> None:
    signal = Scheduler().signal
    assert signal[-1] == 0
    assert signal[0] == pytest.approx(0.999149978, abs=1e-9)
    assert signal[499] == pytest.approx(0.242358997, abs=1e-8)
    assert (signal.diff() < 0).all()


def test_without_the_rescale_some_signal_is_left() -> None:
    config = NoiseConfig(zero_terminal_signal=False)
    assert Scheduler(config).signal[-1] > 1e-3


def test_the_linear_schedule_is_another_one() -> None:
    linear = Scheduler(NoiseConfig(schedule=BetaSchedule.LINEAR))
    assert linear.signal[499] < Scheduler().signal[499]


@pytest.mark.parametrize(
    ("steps", "levels"), [(1, [999]), (2, [999, 499]), (4, [999, 749, 499, 249])]
)
def test_levels_start_from_pure_noise(steps: int, levels: list[int]) -> None:
    assert list(Scheduler().timesteps(steps)) == levels


def test_levels_round_half_to_even() -> None:
    assert Scheduler().timesteps(30)[:4] == (999, 966, 932, 899)


@given(st.integers(1, 1000))
def test_there_are_as_many_levels_as_steps(steps: int) -> None:
    levels = Scheduler().timesteps(steps)
    assert len(levels) == steps
    assert levels[0] == 999
    assert levels[-1] >= 0
    assert all(above > below for above, below in pairwise(levels))


def test_a_count_that_rounding_spoils_is_refused_where_that_is_wanted() -> None:
    scheduler = Scheduler()
    assert scheduler.timesteps(SPOILT)[-1] >= 0
    with pytest.raises(SchedulerError, match="61 steps"):
        scheduler.timesteps(SPOILT, refuse_surplus=True)
    assert len(scheduler.timesteps(25, refuse_surplus=True)) == 25


@pytest.mark.parametrize("steps", [0, -1, 1001])
def test_impossible_counts_are_refused(steps: int) -> None:
    with pytest.raises(SchedulerError, match="expected 1 to 1000"):
        Scheduler().timesteps(steps)


def test_the_first_step_reads_the_picture_off_the_velocity() -> None:
    latents, velocity = noise(1, 4, 2, 3, 3), noise(1, 4, 2, 3, 3, seed=1)
    stepped = Scheduler().step(latents, velocity, 999, 4)
    assert torch.equal(stepped.original, -velocity)


@pytest.mark.parametrize("steps", [1, 2, 4, 5, 8, 10, 20, 25, 40, 50])
def test_the_true_velocity_leads_back_to_the_picture(steps: int) -> None:
    scheduler, clean, added = Scheduler(), noise(1, 4, 2, 2), noise(1, 4, 2, 2, seed=1)
    latents = added
    for timestep in scheduler.timesteps(steps):
        velocity = scheduler.velocity(clean, added, torch.tensor([timestep]))
        latents, original = scheduler.step(latents, velocity, timestep, steps)
        assert torch.allclose(original, clean, atol=1e-5)
    assert torch.allclose(latents, clean, atol=1e-5)


def test_steps_that_do_not_divide_the_schedule_miss_the_next_level_by_a_little() -> None:
    scheduler, clean, added = Scheduler(), noise(1, 4, 2, 2), noise(1, 4, 2, 2, seed=1)
    velocity = scheduler.velocity(clean, added, torch.tensor([966]))
    reached = scheduler.step(
        scheduler.add_noise(clean, added, torch.tensor([966])), velocity, 966, 30
    ).previous
    # 30 steps go down by 33 each; the list of levels says 932.
    assert torch.allclose(reached, scheduler.add_noise(clean, added, torch.tensor([933])))


def test_noise_is_added_per_item() -> None:
    clean, added = noise(2, 4, 3, 3), noise(2, 4, 3, 3, seed=1)
    noisy = Scheduler().add_noise(clean, added, torch.tensor([999, 0]))
    assert torch.equal(noisy[0], added[0])
    assert torch.allclose(noisy[1], clean[1], atol=0.2)
