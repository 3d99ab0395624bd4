"""The published clip, streamed: for speech that is ahead of real time, as from files or a TTS.

Predictions of overlapping windows are averaged inside every step, as when a clip is sampled as a
whole, and the result is the same. It comes (steps - 1) windows after its conditions.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from engine.stream.denoise import Emitted
from engine.stream.schedule import Call
from engine.stream.solver import FrameStates, Solver
from engine.stream.wavefront import Tiling, Visit, Wavefront
from engine.stream.window import StreamWindow
from kernels.step import Guided


class Predictor(Protocol):
    """What predicts for one window, guidance included."""

    def __call__(self, latents: Tensor, timestep: int, conditions: Mapping[str, Tensor]) -> Tensor:
        """Latents [1, channels, frames, *space] at one level -> prediction of the same shape."""
        ...


@dataclass(frozen=True, slots=True)
class ExactPlan:
    """What never changes while a clip is streamed."""

    tiling: Tiling
    solver: Solver

    @property
    def needed_frames(self) -> int:
        """Frames that the window must have room for."""
        return self.front().needed_frames

    def front(self) -> Wavefront:
        """The order of visits of a new clip."""
        return Wavefront(self.tiling, self.solver.ladder.steps)


class ExactStream:
    """One clip in progress. Its end must be told by `flush`; then it begins anew."""

    def __init__(self, predict: Predictor, plan: ExactPlan, window: StreamWindow) -> None:
        self._predict, self._plan, self._window = predict, plan, window
        if window.spec.frames < plan.needed_frames:
            raise ValueError(
                f"room for {window.spec.frames} frames: {plan.needed_frames} can be in flight"
            )
        self.reset()

    def reset(self) -> None:
        """Forget everything; the next frame is number 0."""
        self._front = self._plan.front()
        self._window.reset()
        self._window.clean.zero_()  # holds what windows have said of a frame, until it is stepped
        self._voices: dict[int, int] = {}  # how many of them have
        self._known_frames = 0

    def push(self, conditions: Mapping[str, Tensor]) -> Iterator[Emitted]:
        """Take the conditions of the next frames, at most a window's stride of them.

        Yields frames as they become clean; each holds until the next is asked for.
        """
        self._window.slide(conditions)
        known = self._window.first_frame + self._window.spec.frames
        entered = self._window.places(range(self._known_frames, known))
        self._window.latents[:, :, entered] = self._window.noise[:, :, entered]
        self._window.clean[:, :, entered] = 0
        self._known_frames = known
        yield from self._visit_all(None)

    def flush(self) -> Iterator[Emitted]:
        """Yield the rest of the clip, which ends with the frames that are known."""
        if self._known_frames:
            yield from self._visit_all(self._known_frames)
        self.reset()

    def _visit_all(self, clip_frames: int | None) -> Iterator[Emitted]:
        for visit in self._front.due(self._known_frames, clip_frames):
            self._ask(visit)
            if visit.settled:
                self._step(visit)
            if visit.settled and visit.level == self._plan.solver.ladder.steps - 1:
                place = self._window.places(visit.settled)
                yield Emitted(visit.settled.start, self._window.clean[:, :, place])

    def _ask(self, visit: Visit) -> None:
        place, seen = self._window.places(visit.window), self._window.seen(visit.window)
        timestep = self._plan.solver.ladder.rung(visit.level).timestep
        said = self._predict(self._window.latents[:, :, place], timestep, seen)
        self._window.clean[:, :, place] += said
        for frame in visit.window:
            self._voices[frame] = self._voices.get(frame, 0) + 1

    def _step(self, visit: Visit) -> None:
        place = self._window.places(visit.settled)
        shape = (1, 1, -1, *[1] * len(self._window.spec.space))
        voices = torch.tensor([float(self._voices.pop(frame)) for frame in visit.settled])
        mean = self._window.clean[:, :, place] / voices.reshape(shape).to(self._window.clean.device)
        levels = (visit.level,) * len(visit.settled)
        call = Call(visit.settled.start, levels, 0, visit.settled, guided=False)
        states = FrameStates(
            self._window.latents[:, :, place],
            self._window.clean[:, :, place],
            self._window.noise[:, :, place],
        )
        self._plan.solver.step_(states, call, Guided(mean))
        if visit.level < self._plan.solver.ladder.steps - 1:
            self._window.clean[:, :, place] = 0
