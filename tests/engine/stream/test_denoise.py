"""The streaming denoiser against computations that know everything beforehand."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from engine.stream.denoise import Look, StreamingDenoiser, StreamPlan
from engine.stream.noise import FrameNoise
from engine.stream.schedule import Burst, Diagonal, Schedule, Window
from engine.stream.solver import Solver
from kernels.step import Guided
from tests.engine.stream.toy import (
    SHAPE,
    VOICE,
    anchor,
    make_solver,
    make_stream,
    make_window,
    network,
    push_all,
    stack,
    voice,
)

WINDOW = Window(chunk_frames=4, history_frames=3, future_frames=2, steps=3, guided_steps=1)
DIAGONAL = Diagonal(chunk_frames=2, steps=3, history_frames=2)
BURST = Burst(diagonal=Diagonal(chunk_frames=2, steps=3), chunks=2, history_frames=2)
WINDOW_ALONE = Window(chunk_frames=4, history_frames=3, steps=3)
CLEAN = Window(chunk_frames=4, history_frames=3, future_frames=2, steps=3, clean_history=True)
SCHEDULES: list[Schedule] = [WINDOW, DIAGONAL, BURST, CLEAN]


def noise_of(frame: int) -> Tensor:
    return torch.from_numpy(FrameNoise(0, SHAPE).frame(frame))


def step_down(solver: Solver, x: Tensor, v: Tensor, level: int) -> Tensor:
    """One DDIM step of a single frame, written out."""
    rung = solver.ladder.rungs[level]
    a, s = rung.signal**0.5, (1 - rung.signal) ** 0.5
    na, ns = rung.next_signal**0.5, (1 - rung.next_signal) ** 0.5
    lower: Tensor = na * (a * x - s * v) + ns * (a * v + s * x)
    return lower


def windows_offline(schedule: Window, rows: Tensor) -> Tensor:
    """The same windows, one after another, from arrays of the whole clip."""
    solver = make_solver(schedule.steps)
    finished: dict[int, Tensor] = {}
    for chunk in range(len(rows) // schedule.chunk_frames):
        end = (chunk + 1) * schedule.chunk_frames
        numbers = range(end - schedule.window_frames, end)
        history = numbers[: schedule.history_frames]
        said = torch.stack([rows[n] if n >= 0 else torch.zeros(1) for n in numbers])
        latents = {n: noise_of(n) for n in numbers}
        for level, rung in enumerate(solver.ladder.rungs):
            for n in history:
                clean = finished.get(n, anchor()[0, :, 0])
                shown = solver.ladder.rest if schedule.clean_history else rung
                latents[n] = shown.signal**0.5 * clean + (1 - shown.signal) ** 0.5 * noise_of(n)
            x = torch.stack([latents[n] for n in numbers], dim=1)[None]
            times = torch.full((1, len(numbers)), rung.timestep)
            if schedule.clean_history:
                times[:, : len(history)] = solver.ladder.rest.timestep
            told = network(Look(x, times, {VOICE: said}, level < schedule.guided_steps))
            v = told.predicted
            if told.free is not None:
                v = told.free + told.scale * (told.predicted - told.free)
            for place, n in enumerate(numbers):
                latents[n] = step_down(solver, x[0, :, place], v[0, :, place], level)
        for n in numbers[schedule.history_frames :][: schedule.chunk_frames]:
            finished[n] = latents[n]
    return stack({n: frame[None] for n, frame in sorted(finished.items()) if n >= 0})


@pytest.mark.parametrize("history", [0, 3, 5])
@pytest.mark.parametrize("future", [0, 2])
@pytest.mark.parametrize("clean_history", [False, True])
def test_windows_streamed_are_the_windows_computed_at_once(
    history: int, future: int, clean_history: bool
) -> None:
    schedule = replace(
        WINDOW, history_frames=history, future_frames=future, clean_history=clean_history
    )
    rows = voice(20)
    streamed = stack(push_all(make_stream(schedule), rows, 4))
    offline = windows_offline(schedule, rows)
    assert streamed.shape[2] == 20 - future
    assert (streamed - offline).abs().max() < 1e-5


def test_a_diagonal_of_one_level_is_a_window_without_history() -> None:
    rows = voice(12)
    window = Window(chunk_frames=4, history_frames=0, steps=1)
    diagonal = Diagonal(chunk_frames=4, steps=1)
    ours, wanted = (push_all(make_stream(plan), rows, 4) for plan in (diagonal, window))
    assert torch.equal(stack(ours), stack(wanted))


def test_a_diagonal_goes_down_one_level_a_chunk() -> None:
    schedule, rows = Diagonal(chunk_frames=2, steps=3), voice(12)
    solver = make_solver(3)
    latents = {n: noise_of(n) for n in range(12)}
    wanted: dict[int, Tensor] = {}
    for chunk in range(6):
        numbers = range(2 * (chunk - 2), 2 * (chunk + 1))
        levels = [2, 2, 1, 1, 0, 0]
        for n, level in zip(numbers, levels, strict=True):
            if n < 0:
                signal = solver.ladder.rungs[level].signal
                held = signal**0.5 * anchor()[0, :, 0] + (1 - signal) ** 0.5 * noise_of(n)
                latents[n] = held
        x = torch.stack([latents[n] for n in numbers], dim=1)[None]
        times = torch.tensor([[solver.ladder.rungs[level].timestep for level in levels]])
        said = torch.stack([rows[n] if n >= 0 else torch.zeros(1) for n in numbers])
        v = network(Look(x, times, {VOICE: said}, guided=False)).predicted
        for place, (n, level) in enumerate(zip(numbers, levels, strict=True)):
            if n >= 0:
                latents[n] = step_down(solver, x[0, :, place], v[0, :, place], level)
                if level == 2:
                    wanted[n] = latents[n][None]
    streamed = push_all(make_stream(schedule), rows, 2)
    assert (stack(streamed) - stack(wanted)).abs().max() < 1e-5


def test_a_burst_shows_its_first_chunks_at_once_and_leaves_none_out() -> None:
    stream, rows = make_stream(BURST), voice(16)
    first = [stream.push({VOICE: part}) for part in torch.split(rows, 2)]
    came = [None if part is None else part.first_frame for part in first]
    # Two chunks at once; then the pile fills for two more chunks before the third one leaves.
    assert came == [0, 2, None, None, 4, 6, 8, 10]


def test_a_burst_continues_from_what_it_showed() -> None:
    rows = voice(16)
    plain = stack(push_all(make_stream(BURST), rows, 2))
    other = push_all(make_stream(BURST), torch.cat([voice(4, seed=9), rows[4:]]), 2)
    later = torch.stack([other[n] for n in range(4, 6)], dim=2)
    assert not torch.allclose(plain[:, :, 4:6], later)  # the pile saw the finished frames


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_frames_come_in_order_each_once(schedule: Schedule) -> None:
    came = push_all(make_stream(schedule), voice(24), schedule.chunk_frames)
    assert list(came) == list(range(len(came)))
    assert len(came) >= 24 - schedule.delay_frames


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_reset_leaves_no_trace(schedule: Schedule) -> None:
    stream, size = make_stream(schedule, fade_frames=2), schedule.chunk_frames
    first = push_all(stream, voice(24), size)
    stream.restart()
    push_all(stream, voice(24, seed=5), size)
    stream.reset()
    again = push_all(stream, voice(24), size)
    assert torch.equal(stack(first), stack(again))


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_two_streams_that_take_turns_do_not_touch_each_other(schedule: Schedule) -> None:
    size = schedule.chunk_frames
    alone = [push_all(make_stream(schedule, seed), voice(24, seed), size) for seed in (1, 2)]
    streams = [make_stream(schedule, seed) for seed in (1, 2)]
    turns: list[dict[int, Tensor]] = [{}, {}]
    for index in range(24 // size):
        for which, stream in enumerate(streams):
            part = voice(24, which + 1)[index * size : (index + 1) * size]
            emitted = stream.push({VOICE: part})
            if emitted is not None:
                for place in range(emitted.latents.shape[2]):
                    turns[which][emitted.first_frame + place] = emitted.latents[:, :, place].clone()
    for together, single in zip(turns, alone, strict=True):
        assert torch.equal(stack(together), stack(single))


@settings(max_examples=25, deadline=None)
@given(
    chunk=st.integers(1, 4), steps=st.integers(1, 4), history=st.integers(0, 4), seed=st.integers()
)
def test_a_wider_window_than_needed_changes_nothing(
    chunk: int, steps: int, history: int, seed: int
) -> None:
    for schedule in (
        Window(chunk_frames=chunk, history_frames=history, steps=steps),
        Diagonal(chunk_frames=chunk, steps=steps, history_frames=history),
    ):
        rows = voice(chunk * 8)
        exact = push_all(make_stream(schedule, seed), rows, chunk)
        roomy = make_stream(schedule, seed, slots=schedule.window_frames + 3)
        assert torch.equal(stack(exact), stack(push_all(roomy, rows, chunk)))


def test_a_restart_looks_at_nothing_that_came_before() -> None:
    rows = voice(16)
    after = []
    for seed in (1, 2):
        stream = make_stream(WINDOW_ALONE)
        push_all(stream, voice(8, seed), 4)
        stream.restart()
        after.append(push_all(stream, rows, 4))
    assert torch.equal(stack_from(after[0], 8), stack_from(after[1], 8))


def stack_from(frames: dict[int, Tensor], first: int) -> Tensor:
    assert list(frames) == list(range(first, first + len(frames)))
    return torch.stack(list(frames.values()), dim=2)


def test_a_restart_is_no_jump() -> None:
    """The change at the border, over the median change between neighbours, with a fade."""
    rows = torch.sin(torch.arange(64) / 6)[:, None]
    stream = make_stream(WINDOW_ALONE, fade_frames=3)
    frames = push_all(stream, rows[:32], 4)
    stream.restart()
    frames |= push_all(stream, rows[32:], 4)
    changes = stack(frames).diff(dim=2).abs().mean(dim=(0, 1, 3, 4))
    assert changes[31] / changes.median() < 1.5


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_numbers_that_are_none_are_gone_after_a_recovery(schedule: Schedule) -> None:
    size, fault = schedule.chunk_frames, [0.0]

    def failing(look: Look) -> Guided:
        return Guided(network(look).predicted + fault[0])

    plan = StreamPlan(schedule, make_solver(schedule.steps), anchor())
    broken = StreamingDenoiser(failing, plan, make_window(schedule.window_frames))
    push_all(broken, voice(4 * size), size)
    fault[0] = float("nan")
    push_all(broken, voice(size), size)
    fault[0] = 0.0
    broken.recover()
    clean = push_all(broken, voice(48), size)
    assert all(torch.isfinite(frame).all() for frame in clean.values())
    assert list(clean) == list(range(min(clean), min(clean) + len(clean)))


class Allocations(TorchDispatchMode):
    """Counts results that are new storage."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # PyTorch's, untyped
        self.made: list[str] = []
        self.operations = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN204
        known = {x.untyped_storage().data_ptr() for x in args if isinstance(x, Tensor)}
        result = func(*args, **(kwargs or {}))
        self.operations += 1
        if isinstance(result, Tensor) and result.untyped_storage().data_ptr() not in known:
            self.made.append(str(func))
        return result


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_chunk_costs_the_same_for_ever_and_allocates_nothing(schedule: Schedule) -> None:
    window = make_window(schedule.window_frames)
    plan_stream = make_stream(schedule)
    push_all(plan_stream, voice(10 * schedule.chunk_frames), schedule.chunk_frames)
    sizes = set()
    for _ in range(5):
        with Allocations() as seen:
            plan_stream.push({VOICE: voice(schedule.chunk_frames)})
        sizes.add(seen.operations)
    assert len(sizes) == 1
    rows = {VOICE: voice(schedule.chunk_frames)}
    with Allocations() as seen:
        window.slide(rows)
    assert [name for name in seen.made if "from_numpy" not in name] == []


def test_the_network_sees_buffers_and_must_not_keep_them() -> None:
    kept: list[Look] = []

    def keeping(look: Look) -> Guided:
        kept.append(look)
        return network(look)

    plan = StreamPlan(WINDOW_ALONE, make_solver(3), anchor())
    stream = StreamingDenoiser(keeping, plan, make_window(WINDOW_ALONE.window_frames))
    push_all(stream, voice(16), 4)
    storages = {look.latents.untyped_storage().data_ptr() for look in kept}
    assert len(storages) == 1


def test_a_window_that_is_too_small_is_refused() -> None:
    with pytest.raises(ValueError, match="the schedule needs 9"):
        make_stream(WINDOW, slots=8)


def test_conditions_of_another_name_are_refused() -> None:
    with pytest.raises(ValueError, match=r"conditions \['sound'\]: expected \['voice'\]"):
        make_stream(WINDOW).push({"sound": voice(4)})
