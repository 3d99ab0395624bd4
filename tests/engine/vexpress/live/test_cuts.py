"""However the sound is cut: a whole live stream over networks that can be followed."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from engine.api import Samples, StreamOptions
from engine.stream.denoise import Look, StreamingDenoiser, StreamPlan
from engine.stream.noise import FrameNoise
from engine.stream.runner_settings import RunnerSettings
from engine.stream.schedule import Burst, Diagonal, Schedule, Window
from engine.stream.window import Rows, Start, StreamWindow, WindowSpec
from engine.vexpress.live.avatar import VExpressAvatar
from engine.vexpress.live.conditions import Voice
from engine.vexpress.live.decoding import FrameDecoder
from engine.vexpress.live.hearing import Hearing
from engine.vexpress.live.network import AUDIO
from engine.vexpress.live.silence import PAUSE_FRAMES
from engine.vexpress.live.stream import VExpressStream
from kernels.step import Guided
from tests.engine.stream.toy import make_solver
from tests.engine.vexpress.live.conftest import in_space, perform, same
from tests.engine.vexpress.live.rows import count_rows, keep

pytestmark = pytest.mark.slow
SIZE, SIDE = 640, 4
OWN = np.zeros((3, 2), np.float32)
SCHEDULES: list[Schedule] = [
    Window(chunk_frames=4, history_frames=2, steps=2),
    Diagonal(chunk_frames=2, steps=2, history_frames=1),
    Burst(diagonal=Diagonal(chunk_frames=2, steps=2), chunks=2, history_frames=1),
]


class CountingDenoiser(StreamingDenoiser):
    """Counts how often it was restarted."""

    restarts = 0

    def restart(self) -> None:
        self.restarts += 1
        super().restart()


def network(look: Look) -> Guided:
    said = look.conditions[AUDIO].mean(dim=(1, 2)).reshape(1, 1, -1, 1, 1)
    around = look.latents.mean(dim=2, keepdim=True)
    return Guided(torch.tanh(0.6 * look.latents - 0.3 * around + said))


def enlarge(latents: Tensor) -> Tensor:
    return latents[:, :3].repeat_interleave(8, dim=2).repeat_interleave(8, dim=3)


def open_stream(schedule: Schedule) -> tuple[VExpressStream, CountingDenoiser]:
    frames, anchor = schedule.window_frames, torch.zeros(1, 4, 1, SIDE, SIDE)
    spec = WindowSpec(
        frames=frames, channels=4, space=(SIDE, SIDE), conditions={AUDIO: Rows((frames, 10, 1))}
    )
    start = Start(anchor, {AUDIO: torch.zeros(1, 10, 1)})
    window = StreamWindow(spec, FrameNoise(0, (4, SIDE, SIDE)), start)
    plan = StreamPlan(schedule, make_solver(schedule.steps), anchor)
    denoiser = CountingDenoiser(network, plan, window)
    example = torch.zeros(schedule.chunk_frames, 4, SIDE, SIDE)
    decoder = FrameDecoder(enlarge, example, RunnerSettings(label="toy", backend="eager"))
    avatar = VExpressAvatar(
        avatar_id="toy",
        still=np.zeros((8 * SIDE, 8 * SIDE, 3), np.uint8),
        points=OWN,
        face=in_space(OWN),
        anchor=anchor,
        keys={},
        kps=torch.zeros(1, 1, 1, 1, 1),
    )
    voice = Voice(Hearing(count_rows, keep, schedule.chunk_frames))
    return VExpressStream(voice, denoiser, decoder, avatar, StreamOptions(badge=False)), denoiser


def sound_of(runs: list[int], seed: int = 0, extra: int = 0) -> Samples:
    """Speech and silence in turn, so many frames each."""
    source = np.random.default_rng(seed)
    loud = (0.1 * source.standard_normal(SIZE * sum(runs) + extra)).astype(np.float32)
    starts = np.cumsum([0, *runs]) * SIZE
    for begin, end in list(pairwise(starts))[1::2]:
        loud[begin:end] = 0
    return loud


runs_of_frames = st.lists(st.integers(1, 20), min_size=1, max_size=5)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=["window", "diagonal", "burst"])
@settings(max_examples=25, deadline=None)
@given(runs=runs_of_frames, extra=st.integers(0, SIZE), data=st.data())
def test_the_sound_may_be_cut_anywhere(
    schedule: Schedule, runs: list[int], extra: int, data: st.DataObject
) -> None:
    sound = sound_of(runs, extra=extra)
    cuts = data.draw(st.lists(st.integers(0, len(sound)), max_size=12).map(sorted))
    (one, first), (other, second) = (open_stream(schedule) for _ in range(2))
    whole, cut = perform(one, sound), perform(other, sound, cuts)
    assert same(whole, cut)
    assert [unit.frame_index for unit in cut] == list(range(-(-len(sound) // SIZE)))
    heard = np.concatenate([unit.samples for unit in cut])
    assert np.array_equal(heard[: len(sound)], sound)
    assert first.restarts == second.restarts


@settings(max_examples=25, deadline=None)
@given(runs=runs_of_frames)
def test_a_restart_for_every_pause_that_is_long_enough(runs: list[int]) -> None:
    stream, denoiser = open_stream(SCHEDULES[0])
    pauses = runs[1::2]
    # At the end speech goes on for longer than any frame waits.
    ending = [20] if len(runs) % 2 == 0 else [1, 20]
    stream.push(sound_of([*runs, *ending]))
    assert denoiser.restarts == sum(frames >= PAUSE_FRAMES for frames in pauses)
