"""Motion v1: a small causal network from sound to mouth channels, 80 ms of look-ahead.

Hops of 10 ms are joined to frames of 40 ms, then blocks of dilated causal taps look back over about
a second. Every layer keeps the few past values it needs, so a frame costs the same for ever and
streaming gives what one pass over the whole sound would.
"""

from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from engine.api import Samples
from engine.config import TIMING
from engine.portrait.channels import MOUTH_CHANNELS
from engine.portrait.gate import LOOK_AHEAD_FRAMES, MouthGate
from engine.portrait.landmarks import Floats
from engine.portrait.mel import BANDS, HOPS_PER_FRAME, MelStream

__all__ = ["LOOK_AHEAD_FRAMES", "WEIGHTS_PATH", "MotionModel", "MotionStream", "MouthNetwork"]

WEIGHTS_PATH = Path(__file__).parents[1] / "weights" / "motion.safetensors"

_HOP_TAPS, _HOP_WIDTH = 5, 64
_WIDTH, _TAPS = 128, 3
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


class _Block(nn.Module):
    def __init__(self, dilation: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(_WIDTH)
        self.taps = CausalTaps(_TAPS, dilation, _WIDTH, _WIDTH)
        self.mix = nn.Linear(_WIDTH, _WIDTH)
        self.dropout = nn.Dropout(dropout)

    def forward(self, values: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        hidden, past = self.taps(self.norm(values), past)
        return values + self.mix(self.dropout(nn.functional.gelu(hidden))), past


class MouthNetwork(nn.Module):
    """Mel features to mouth channels. Output step k belongs to frame k - `LOOK_AHEAD_FRAMES`."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.hops = CausalTaps(_HOP_TAPS, 1, BANDS, _HOP_WIDTH)
        self.join = nn.Linear(HOPS_PER_FRAME * _HOP_WIDTH, _WIDTH)
        self.blocks = nn.ModuleList(_Block(dilation, dropout) for dilation in _DILATIONS)
        self.norm = nn.LayerNorm(_WIDTH)
        self.head = nn.Linear(_WIDTH, MOUTH_CHANNELS)
        self.register_buffer("scale", torch.ones(MOUTH_CHANNELS))  # centimetres per output

    def start(self, batch: int = 1) -> State:
        """The state before the first sound."""
        layers = [layer for layer in self.modules() if isinstance(layer, CausalTaps)]
        return [torch.zeros(batch, layer.past, layer.inputs) for layer in layers]

    def forward(self, features: Tensor, state: State) -> tuple[Tensor, State]:
        """features [batch, hops, BANDS], whole frames: channels [batch, frames, 9], new state."""
        hops, past = self.hops(features, state[0])
        following = [past]
        joined = nn.functional.gelu(hops).reshape(len(features), -1, HOPS_PER_FRAME * _HOP_WIDTH)
        values = self.join(joined)
        for block, before in zip(self.blocks, state[1:], strict=True):
            values, past = block(values, before)
            following.append(past)
        return self.head(self.norm(values)) * self.scale, following


class MotionModel:
    """The trained weights: never change, shared by any number of streams."""

    def __init__(self, network: MouthNetwork) -> None:
        self._network = network.eval().requires_grad_(requires_grad=False)

    @classmethod
    def load(cls, path: Path = WEIGHTS_PATH) -> "MotionModel":
        """Read weights; `ValueError` when the file is not exactly such weights."""
        try:
            with safe_open(path, "pt") as file:
                weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
        except SafetensorError as error:
            raise ValueError(f"{path}: not a safetensors file ({error})") from error
        network = MouthNetwork()
        try:
            network.load_state_dict(weights, strict=True)
        except RuntimeError as error:
            raise ValueError(f"{path}: not weights of the mouth network: {error}") from error
        return cls(network)

    def open(self, strength: float = 1.0) -> "MotionStream":
        """Start a stream whose mouth channels are scaled by `strength`."""
        return MotionStream(self._network, strength)


class MotionStream:
    """The mouth of one voice in progress."""

    def __init__(self, network: MouthNetwork, strength: float) -> None:
        self._network, self._strength = network, strength
        self._mel, self._gate = MelStream(), MouthGate()
        self.reset()

    def reset(self) -> None:
        """Forget all sound; the next frame pushed is frame 0."""
        self._mel.reset()
        self._gate.reset()
        self._state = self._network.start()
        self._loudness = [0.0] * (LOOK_AHEAD_FRAMES + 1)
        self._frames = 0

    @property
    def loudness(self) -> float:
        """Speech level of the frame that `push` returned last: 0 silent, about 1 as usual."""
        return self._loudness[0]

    def push(self, frame: Samples) -> Floats | None:
        """Take the samples [640] of frame k; return the mouth channels [9] of frame k - 2."""
        if frame.shape != (TIMING.samples_per_frame,):
            raise ValueError(f"expected {TIMING.samples_per_frame} samples, got {frame.shape}")
        hops = self._mel.push(frame)
        with torch.inference_mode():
            features = torch.from_numpy(hops.features)[None]
            channels, self._state = self._network(features, self._state)
        openness = self._gate.push(hops.excess_db)
        self._loudness = [*self._loudness[1:], float(hops.loudness.mean())]
        self._frames = min(self._frames + 1, LOOK_AHEAD_FRAMES + 1)
        if self._frames <= LOOK_AHEAD_FRAMES:
            return None
        return np.asarray(channels[0, 0].numpy() * np.float32(openness * self._strength))
