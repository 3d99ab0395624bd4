"""What a chunk takes beside the network: the real stream with a network that does nothing."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from engine.stream.denoise import Look, StreamingDenoiser, StreamPlan
from engine.stream.noise import FrameNoise
from engine.stream.solver import FrameStates, Solver
from engine.stream.window import Rows, Start, StreamWindow, WindowSpec
from engine.vexpress.config import PUBLISHED
from engine.vexpress.metering import MemoryMeter
from engine.vexpress.presets import Preset
from engine.vexpress.sampling import LATENT_CHANNELS
from engine.vexpress.scheduler import Scheduler
from kernels.step import Guided

Device: TypeAlias = torch.device | str

AUDIO = "audio"
SMALL_SIDE = 2  # latents on which arithmetic takes no time
SETTLING_CHUNKS = 12  # until every burst is over, every pile full and every table made


class NullNetwork:
    """Predicts nothing at once, and counts the frames that it was shown."""

    def __init__(self, preset: Preset, side: int, device: Device = "cpu") -> None:
        most, self._scale = preset.schedule.window_frames, preset.guidance_scale
        nothing = torch.zeros(1, LATENT_CHANNELS, most, side, side, device=device)
        self._views = {frames: nothing[:, :, :frames] for frames in range(1, most + 1)}
        self.evaluations = 0

    def __call__(self, look: Look) -> Guided:
        """A velocity of zero; twice where guidance asks for it."""
        frames = look.latents.shape[2]
        self.evaluations += frames * (1 + look.guided)
        nothing = self._views[frames]
        return Guided(nothing, nothing if look.guided else None, self._scale)


@dataclass(frozen=True, slots=True, kw_only=True)
class NullStream:
    """A stream of a preset beside a null network, warm."""

    preset: Preset
    network: NullNetwork
    stream: StreamingDenoiser
    conditions: Mapping[str, Tensor]  # of one chunk

    def push(self) -> int:
        """One chunk; how many frames left."""
        emitted = self.stream.push(self.conditions)
        return 0 if emitted is None else emitted.latents.shape[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overhead:
    """Of one chunk in the long run. Times are what this thread computed, busy machine or not."""

    median_ms: float
    step_ms: float  # the part that is the step kernel, in all calls of the chunk
    operations: int  # of PyTorch, outside the step kernel
    allocations: int  # results that are new memory, outside the step kernel


def open_null_stream(preset: Preset, side: int, device: Device = "cpu") -> NullStream:
    """A stream on latents of `side` x `side`, after its beginning."""
    schedule, sizes = preset.schedule, PUBLISHED.audio_projection
    frames, tokens = schedule.window_frames, (sizes.queries, sizes.out_channels)
    spec = WindowSpec(
        frames=frames,
        channels=LATENT_CHANNELS,
        space=(side, side),
        conditions={AUDIO: Rows((frames, *tokens))},
        device=device,
    )
    anchor = torch.zeros(1, LATENT_CHANNELS, 1, side, side, device=device)
    start = Start(anchor, {AUDIO: torch.zeros(1, *tokens)})
    noise = FrameNoise(0, (LATENT_CHANNELS, side, side))
    solver = Solver(preset.ladder(Scheduler()), device=device)
    plan = StreamPlan(schedule, solver, anchor, preset.fade_frames)
    network = NullNetwork(preset, side, device)
    opened = NullStream(
        preset=preset,
        network=network,
        stream=StreamingDenoiser(network, plan, StreamWindow(spec, noise, start)),
        conditions={AUDIO: torch.zeros(schedule.chunk_frames, *tokens, device=device)},
    )
    for _ in range(SETTLING_CHUNKS):
        opened.push()
    return opened


def count_evaluations(preset: Preset, chunks: int = 50) -> float:
    """UNet evaluations for each frame that leaves, counted while the stream runs."""
    opened = open_null_stream(preset, SMALL_SIDE)
    opened.network.evaluations = 0
    left = sum(opened.push() for _ in range(chunks))
    return opened.network.evaluations / left


def measure_overhead(preset: Preset, side: int, chunks: int) -> Overhead:
    """Time and operations of a chunk on latents of `side` x `side`, on one thread of the CPU."""
    opened, steps = open_null_stream(preset, side), _steps_alone(preset, side)
    steps()
    whole, kernel = _metered(opened.push), _metered(steps)
    return Overhead(
        median_ms=median_ms(opened.push, chunks),
        step_ms=median_ms(steps, chunks),
        operations=whole.operations - kernel.operations,
        allocations=whole.allocations - kernel.allocations,
    )


def _metered(work: Callable[[], object]) -> MemoryMeter:
    meter = MemoryMeter()
    with meter:
        work()
    return meter


def _steps_alone(preset: Preset, side: int) -> Callable[[], None]:
    """The solver's steps of a late chunk, without a stream around them."""
    calls = preset.schedule.calls(SETTLING_CHUNKS)
    solver, network = Solver(preset.ladder(Scheduler())), NullNetwork(preset, side)
    shape = (1, LATENT_CHANNELS, preset.schedule.window_frames, side, side)
    frames = FrameStates(*(torch.zeros(shape) for _ in range(3)))

    def work() -> None:
        for call in calls:
            look = Look(frames.latents, solver.timesteps(call), {}, call.guided)
            solver.step_(frames, call, network(look))

    return work


def median_ms(
    work: Callable[[], object], times: int, clock: Callable[[], float] = time.thread_time
) -> float:
    """The middle one of many; by the time this thread computed, or another clock in seconds."""
    took: list[float] = []
    for _ in range(times):
        begun_s = clock()
        work()
        took.append((clock() - begun_s) * 1e3)
    return statistics.median(took)
