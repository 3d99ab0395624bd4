"""Clean latents to pictures, with the badge, on the device; and whether they can be shown."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.api import Picture
from engine.badge import BadgePainter
from engine.stream.runner import Runner, open_runner
from engine.stream.runner_settings import RunnerSettings
from kernels.i420 import rgb_to_i420

_BLACK = -0.9  # of -1..1: a frame whose brightest pixel is darker shows nothing
_BADGE = ("badge_keep", "badge_add")

DecodeImages = Callable[[Tensor], Tensor]  # latents [n, 4, h, w] -> RGB in -1..1 [n, 3, H, W]


@dataclass(frozen=True, slots=True)
class Decoded:
    """Frames as they leave the device."""

    pictures: NDArray[np.uint8]  # [frames, height, width, 3], or [frames, height * 3 / 2, width]
    shown: NDArray[np.bool_]  # [frames]: neither black nor broken


@dataclass(frozen=True, slots=True)
class Badge:
    """How a badge changes a picture: `keep` of it stays and `add` is added, [3, H, W] each."""

    token: bool
    keep: Tensor
    add: Tensor

    @classmethod
    def of(cls, side: int, like: Tensor, *, painted: bool) -> "Badge":
        """The badge for pictures of that side, or none at all."""
        extremes = badge_extremes(side, side) if painted else _extremes(side, side)
        low, high = (torch.from_numpy(x).permute(2, 0, 1).float() / 255 for x in extremes)
        keep = high - low
        add = keep + 2 * low - 1  # for colours in -1..1 instead of 0..1
        return cls(painted, *(x.to(like.device, like.dtype).contiguous() for x in (keep, add)))


def badge_extremes(height: int, width: int) -> tuple[Picture, Picture]:
    """A black picture and a white one with the badge on them: they tell all that it does."""
    painter, pictures = BadgePainter(width, height), _extremes(height, width)
    for picture in pictures:
        painter.paint(picture)
    return pictures


class Finish(Protocol):
    """How decoded squares become the frames that a visitor sees."""

    @property
    def badge(self) -> Badge:
        """What the decoder paints on the square."""
        ...

    def __call__(self, rgb: Tensor, i420: Tensor) -> Tensor:
        """RGB [frames, height, width, 3] and its planes, row by row -> frames, on the device."""
        ...


class FrameDecoder:
    """What computes: one decoder, captured once, for all visitors in turn."""

    def __init__(self, decode: DecodeImages, example: Tensor, how: RunnerSettings) -> None:
        """`example` are latents [frames, 4, h, w] in the decoder's data type."""
        self._frames = example.shape[0]
        side = decode(example[:1]).shape[-1]
        badge = Badge.of(side, example, painted=True)
        inputs = {"latents": example.float(), **dict(zip(_BADGE, _parts(badge), strict=True))}
        self._runner = open_runner(_pictures(decode, example.dtype), inputs, how)

    @property
    def runner(self) -> Runner:
        """The one that is captured."""
        return self._runner

    def decode(self, latents: Tensor, finish: Finish) -> Decoded:
        """Latents [1, 4, frames, h, w] of at most a chunk -> frames on the host."""
        frames = latents[0].transpose(0, 1)
        count = len(frames)
        if count < self._frames:
            frames = torch.cat([frames, frames[-1:].expand(self._frames - count, -1, -1, -1)])
        badge = finish.badge
        self._runner.keep(badge.token, **dict(zip(_BADGE, _parts(badge), strict=True)))
        rgb, i420, shown = self._runner.run(latents=frames)
        finished = finish(rgb[:count], i420[:count])
        return Decoded(finished.cpu().numpy().copy(), shown[:count].cpu().numpy().copy())


def _extremes(height: int, width: int) -> tuple[Picture, Picture]:
    """All black and all white."""
    black, white = (np.full((height, width, 3), value, np.uint8) for value in (0, 255))
    return black, white


def _parts(badge: Badge) -> tuple[Tensor, Tensor]:
    return badge.keep, badge.add


def _pictures(decode: DecodeImages, dtype: torch.dtype) -> Callable[..., tuple[Tensor, ...]]:
    def call(latents: Tensor, badge_keep: Tensor, badge_add: Tensor) -> tuple[Tensor, ...]:
        images = decode(latents.to(dtype))
        flat = images.flatten(1)
        shown = flat.isfinite().all(dim=1) & (flat.amax(dim=1) > _BLACK)
        marked = (images * badge_keep + badge_add).nan_to_num().clamp(-1, 1)
        rgb = ((marked.float() + 1) * 127.5 + 0.5).floor().byte().permute(0, 2, 3, 1)
        return rgb.contiguous(), rgb_to_i420(marked), shown

    return call
