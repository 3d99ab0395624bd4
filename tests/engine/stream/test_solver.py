"""Steps of single frames and of the published program, against steps of a whole window."""

import math
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from engine.stream.ladder import Ladder, Rung, cosine_signals, spread_timesteps
from engine.stream.schedule import Call
from engine.stream.solver import FrameStates, Renewal, Solver
from engine.vexpress.scheduler import Scheduler
from kernels.step import Guided, Prediction

SIGNALS = cosine_signals(1000)
SHAPE = (2, 3, 4)  # channels, height, width
ROUNDING = 2e-6  # of float32 numbers of about one


def call(levels: Sequence[int], clamped: int = 0) -> Call:
    return Call(0, tuple(levels), clamped, range(0), guided=False)


def random(frames: int, seed: int) -> Tensor:
    source = torch.Generator().manual_seed(seed)
    return torch.randn(1, SHAPE[0], frames, *SHAPE[1:], generator=source)


def states(frames: int, seed: int = 0) -> FrameStates:
    return FrameStates(*(random(frames, 10 * seed + part) for part in range(3)))


def copied(frames: FrameStates) -> FrameStates:
    return FrameStates(frames.latents.clone(), frames.clean.clone(), frames.noise.clone())


def ladder_of(steps: int) -> Ladder:
    return Ladder.climb(SIGNALS, spread_timesteps(1000, steps))


def scalar_step(x: float, v: float, rung: Rung) -> tuple[float, float]:
    """One number at one level, in double precision."""
    a, s = math.sqrt(rung.signal), math.sqrt(1 - rung.signal)
    original, noise = a * x - s * v, a * v + s * x
    below = math.sqrt(rung.next_signal), math.sqrt(1 - rung.next_signal)
    return below[0] * original + below[1] * noise, original


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5, 7, 8, 10, 16, 25, 30, 50, 125, 200])
def test_the_published_steps(steps: int) -> None:
    """Every step of the published program, from its own latents to the next ones."""
    scheduler = Scheduler()
    stride = scheduler.config.training_steps // steps
    timesteps = scheduler.timesteps(steps)
    solver = Solver(Ladder.climb(scheduler.signal.tolist(), timesteps, stride))
    frames, wanted = states(2), random(2, 0)
    for level, timestep in enumerate(timesteps):
        velocity = random(2, 100 + level)
        stepped = scheduler.step(wanted, velocity, timestep, steps)
        frames.latents.copy_(wanted)
        solver.step_(frames, call((level, level)), Guided(velocity))
        torch.testing.assert_close(frames.latents, stepped.previous, rtol=0, atol=ROUNDING)
        torch.testing.assert_close(frames.clean, stepped.original, rtol=0, atol=ROUNDING)
        wanted = stepped.previous


def test_without_any_signal_the_velocity_is_the_clean_frame_negated() -> None:
    scheduler = Scheduler()
    solver = Solver(Ladder.climb(scheduler.signal.tolist(), scheduler.timesteps(4)))
    frames, velocity = states(1), random(1, 9)
    before = frames.latents.clone()
    rung = solver.ladder.rungs[0]
    assert (rung.timestep, rung.signal) == (999, 0.0)
    solver.step_(frames, call((0,)), Guided(velocity))
    assert torch.equal(frames.clean, -velocity)
    a, s = math.sqrt(rung.next_signal), math.sqrt(1 - rung.next_signal)
    torch.testing.assert_close(frames.latents, s * before - a * velocity, rtol=0, atol=ROUNDING)


@settings(deadline=None)
@given(
    steps=st.integers(1, 20),
    data=st.data(),
    prediction=st.sampled_from(Prediction),
    renewal=st.sampled_from(Renewal),
)
def test_no_step_makes_a_number_that_is_none(
    steps: int, data: st.DataObject, prediction: Prediction, renewal: Renewal
) -> None:
    levels = data.draw(st.lists(st.integers(0, steps - 1), min_size=1, max_size=6))
    levels = sorted([0, *levels], reverse=True)
    solver, frames = Solver(ladder_of(steps), renewal), states(len(levels))
    guided = Guided(random(len(levels), 5), random(len(levels), 6), 3.5, prediction)
    solver.enter_(frames, call(levels), random(1, 7))
    solver.step_(frames, call(levels), guided)
    assert torch.isfinite(frames.latents).all()
    assert torch.isfinite(frames.clean).all()


@settings(deadline=None)
@given(steps=st.integers(1, 9), data=st.data(), seed=st.integers(0, 50))
def test_every_frame_steps_from_its_own_level(steps: int, data: st.DataObject, seed: int) -> None:
    """A window of mixed levels against its numbers one by one."""
    levels = data.draw(st.lists(st.integers(0, steps - 1), min_size=1, max_size=7))
    solver, frames, said = Solver(ladder_of(steps)), states(len(levels), seed), random(7, seed)
    before, said = copied(frames), said[:, :, : len(levels)]
    solver.step_(frames, call(levels), Guided(said))
    for place, level in enumerate(levels):
        now = zip(
            before.latents[:, :, place].flatten().tolist(),
            said[:, :, place].flatten().tolist(),
            strict=True,
        )
        wanted = torch.tensor([scalar_step(x, v, solver.ladder.rungs[level]) for x, v in now])
        ours = torch.stack([frames.latents[:, :, place], frames.clean[:, :, place]], dim=-1)
        torch.testing.assert_close(ours.reshape(-1, 2), wanted, rtol=0, atol=ROUNDING)
    assert torch.equal(frames.noise, before.noise)


def test_a_consistency_step_renews_the_noise_of_the_frame_itself() -> None:
    solver = Solver(ladder_of(4), Renewal.OWN)
    frames, velocity = states(2), random(2, 9)
    solver.step_(frames, call((0, 1)), Guided(velocity))
    for place in range(2):
        signal = solver.ladder.rungs[place].next_signal
        wanted = (
            signal**0.5 * frames.clean[:, :, place]
            + (1 - signal) ** 0.5 * frames.noise[:, :, place]
        )
        torch.testing.assert_close(frames.latents[:, :, place], wanted, rtol=0, atol=ROUNDING)


def test_a_step_without_signal_left_to_lose_makes_both_renewals_alike() -> None:
    """From pure noise of the frame's own, what DDIM takes for noise is that noise."""
    results = []
    for renewal in Renewal:
        frames = states(1)
        frames.latents.copy_(frames.noise)
        Solver(ladder_of(3), renewal).step_(frames, call((0,)), Guided(random(1, 9)))
        results.append(frames.latents)
    assert torch.equal(*results)


def test_guidance_goes_beyond_the_prediction_without_conditions() -> None:
    free, told, scale = random(1, 3), random(1, 4), 2.5
    guided, plain = states(1), states(1)
    solver = Solver(ladder_of(3))
    solver.step_(guided, call((1,)), Guided(told, free, scale))
    solver.step_(plain, call((1,)), Guided(free + scale * (told - free)))
    torch.testing.assert_close(guided.latents, plain.latents, rtol=0, atol=4 * ROUNDING)


def test_a_clean_prediction_is_the_clean_frame() -> None:
    solver, frames, original = Solver(ladder_of(3)), states(1), random(1, 8)
    before = frames.latents.clone()
    solver.step_(frames, call((1,)), Guided(original, prediction=Prediction.ORIGINAL))
    assert torch.equal(frames.clean, original)
    rung = solver.ladder.rungs[1]
    noise = (before - rung.signal**0.5 * original) / (1 - rung.signal) ** 0.5
    wanted = rung.next_signal**0.5 * original + (1 - rung.next_signal) ** 0.5 * noise
    torch.testing.assert_close(frames.latents, wanted, rtol=0, atol=4 * ROUNDING)


def noised(clean: Tensor, noise: Tensor, signal: float) -> Tensor:
    mixed: Tensor = signal**0.5 * clean + (1 - signal) ** 0.5 * noise
    return mixed


def test_finished_frames_are_shown_at_the_level_of_the_call_and_stay_finished() -> None:
    solver, frames, anchor = Solver(ladder_of(3)), states(4), random(1, 7)
    before, levels = copied(frames), (1, 1, 1, 1)
    rung = solver.ladder.rungs[1]
    solver.enter_(frames, call(levels, clamped=2), anchor)
    shown = noised(before.clean[:, :, :2], before.noise[:, :, :2], rung.signal)
    torch.testing.assert_close(frames.latents[:, :, :2], shown, rtol=0, atol=ROUNDING)
    assert torch.equal(frames.latents[:, :, 2:], before.latents[:, :, 2:])  # nothing enters at 1
    solver.step_(frames, call(levels, clamped=2), Guided(random(4, 9)))
    assert torch.equal(frames.clean[:, :, :2], before.clean[:, :, :2])
    lower = noised(before.clean[:, :, :2], before.noise[:, :, :2], rung.next_signal)
    torch.testing.assert_close(frames.latents[:, :, :2], lower, rtol=0, atol=ROUNDING)


def test_frames_after_the_last_level_rest_where_clean_frames_are_told() -> None:
    solver, frames = Solver(ladder_of(2)), states(2)
    assert solver.timesteps(call((2, 0), clamped=1)).tolist() == [[0, 999]]
    before = copied(frames)
    solver.enter_(frames, call((2, 0), clamped=1), random(1, 7))
    rest = noised(before.clean[:, :, :1], before.noise[:, :, :1], solver.ladder.rest.signal)
    torch.testing.assert_close(frames.latents[:, :, :1], rest, rtol=0, atol=ROUNDING)


def test_new_frames_begin_as_pure_noise_or_as_the_anchor_under_it() -> None:
    anchor = random(1, 7)
    for top in (999, 700):
        solver, frames = Solver(Ladder.climb(SIGNALS, (top, 300))), states(3)
        before = copied(frames)
        solver.enter_(frames, call((1, 0, 0)), anchor)
        wanted = noised(anchor, before.noise[:, :, 1:], SIGNALS[top])
        torch.testing.assert_close(frames.latents[:, :, 1:], wanted, rtol=0, atol=ROUNDING)
        assert torch.equal(frames.latents[:, :, :1], before.latents[:, :, :1])
        if top == 999:
            assert torch.equal(frames.latents[:, :, 1:], before.noise[:, :, 1:])


def test_a_renewal_puts_the_anchor_under_every_frames_own_level() -> None:
    solver, frames, anchor = Solver(ladder_of(3)), states(3), random(1, 7)
    frames.latents.fill_(math.nan)
    frames.clean.fill_(math.nan)
    solver.renew_(frames, call((2, 1, 0)), anchor)
    for place, level in enumerate((2, 1, 0)):
        wanted = noised(
            anchor[:, :, 0], frames.noise[:, :, place], solver.ladder.rungs[level].signal
        )
        torch.testing.assert_close(frames.latents[:, :, place], wanted, rtol=0, atol=ROUNDING)


def test_like_calls_share_their_constants() -> None:
    solver = Solver(ladder_of(3))
    one = solver.timesteps(Call(0, (1, 0), 1, range(0), guided=False))
    other = solver.timesteps(Call(8, (1, 0), 1, range(9, 10), guided=True))
    assert one is other
    assert solver.timesteps(call((1, 0))).tolist() == one.tolist()
    assert one.shape == (1, 2)


@pytest.mark.parametrize("space", [(), (5,), (3, 4)])
def test_frames_may_have_any_space(space: tuple[int, ...]) -> None:
    """Motion has none; the step is the same as that of one long row."""
    source = torch.Generator().manual_seed(0)
    parts = [torch.randn(1, 2, 3, *space, generator=source) for _ in range(4)]
    rows = [part.reshape(1, 2, 3, 1, -1).clone() for part in parts]
    solver, levels = Solver(ladder_of(3)), call((2, 1, 0), clamped=1)
    for some in (parts, rows):
        frames, anchor = FrameStates(*some[:3]), torch.ones_like(some[0][:, :, :1])
        solver.enter_(frames, levels, anchor)
        solver.step_(frames, levels, Guided(some[3]))
    for part, row in zip(parts, rows, strict=True):
        assert torch.equal(part.flatten(), row.flatten())
