"""A denoiser small enough to follow, in which frames see each other and every input counts."""

from collections.abc import Mapping

import torch
from torch import Tensor

from engine.stream.denoise import Look, StreamingDenoiser, StreamPlan
from engine.stream.ladder import Ladder, cosine_signals, spread_timesteps
from engine.stream.noise import FrameNoise
from engine.stream.schedule import Schedule
from engine.stream.solver import Solver
from engine.stream.window import Rows, Start, StreamWindow, WindowSpec
from kernels.step import Guided

CHANNELS, SPACE = 2, (2, 3)
SHAPE = (CHANNELS, *SPACE)
SIGNALS = cosine_signals(1000)
VOICE = "voice"


def mixing(latents: Tensor, timesteps: Tensor, voice: Tensor) -> Tensor:
    """A velocity: of each frame, of all frames' mean, of their noise levels and of the voice."""
    frames = latents.shape[2]
    level = timesteps.float().reshape(1, 1, frames, 1, 1) / 1000
    place = torch.arange(frames).reshape(1, 1, frames, 1, 1) / frames
    said = voice.reshape(1, 1, frames, 1, 1)
    around = latents.mean(dim=2, keepdim=True)
    return torch.tanh(0.7 * latents - 0.4 * around * (1 + place) + said * (1 - 0.5 * level))


def network(look: Look) -> Guided:
    predicted = mixing(look.latents, look.timesteps, look.conditions[VOICE])
    if not look.guided:
        return Guided(predicted)
    free = mixing(look.latents, look.timesteps, torch.zeros_like(look.conditions[VOICE]))
    return Guided(predicted, free, 2.5)


def make_solver(steps: int) -> Solver:
    return Solver(Ladder.climb(SIGNALS, spread_timesteps(len(SIGNALS), steps)))


def anchor() -> Tensor:
    return torch.linspace(-1, 1, CHANNELS * 6).reshape(1, CHANNELS, 1, *SPACE)


def make_window(frames: int, seed: int = 0) -> StreamWindow:
    spec = WindowSpec(
        frames=frames, channels=CHANNELS, space=SPACE, conditions={VOICE: Rows((frames, 1))}
    )
    start = Start(anchor(), {VOICE: torch.zeros(1, 1)})
    return StreamWindow(spec, FrameNoise(seed, SHAPE), start)


def make_stream(
    schedule: Schedule, seed: int = 0, fade_frames: int = 0, slots: int | None = None
) -> StreamingDenoiser:
    plan = StreamPlan(schedule, make_solver(schedule.steps), anchor(), fade_frames)
    return StreamingDenoiser(network, plan, make_window(slots or schedule.window_frames, seed))


def voice(frames: int, seed: int = 1) -> Tensor:
    """Conditions [frames, 1]."""
    return torch.randn(frames, 1, generator=torch.Generator().manual_seed(seed))


def push_all(stream: StreamingDenoiser, rows: Tensor, chunk: int) -> dict[int, Tensor]:
    """Every frame that comes out, by its number."""
    out: dict[int, Tensor] = {}
    for part in torch.split(rows, chunk):
        emitted = stream.push({VOICE: part})
        if emitted is not None:
            for place in range(emitted.latents.shape[2]):
                out[emitted.first_frame + place] = emitted.latents[:, :, place].clone()
    return out


def stack(frames: Mapping[int, Tensor]) -> Tensor:
    """[1, channels, frames, *space] of consecutive frames from 0."""
    assert list(frames) == list(range(len(frames)))
    return torch.stack(list(frames.values()), dim=2)
