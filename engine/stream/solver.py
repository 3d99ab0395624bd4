"""Steps down the ladder, each frame from its own level, computed in float32."""

from dataclasses import dataclass, field
from enum import StrEnum
from math import sqrt

import torch
from torch import Tensor

from engine.stream.ladder import Ladder, Rung
from engine.stream.schedule import Call
from kernels.step import Guided, Stepped, denoise_step_

_MAP_AXES = 5


class Renewal(StrEnum):
    """The noise that is added again after a step."""

    IMPLIED = "implied"  # what the prediction takes for noise: DDIM with eta 0
    OWN = "own"  # the frame's own: a step of a consistency model


@dataclass(frozen=True, slots=True)
class FrameStates:
    """Consecutive frames in flight, views [1, channels, frames, *space] float32."""

    latents: Tensor  # at each frame's present level
    clean: Tensor  # finished frames, and the latest guess of the others
    noise: Tensor  # each frame's own


@dataclass(frozen=True, slots=True)
class Solver:
    """What never changes about the steps of a stream.

    With x the latents, v the predicted velocity and a**2 the signal of a level, the clean latents
    are a x - sqrt(1 - a**2) v and the noise is a v + sqrt(1 - a**2) x (Salimans and Ho,
    "Progressive Distillation", 2022, appendix D); neither divides by a, which may be zero.
    """

    ladder: Ladder
    renewal: Renewal = Renewal.IMPLIED
    device: torch.device | str = "cpu"
    _tables: dict[tuple[tuple[int, ...], int], "_Table"] = field(
        init=False, default_factory=dict, repr=False, compare=False
    )  # one for each sort of call that a schedule has, which are few

    def timesteps(self, call: Call) -> Tensor:
        """What the network is told about noise [1, frames], the same tensor for like calls."""
        return self._table(call).timesteps

    def enter_(self, frames: FrameStates, call: Call, anchor: Tensor) -> None:
        """Bring finished frames to the level at which `call` shows them, and let new ones begin.

        New frames begin as pure noise where the top level has no signal, else as `anchor`
        [1, channels, 1, *space] under noise.
        """
        total = len(call.levels)
        if call.clamped:
            self._renoise_(frames, call, slice(0, call.clamped), frames.clean)
        if call.entering:
            self._renoise_(frames, call, slice(total - call.entering, total), anchor)

    def renew_(self, frames: FrameStates, call: Call, anchor: Tensor) -> None:
        """Put `anchor` in the place of every frame of `call`, under noise of the frame's level."""
        self._renoise_(frames, call, slice(0, len(call.levels)), anchor)

    def step_(self, frames: FrameStates, call: Call, guided: Guided) -> None:
        """One step down for the frames of `call` that are not finished, in place.

        Finished frames go to the level at which the next call of the chunk shows them. `clean`
        receives what the unfinished ones look like from here.
        """
        if guided.predicted.ndim != _MAP_AXES:
            free = None if guided.free is None else as_maps(guided.free)
            guided = guided._replace(predicted=as_maps(guided.predicted), free=free)
        latents, clean = as_maps(frames.latents), as_maps(frames.clean)
        denoise_step_(
            latents,
            guided,
            clean,
            as_maps(frames.noise),
            self._table(call).coefficients,
            Stepped(latents, clean),
        )

    def _renoise_(self, frames: FrameStates, call: Call, place: slice, clean: Tensor) -> None:
        target = frames.latents[:, :, place]
        shape = (1, 1, -1, *[1] * (target.ndim - 3))
        signal, noise = (part[place].reshape(shape) for part in self._table(call).present)
        target.copy_(clean if clean.shape[2] == 1 else clean[:, :, place])
        target.mul_(signal)
        target.addcmul_(frames.noise[:, :, place], noise)

    def _table(self, call: Call) -> "_Table":
        key = (call.levels, call.clamped)
        found = self._tables.get(key)
        if found is None:
            found = self._tables[key] = self._make_table(*key)
        return found

    def _make_table(self, levels: tuple[int, ...], clamped: int) -> "_Table":
        rungs = [self.ladder.rung(level) for level in levels]
        rows = [self._row(rung, place < clamped) for place, rung in enumerate(rungs)]
        coefficients = torch.tensor(rows, dtype=torch.float32, device=self.device)
        return _Table(
            timesteps=torch.tensor([[rung.timestep for rung in rungs]], device=self.device),
            coefficients=coefficients,
            present=(coefficients[:, 0].contiguous(), coefficients[:, 1].contiguous()),
        )

    def _row(self, rung: Rung, finished: bool) -> tuple[float, ...]:
        return (
            sqrt(rung.signal),
            sqrt(1 - rung.signal),
            sqrt(rung.next_signal),
            sqrt(1 - rung.next_signal),
            float(finished),
            float(finished or self.renewal is Renewal.OWN),
        )


def as_maps(latents: Tensor) -> Tensor:
    """A view [batch, channels, frames, height, width], one pixel long where there is no space."""
    missing = _MAP_AXES - latents.ndim
    return latents[(..., *[None] * missing)] if missing else latents


@dataclass(frozen=True, slots=True)
class _Table:
    """Constants of one sort of call, on the device."""

    timesteps: Tensor
    coefficients: Tensor  # [frames, 6] float32, as `kernels.step` wants them
    present: tuple[Tensor, Tensor]  # roots of signal and noise [frames]
