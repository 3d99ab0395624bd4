"""A stream of latents: conditions in, clean frames out, for ever, at a fixed cost."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from engine.stream.blend import Fade
from engine.stream.schedule import Call, Schedule
from engine.stream.solver import FrameStates, Solver
from engine.stream.window import StreamWindow
from kernels.step import Guided


@dataclass(frozen=True, slots=True)
class Look:
    """What the network is shown in one call. Views of buffers: to be read, never kept."""

    latents: Tensor  # [1, channels, frames, *space] float32
    timesteps: Tensor  # [1, frames]
    conditions: Mapping[str, Tensor]  # of the same frames
    guided: bool


class Network(Protocol):
    """What predicts: a denoiser with everything that does not change from chunk to chunk."""

    def __call__(self, look: Look) -> Guided:
        """Predict velocity or clean latents of the frames that are shown."""
        ...


@dataclass(frozen=True, slots=True)
class Emitted:
    """Clean frames on their way out."""

    first_frame: int
    latents: Tensor  # [1, channels, frames, *space], a view that holds until the next push


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """What never changes while a stream runs."""

    schedule: Schedule
    solver: Solver
    anchor: Tensor  # [1, channels, 1, *space]: what frames look like before there are any
    fade_frames: int = 2


class StreamingDenoiser:
    """One visitor's denoiser. The network may be shared; the window is its own."""

    def __init__(self, network: Network, plan: StreamPlan, window: StreamWindow) -> None:
        if window.spec.frames < plan.schedule.window_frames:
            raise ValueError(
                f"a window of {window.spec.frames} frames: "
                f"the schedule needs {plan.schedule.window_frames}"
            )
        self._network, self._plan, self._window = network, plan, window
        self._fade = Fade(plan.fade_frames)
        self._chunk = self._left_frames = 0
        self._renewing = False
        self._known_views: dict[tuple[int, int], tuple[FrameStates, Mapping[str, Tensor]]] = {}

    @property
    def next_chunk(self) -> int:
        """The number of the chunk that comes next."""
        return self._chunk

    @property
    def chunk_frames(self) -> int:
        """Frames whose conditions come together."""
        return self._plan.schedule.chunk_frames

    @property
    def delay_frames(self) -> int:
        """How many further frames' conditions must be known before a frame leaves, at most."""
        return self._plan.schedule.delay_frames

    def push(self, conditions: Mapping[str, Tensor]) -> Emitted | None:
        """Take one chunk's conditions; return the frames that are clean now, if any.

        Frames before the first, which only fill a window, are never returned.
        """
        self._window.slide(conditions)
        emitted = None
        for index, call in enumerate(self._plan.schedule.calls(self._chunk)):
            frames, seen = self._views(call)
            if index == 0:
                self._enter(frames, call)
            times = self._plan.solver.timesteps(call)
            guided = self._network(Look(frames.latents, times, seen, call.guided))
            self._plan.solver.step_(frames, call, guided)
            if call.leaving.stop > 0 and call.leaving:
                emitted = self._leave(call.leaving)
        self._chunk += 1
        return emitted

    def restart(self) -> None:
        """Look at nothing that was generated so far, so that errors stop adding up.

        To be called where it is least seen: in pauses. What follows fades in over what was shown
        last. Frames in flight, which a diagonal has, are finished beside the anchor.
        """
        if self._plan.schedule.finishes_chunks and self._left_frames:
            self._fade.begin(self._shown(range(self._left_frames - 1, self._left_frames)))
        self._window.hold(self._plan.anchor)

    def recover(self) -> None:
        """Put the anchor in the place of every frame in flight, whatever it holds, NaN included."""
        self._fade.stop()
        self._window.hold(self._plan.anchor)
        self._renewing = True

    def reset(self) -> None:
        """Forget everything; the next chunk is number 0."""
        self._window.reset()
        self._fade.stop()
        self._chunk = self._left_frames = 0
        self._renewing = False

    def _enter(self, frames: FrameStates, call: Call) -> None:
        solver, anchor = self._plan.solver, self._plan.anchor
        if self._renewing:
            solver.renew_(frames, call, anchor)
        else:
            solver.enter_(frames, call, anchor)
        self._renewing = False

    def _leave(self, leaving: range) -> Emitted:
        leaving = range(max(leaving.start, 0), leaving.stop)
        latents = self._shown(leaving)
        self._fade.apply_(latents)
        self._left_frames = leaving.stop
        return Emitted(leaving.start, latents)

    def _shown(self, frames: range) -> Tensor:
        return self._window.clean[:, :, self._window.places(frames)]

    def _views(self, call: Call) -> tuple[FrameStates, Mapping[str, Tensor]]:
        """What a call sees of the window, made once for each place: buffers never move."""
        place, window = self._window.places(call.frames), self._window
        key = (place.start, place.stop)
        if key not in self._known_views:
            buffers = (window.latents, window.clean, window.noise)
            states = FrameStates(*(buffer[:, :, place] for buffer in buffers))
            self._known_views[key] = states, window.seen(call.frames)
        return self._known_views[key]
