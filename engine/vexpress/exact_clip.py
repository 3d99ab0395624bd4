"""A clip sampled along a front: conditions in, finished latents out, equal to the whole clip's.

Latents of a clip of any length take the same memory. (../vexpress SPEC, sections 13 and 19.)
"""

from collections import deque
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from engine.stream.denoise import Emitted
from engine.stream.exact import ExactPlan, ExactStream
from engine.stream.ladder import Ladder
from engine.stream.noise import NoiseSource
from engine.stream.solver import Solver
from engine.stream.wavefront import Tiling, Wavefront
from engine.stream.window import Rows, Start, StreamWindow, WindowSpec
from engine.vexpress.sampling import LATENT_CHANNELS, FrameConditions, GuidedNetwork, Sampling
from engine.vexpress.scheduler import Scheduler
from engine.vexpress.windows import ClipError, cover

BUFFERS = 6  # latents, predictions and noise, and for each a place to move them by
_NUMBER = "number"  # of a frame


def check_streamable(sampling: Sampling, frames: int) -> None:
    """Raise `ClipError` where a clip of `frames` cannot be streamed to the same result."""
    if sampling.folded and sampling.windows(frames) != cover(frames, sampling.window):
        raise ClipError(
            f"--streamed with folded windows (Q6): a clip of {frames} frames is not one of whole "
            f"windows of {sampling.window.frames} that share {sampling.window.overlap}, and the "
            "last one is folded back to frames that are gone; expected whole windows (--quirk Q3)"
        )


def tiling_of(sampling: Sampling) -> Tiling:
    """The windows of a clip whose end is not known yet."""
    return Tiling(sampling.window.frames, sampling.window.overlap)


def frames_in_flight(sampling: Sampling) -> int:
    """How many frames' latents are held, whatever the length of the clip."""
    return Wavefront(tiling_of(sampling), sampling.steps).needed_frames


def count_calls(sampling: Sampling, frames: int) -> int:
    """How often the guided network is asked for a whole clip."""
    return tiling_of(sampling).count(frames) * sampling.steps


class ExactClip:
    """One clip in progress. Frames come out (steps - 1) windows after their own.

    And one window more, which shows that the clip goes on. Where windows share more than half of
    their frames, each of those counts as often as further windows hold a window's last frame.
    The end must be told by `flush`; then a next clip may begin.
    """

    def __init__(
        self,
        network: GuidedNetwork,
        scheduler: Scheduler,
        sampling: Sampling,
        noise: NoiseSource,
        space: tuple[int, int],
    ) -> None:
        self._network, self._known = network, _Known()
        self._calls = 0
        self._tiling = tiling_of(sampling)
        levels = scheduler.timesteps(sampling.steps, refuse_surplus=sampling.refuse_surplus_levels)
        stride = scheduler.config.training_steps // sampling.steps
        ladder = Ladder.climb(scheduler.signal.tolist(), levels, stride)
        plan = ExactPlan(self._tiling, Solver(ladder))
        self._window = _make_window(plan.needed_frames, space, noise)
        self._stream = ExactStream(self._predict, plan, self._window)

    @torch.inference_mode()
    def push(self, conditions: FrameConditions) -> Iterator[Emitted]:
        """Take the conditions of any number of next frames.

        Yields latents as they are finished, where the window is; each holds until the next one.
        """
        for start in range(0, len(conditions.audio_tokens), self._tiling.stride):
            part = slice(start, start + self._tiling.stride)
            tokens = conditions.audio_tokens[part]
            first = self._known.add(FrameConditions(tokens, conditions.kps_features[:, :, part]))
            yield from self._stream.push({_NUMBER: torch.arange(first, first + len(tokens))})
            self._known.forget(self._window.first_frame)

    @torch.inference_mode()
    def flush(self) -> Iterator[Emitted]:
        """Yield the rest of the clip, which ends with the frames that are known."""
        yield from self._stream.flush()
        self._known = _Known()
        self._calls = 0

    @property
    def calls(self) -> int:
        """How often the guided network was asked so far."""
        return self._calls

    @property
    def held_frames(self) -> int:
        """Frames whose latents and conditions are held now."""
        return self._known.frames

    def _predict(self, latents: Tensor, timestep: int, conditions: Mapping[str, Tensor]) -> Tensor:
        self._calls += 1
        numbers = conditions[_NUMBER]
        seen = self._known.window(int(numbers[0]), len(numbers))
        return self._network.velocity(latents, timestep, seen)


class _Known:
    """The conditions of the frames in flight. They keep the memory they came in, shared or not."""

    def __init__(self) -> None:
        self._first = 0
        self._frames: deque[tuple[Tensor, Tensor]] = deque()

    @property
    def frames(self) -> int:
        """How many there are."""
        return len(self._frames)

    def add(self, part: FrameConditions) -> int:
        """Remember the next frames; the number of the first of them."""
        first = self._first + len(self._frames)
        self._frames.extend(
            zip(part.audio_tokens.unbind(0), part.kps_features.unbind(2), strict=True)
        )
        return first

    def forget(self, until: int) -> None:
        """Drop the frames before that one."""
        while self._frames and self._first < until:
            self._frames.popleft()
            self._first += 1

    def window(self, first: int, count: int) -> FrameConditions:
        """What consecutive frames follow."""
        place = first - self._first
        tokens, features = zip(
            *(self._frames[index] for index in range(place, place + count)), strict=True
        )
        return FrameConditions(torch.stack(tokens), torch.stack(features, dim=2))


def _make_window(frames: int, space: tuple[int, int], noise: NoiseSource) -> StreamWindow:
    """On the CPU, where latents of a clip are in any case."""
    spec = WindowSpec(
        frames=frames,
        channels=LATENT_CHANNELS,
        space=space,
        conditions={_NUMBER: Rows((frames,))},
        dtype=torch.long,
    )
    nothing = torch.zeros(1, LATENT_CHANNELS, 1, *space)
    return StreamWindow(spec, noise, Start(nothing, {_NUMBER: torch.zeros(1, dtype=torch.long)}))
