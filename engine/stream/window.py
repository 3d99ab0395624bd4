"""What changes while a stream runs: the frames in the window, fixed in size, changed in place.

Frames slide through; the newest are at the end. All buffers keep their storage for ever, so
captured graphs stay valid and a stream costs the same memory after an hour.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from engine.stream.noise import NoiseSource


@dataclass(frozen=True, slots=True)
class Rows:
    """One condition: its shape for a whole window, and which axis of it runs over frames."""

    shape: tuple[int, ...]
    axis: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowSpec:
    """The sizes of a window."""

    frames: int
    channels: int
    space: tuple[int, ...] = ()  # of a frame's latents, such as height and width
    conditions: Mapping[str, Rows] = field(default_factory=dict)
    dtype: torch.dtype = torch.float32  # of conditions; latents are float32 throughout
    device: torch.device | str = "cpu"


@dataclass(frozen=True, slots=True)
class Start:
    """What a window holds before anything came."""

    anchor: Tensor  # clean latents [1, channels, 1, *space] of the frames before the first
    conditions: Mapping[str, Tensor]  # of one such frame, each with one entry on its frame axis


class StreamWindow:
    """The frames in flight and those that were finished just before them."""

    def __init__(self, spec: WindowSpec, noise: NoiseSource, start: Start) -> None:
        shape = (1, spec.channels, spec.frames, *spec.space)
        self.spec = spec
        self.latents = torch.zeros(shape, device=spec.device)  # at each frame's present level
        self.clean = torch.zeros(shape, device=spec.device)  # finished, or the best guess so far
        self.noise = torch.zeros(shape, device=spec.device)  # each frame's own
        self.conditions = {
            name: torch.zeros(rows.shape, dtype=spec.dtype, device=spec.device)
            for name, rows in spec.conditions.items()
        }
        self._source, self._start = noise, start
        self._scratch = {id(buffer): torch.empty_like(buffer) for buffer, _ in self._buffers()}
        self.first_frame = 0
        self.reset()

    def reset(self) -> None:
        """Forget every frame; the next one that comes is number 0."""
        self.first_frame = -self.spec.frames
        self.latents.zero_()
        self.hold(self._start.anchor)
        self._source.fill(self.noise, self.first_frame)
        for name, rows in self.conditions.items():
            rows.copy_(self._start.conditions[name].expand(rows.shape))

    def hold(self, anchor: Tensor) -> None:
        """Let every frame so far have been `anchor` [1, channels, 1, *space], clean."""
        self.clean.copy_(anchor.expand(self.clean.shape))

    def slide(self, conditions: Mapping[str, Tensor]) -> None:
        """Take the next frames' conditions; as many of the oldest frames leave the window."""
        if conditions.keys() != self.conditions.keys():
            raise ValueError(f"conditions {sorted(conditions)}: expected {sorted(self.conditions)}")
        count = self._count(conditions)
        kept = self.spec.frames - count
        for buffer, axis in self._buffers():
            spare = self._scratch[id(buffer)].narrow(axis, 0, kept)
            spare.copy_(buffer.narrow(axis, count, kept))
            buffer.narrow(axis, 0, kept).copy_(spare)
        self.first_frame += count
        self._source.fill(self.noise.narrow(2, kept, count), self.first_frame + kept)
        for name, rows in conditions.items():
            axis = self.spec.conditions[name].axis
            self.conditions[name].narrow(axis, kept, count).copy_(rows)

    def seen(self, frames: range) -> dict[str, Tensor]:
        """Views of the conditions of consecutive frames."""
        place = self.places(frames)
        return {
            name: rows.narrow(self.spec.conditions[name].axis, place.start, len(frames))
            for name, rows in self.conditions.items()
        }

    def places(self, frames: range) -> slice:
        """Where consecutive frames stand in the window."""
        return slice(frames.start - self.first_frame, frames.stop - self.first_frame)

    def snapshot(self) -> "Snapshot":
        """Everything that changes, as a copy."""
        copies = tuple(buffer.clone() for buffer, _ in self._buffers())
        return Snapshot(self.first_frame, copies)

    def restore(self, snapshot: "Snapshot") -> None:
        """Go back to a snapshot of this window, in place."""
        self.first_frame = snapshot.first_frame
        for (buffer, _), copy in zip(self._buffers(), snapshot.buffers, strict=True):
            buffer.copy_(copy)

    def _buffers(self) -> Iterator[tuple[Tensor, int]]:
        """Every buffer and its frame axis."""
        for buffer in (self.latents, self.clean, self.noise):
            yield buffer, 2
        for name, rows in self.conditions.items():
            yield rows, self.spec.conditions[name].axis

    def _count(self, conditions: Mapping[str, Tensor]) -> int:
        counts = {
            name: rows.shape[self.spec.conditions[name].axis] for name, rows in conditions.items()
        }
        if len(set(counts.values())) != 1:
            raise ValueError(f"conditions of {counts} frames: expected as many of each")
        count = next(iter(counts.values()))
        if not 1 <= count <= self.spec.frames:
            raise ValueError(f"{count} new frames: expected 1 to {self.spec.frames}")
        return count


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A window at one moment."""

    first_frame: int
    buffers: tuple[Tensor, ...]
