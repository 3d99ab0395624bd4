"""Mouth motion as a stream of latents: z-scored channels, denoised in a window that slides.

Every frame is denoised beside those that were shown before it, which stay as they are, and beside
two future frames, which are begun anew with the next. `motion_runner.py` does that.
"""

from functools import cache

import torch
from torch import Tensor, nn

from engine.portrait.channels import MOUTH_CHANNELS
from engine.portrait.gate import LOOK_AHEAD_FRAMES
from engine.portrait.motion_unet import NOISE_LEVELS, WINDOW_FRAMES, MotionUnet
from engine.portrait.mouth_network import HEARD, MouthNetwork, State
from engine.stream.ladder import Ladder, cosine_signals, spread_timesteps
from engine.stream.schedule import Window

STEPS = 2
SCHEDULE = Window(
    chunk_frames=1,
    history_frames=WINDOW_FRAMES - 1 - LOOK_AHEAD_FRAMES,
    future_frames=LOOK_AHEAD_FRAMES,
    steps=STEPS,
    clean_history=True,
)


@cache
def motion_ladder() -> Ladder:
    """The noise levels of a mouth, from pure noise down."""
    timesteps = spread_timesteps(NOISE_LEVELS, STEPS)
    return Ladder.climb(cosine_signals(NOISE_LEVELS), timesteps)


class MotionNetwork(nn.Module):
    """Everything that is trained: what listens, what denoises, and the units of the latents."""

    middle: Tensor
    spread: Tensor

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.mouth = MouthNetwork(dropout)
        self.unet = MotionUnet()
        self.register_buffer("middle", torch.zeros(MOUTH_CHANNELS))  # centimetres
        self.register_buffer("spread", torch.ones(MOUTH_CHANNELS))

    def listen(self, features: Tensor, state: State) -> tuple[Tensor, State]:
        """features [batch, hops, FEATURES], whole frames: rows [batch, frames, ROW], new state."""
        heard, state = self.mouth.listen(features, state)
        return self.row(heard), state

    def row(self, heard: Tensor) -> Tensor:
        """What the denoiser is told [..., ROW] of what was heard [..., HEARD]."""
        return self.unet.row(self.to_latents(self.mouth.tell(heard)), heard)

    def to_latents(self, mouth: Tensor) -> Tensor:
        """Centimetres [..., 9] to standard deviations."""
        return (mouth - self.middle) / self.spread

    def to_mouth(self, latents: Tensor) -> Tensor:
        """Standard deviations [..., 9] to centimetres."""
        return latents * self.spread + self.middle

    def anchor(self) -> Tensor:
        """A closed mouth as latents [1, 9, 1]."""
        return self.to_latents(torch.zeros(MOUTH_CHANNELS)).reshape(1, -1, 1)

    def silence(self) -> Tensor:
        """The row [1, 1, ROW] of a frame before the first, of which nothing was heard."""
        anchor = self.anchor().transpose(1, 2)
        return self.unet.row(anchor, anchor.new_zeros(1, 1, HEARD))
