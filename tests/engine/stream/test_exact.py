"""Clips streamed in the published order against clips sampled as a whole."""

from collections.abc import Mapping

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from engine.stream.exact import ExactPlan, ExactStream
from engine.stream.noise import FrameNoise
from engine.stream.solver import Solver
from engine.stream.wavefront import Tiling, Visit, Wavefront
from engine.vexpress.windows import WindowSize, cover
from tests.engine.stream.toy import SHAPE, VOICE, make_solver, make_window, mixing, voice


def predict(latents: Tensor, timestep: int, conditions: Mapping[str, Tensor]) -> Tensor:
    times = torch.full((1, latents.shape[2]), timestep)
    return mixing(latents, times, conditions[VOICE])


def sample_whole(rows: Tensor, tiling: Tiling, solver: Solver) -> Tensor:
    """All windows in every step, written plainly."""
    source, frames = FrameNoise(0, SHAPE), len(rows)
    latents = torch.stack([torch.from_numpy(source.frame(n)) for n in range(frames)], dim=1)[None]
    windows = cover(frames, WindowSize(tiling.frames, tiling.overlap))
    for rung in solver.ladder.rungs:
        total, count = torch.zeros_like(latents), torch.zeros(frames)
        for window in windows:
            place = list(window)
            said = predict(latents[:, :, place], rung.timestep, {VOICE: rows[place]})
            total[:, :, place] += said
            count[place] += 1
        v = total / count.reshape(1, 1, -1, 1, 1)
        a, s = rung.signal**0.5, (1 - rung.signal) ** 0.5
        na, ns = rung.next_signal**0.5, (1 - rung.next_signal) ** 0.5
        latents = na * (a * latents - s * v) + ns * (a * v + s * latents)
    return latents


def stream_clip(rows: Tensor, tiling: Tiling, solver: Solver, cuts: list[int]) -> Tensor:
    plan = ExactPlan(tiling, solver)
    stream = ExactStream(predict, plan, make_window(plan.needed_frames))
    came, begin = [], 0
    for size in [*cuts, *[tiling.stride] * len(rows)]:
        end = min(begin + min(size, tiling.stride), len(rows))
        if end > begin:
            came += [
                (e.first_frame, e.latents.clone()) for e in stream.push({VOICE: rows[begin:end]})
            ]
        begin = end
    came += [(e.first_frame, e.latents.clone()) for e in stream.flush()]
    frames = torch.cat([latents for _, latents in came], dim=2)
    starts = [first for first, _ in came]
    assert starts == sorted(starts)
    return frames


@settings(max_examples=60, deadline=None)
@given(data=st.data(), window=st.integers(1, 7), steps=st.integers(1, 4), frames=st.integers(1, 40))
def test_a_streamed_clip_is_the_whole_clip(
    data: st.DataObject, window: int, steps: int, frames: int
) -> None:
    tiling = Tiling(window, data.draw(st.integers(0, window - 1)))
    cuts = data.draw(st.lists(st.integers(1, 7), max_size=10))
    rows, solver = voice(frames), make_solver(steps)
    whole = sample_whole(rows, tiling, solver)
    streamed = stream_clip(rows, tiling, solver, cuts)
    assert streamed.shape == whole.shape
    assert (streamed - whole).abs().max() < 2e-5


def test_frames_come_a_few_windows_after_their_sound() -> None:
    tiling, steps = Tiling(4, 2), 3
    plan = ExactPlan(tiling, make_solver(steps))
    stream = ExactStream(predict, plan, make_window(plan.needed_frames))
    behind = []
    for index, part in enumerate(torch.split(voice(60), tiling.stride)):
        for emitted in stream.push({VOICE: part}):
            shown = emitted.first_frame + emitted.latents.shape[2]
            behind.append((index + 1) * tiling.stride - shown)
    assert set(behind) == {tiling.frames + (steps - 1) * tiling.stride}


def test_a_clip_may_follow_another() -> None:
    tiling, solver = Tiling(4, 1), make_solver(2)
    plan = ExactPlan(tiling, solver)
    stream = ExactStream(predict, plan, make_window(plan.needed_frames))
    clips = []
    for _ in range(2):
        parts = []
        for part in torch.split(voice(11), 3):
            parts += [e.latents.clone() for e in stream.push({VOICE: part})]
        parts += [e.latents.clone() for e in stream.flush()]
        clips.append(torch.cat(parts, dim=2))
    assert torch.equal(*clips)
    assert list(stream.flush()) == []


def test_every_window_is_visited_once_at_every_level() -> None:
    front = Wavefront(Tiling(5, 2), 3)
    visits = [visit for known in range(1, 30) for visit in front.due(known, None)]
    visits += front.due(29, 29)
    assert len(visits) == len(set((v.window, v.level) for v in visits)) == 3 * 9
    assert front.finished_frames == 29
    for level in range(3):
        settled = [frame for v in visits if v.level == level for frame in v.settled]
        assert settled == list(range(29))


def test_a_window_waits_for_the_next_one() -> None:
    front = Wavefront(Tiling(4, 2), 1)
    assert list(front.due(5, None)) == []
    assert list(front.due(6, None)) == [Visit(range(4), 0, range(2))]
    assert list(front.due(6, 6)) == [Visit(range(2, 6), 0, range(2, 6))]


def test_too_little_room_is_refused() -> None:
    plan = ExactPlan(Tiling(4, 2), make_solver(2))
    with pytest.raises(ValueError, match="can be in flight"):
        ExactStream(predict, plan, make_window(plan.needed_frames - 1))
