"""What sound says of the mouth: a small causal network that looks 80 ms ahead.

Hops of 10 ms are joined to frames of 40 ms, what is spoken is added, then blocks of dilated causal
taps look back over about a second. Every layer keeps the few past values it needs, so a frame costs
the same for ever and streaming gives what one pass over the whole sound would.
"""

from typing import TypeAlias

import torch
from torch import Tensor, nn

from engine.portrait.channels import MOUTH_CHANNELS
from engine.portrait.hearing import FEATURES, PHONES
from engine.portrait.mel import BANDS, HOPS_PER_FRAME

_HOP_TAPS, _HOP_WIDTH = 5, 64
HEARD = _WIDTH = 128
_TAPS = 3
_DILATIONS = (1, 2, 4, 1, 2, 4)  # frames; 29 frames are seen in all

State: TypeAlias = list[Tensor]  # per layer [batch, past, channels]


class CausalTaps(nn.Module):
    """A linear map of the present value and `taps` - 1 past ones, `dilation` steps apart."""

    def __init__(self, taps: int, dilation: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.past, self.inputs = (taps - 1) * dilation, inputs
        self._offsets = [tap * dilation for tap in range(taps)]
        self.linear = nn.Linear(taps * inputs, outputs)

    def forward(self, values: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        """values [batch, steps, inputs] after past [batch, self.past, inputs]: result, new past."""
        steps = values.shape[1]
        whole = torch.cat([past, values], 1)
        taps = torch.cat([whole[:, offset : offset + steps] for offset in self._offsets], -1)
        return self.linear(taps), whole[:, steps:]


class HearingBlock(nn.Module):
    """Adds what the past says about the present."""

    def __init__(self, dilation: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(_WIDTH)
        self.taps = CausalTaps(_TAPS, dilation, _WIDTH, _WIDTH)
        self.mix = nn.Linear(_WIDTH, _WIDTH)
        self.dropout = nn.Dropout(dropout)

    def forward(self, values: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        """values [batch, frames, width] and their past: result, new past."""
        hidden, past = self.taps(self.norm(values), past)
        hidden = nn.functional.gelu(hidden)
        if self.training:
            hidden = self.dropout(hidden)
        return values + self.mix(hidden), past


class MouthNetwork(nn.Module):
    """What is heard to mouth channels. Output step k belongs to frame k - `LOOK_AHEAD_FRAMES`."""

    scale: Tensor

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.hops = CausalTaps(_HOP_TAPS, 1, BANDS, _HOP_WIDTH)
        self.join = nn.Linear(HOPS_PER_FRAME * _HOP_WIDTH, _WIDTH)
        self.phones = nn.Linear(PHONES, _WIDTH)
        self.blocks = nn.ModuleList(HearingBlock(dilation, dropout) for dilation in _DILATIONS)
        self.norm = nn.LayerNorm(_WIDTH)
        self.head = nn.Linear(_WIDTH, MOUTH_CHANNELS)
        self.register_buffer("scale", torch.ones(MOUTH_CHANNELS))  # centimetres per output

    def start(self, batch: int = 1) -> State:
        """The state before the first sound."""
        layers = [layer for layer in self.modules() if isinstance(layer, CausalTaps)]
        return [torch.zeros(batch, layer.past, layer.inputs) for layer in layers]

    def forward(self, features: Tensor, state: State) -> tuple[Tensor, State]:
        """features [batch, hops, FEATURES] of whole frames: [batch, frames, 9], new state."""
        heard, following = self.listen(features, state)
        return self.tell(heard), following

    def tell(self, heard: Tensor) -> Tensor:
        """Channels [batch, frames, 9] of what was heard [batch, frames, HEARD]."""
        channels: Tensor = self.head(heard) * self.scale
        return channels

    def listen(self, features: Tensor, state: State) -> tuple[Tensor, State]:
        """What `forward` knows of each frame [batch, frames, HEARD], and the new state."""
        bands, phones = torch.split(features, [BANDS, FEATURES - BANDS], -1)
        hops, past = self.hops(bands, state[0])
        following = [past]
        joined = nn.functional.gelu(hops).reshape(len(features), -1, HOPS_PER_FRAME * _HOP_WIDTH)
        values = self.join(joined) + self.phones(phones.reshape(len(phones), -1, PHONES))
        for block, before in zip(self.blocks, state[1:], strict=True):
            values, past = block(values, before)
            following.append(past)
        return self.norm(values), following
