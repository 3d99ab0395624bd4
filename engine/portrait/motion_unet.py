"""A temporal UNet that denoises a window of mouth motion, told by sound at every level.

A window is so short that frames are mixed by small matrices over all of them. They begin as
convolutions of three taps, with a stride between levels, and are free to differ by place: the same
place in the window is always history, new or future.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

from engine.portrait.channels import MOUTH_CHANNELS
from engine.portrait.gate import LOOK_AHEAD_FRAMES
from engine.portrait.mouth_network import HEARD
from engine.stream.ladder import cosine_signals

WINDOW_FRAMES = 32
NOISE_LEVELS = 1000
WIDTH = 48

STRIDES = (1, 2, 4)  # of the frames at each level
_TAPS = 3
ROW = MOUTH_CHANNELS + len(STRIDES) * WIDTH  # what the network is told of one frame of sound


class FrameMix(nn.Module):
    """Mixes frames and channels at once: like a convolution over frames that may vary by place."""

    def __init__(self, frames: int, frames_out: int) -> None:
        super().__init__()
        self.channels = nn.Parameter(torch.randn(WIDTH, _TAPS * WIDTH) * (_TAPS * WIDTH) ** -0.5)
        self.frames = nn.Parameter(_taps(frames, frames_out))
        self.bias = nn.Parameter(torch.zeros(WIDTH))

    def forward(self, values: Tensor) -> Tensor:
        """values [batch, frames, WIDTH] -> [batch, frames out, WIDTH]."""
        spread = torch.matmul(values, self.channels).view(len(values), -1, WIDTH)
        weights = self.frames.expand(len(values), -1, -1)
        return torch.baddbmm(self.bias, weights, spread)


def _taps(frames: int, frames_out: int) -> Tensor:
    """The matrix [frames out, frames * taps] of a convolution, strided either way."""
    matrix = torch.zeros(frames_out, frames, _TAPS)
    for place in range(frames_out):
        for tap in range(_TAPS):
            seen = (place + 1) * frames // frames_out - 1 + tap - _TAPS // 2
            if 0 <= seen < frames:
                matrix[place, seen, tap] = 1.0
    return matrix.view(frames_out, frames * _TAPS)


class MotionBlock(nn.Module):
    """Adds what is heard, then mixes beside a straight path."""

    def __init__(self, frames: int) -> None:
        super().__init__()
        self.mix = FrameMix(frames, frames)
        self.out = nn.Linear(WIDTH, WIDTH)

    def forward(self, values: Tensor, heard: Tensor) -> Tensor:
        """values and heard [batch, frames, WIDTH] -> [batch, frames, WIDTH]."""
        values = values + heard
        hidden = nn.functional.silu(self.mix(nn.functional.silu(values)))
        changed: Tensor = values + self.out(hidden)
        return changed


class MotionUnet(nn.Module):
    """Noisy motion, its noise levels and what was heard to clean motion, in standard deviations.

    It says by how much the mouth differs from what sound alone foretells, and begins with nothing.
    """

    roots: Tensor

    def __init__(self) -> None:
        super().__init__()
        frames = [WINDOW_FRAMES // stride for stride in STRIDES]
        self.told = nn.Linear(HEARD, len(STRIDES) * WIDTH)
        self.enter = nn.Linear(2 * MOUTH_CHANNELS + 2, WIDTH)
        self.blocks = nn.ModuleList(MotionBlock(count) for count in frames)
        pairs = list(pairwise(frames))
        self.downs = nn.ModuleList(FrameMix(fine, coarse) for fine, coarse in pairs)
        self.ups = nn.ModuleList(FrameMix(coarse, fine) for fine, coarse in pairs)
        self.leave = nn.Linear(WIDTH, MOUTH_CHANNELS)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)
        self.register_buffer("roots", _roots(), persistent=False)

    def row(self, foretold: Tensor, heard: Tensor) -> Tensor:
        """What is told of frames of sound [..., ROW].

        From the mouth that sound foretells [..., 9] and from what was heard [..., HEARD].
        """
        return torch.cat([foretold, self.told(heard)], -1)

    def forward(self, latents: Tensor, timesteps: Tensor, rows: Tensor) -> Tensor:
        """latents [batch, 9, 32], timesteps [batch, 32], rows [batch, 32, ROW]: clean latents.

        What was heard when frame k came belongs to frame k - 2; of the newest frames nothing newer
        is known.
        """
        newest = rows[:, -1:].expand(-1, LOOK_AHEAD_FRAMES, -1)
        rows = torch.cat([rows[:, LOOK_AHEAD_FRAMES:], newest], 1)
        foretold = rows[..., :MOUTH_CHANNELS]
        told = [
            rows[:, stride - 1 :: stride, first : first + WIDTH]
            for stride, first in zip(STRIDES, range(MOUTH_CHANNELS, ROW, WIDTH), strict=True)
        ]
        noise = nn.functional.embedding(timesteps, self.roots)
        seen = torch.cat([latents.transpose(1, 2), foretold, noise], -1)
        values = self.enter(seen)
        kept: list[Tensor] = []
        for level, block in enumerate(self.blocks):
            values = block(values, told[level])
            if level < len(self.downs):
                kept.append(values)
                values = self.downs[level](values)
        for level in reversed(range(len(self.ups))):
            values = nn.functional.silu(values)
            values = self.ups[level](values) + kept[level]
        clean: Tensor = foretold + self.leave(nn.functional.silu(values))
        return clean.transpose(1, 2)


def _roots() -> Tensor:
    """Roots of signal and noise [NOISE_LEVELS, 2] by timestep."""
    signal = torch.tensor(cosine_signals(NOISE_LEVELS))
    return torch.stack([signal.sqrt(), (1 - signal).sqrt()], -1)
