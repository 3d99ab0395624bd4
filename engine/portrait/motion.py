"""From sound to mouth channels, 80 ms behind: hearing, motion denoiser, level gate, strength."""

from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from engine.api import Samples
from engine.config import TIMING
from engine.portrait.channels import Channel
from engine.portrait.gate import LOOK_AHEAD_FRAMES, MouthGate
from engine.portrait.hearing import Hearing
from engine.portrait.landmarks import Floats
from engine.portrait.motion_denoiser import MotionNetwork
from engine.portrait.motion_runner import MotionRunner, MotionWeights
from engine.portrait.phone_runner import PhoneWeights, shipped_phones

__all__ = [
    "LIVELINESS",
    "LOOK_AHEAD_FRAMES",
    "WEIGHTS_PATH",
    "MotionModel",
    "MotionStream",
    "shown",
]

# The mean of all mouths that a sound may belong to moves less than any of them: 0.6 of what people
# do who were never trained on.
LIVELINESS = 1.6

# That mean is also never as shut as lips are: half open where they may be open or shut. A hyperbola
# has it near zero for longer, and steeper after.
_SHUT_CM, _STEEPER = 0.8, 1.35
# What one centimetre of opening is made of, in people: chin, upper and lower lip.
_OPENING = np.array([0.38, 0.3, 0.7], np.float32)
_OPENED = slice(Channel.JAW_OPEN, Channel.LOWER_LIP_DOWN + 1)
_LIPS = slice(Channel.UPPER_LIP_UP, Channel.LOWER_LIP_DOWN + 1)

WEIGHTS_PATH = Path(__file__).parents[1] / "weights" / "motion.safetensors"


def shown(mouth: Floats, share: float | Floats) -> Floats:
    """What the face does of a foretold mouth [..., 9], of which the gate lets a share through.

    Pressed lips stay as they are.
    """
    lively = np.asarray(mouth, np.float32) * np.float32(LIVELINESS)
    opening = np.maximum(lively[..., _LIPS].sum(-1, keepdims=True), 0)
    wanted = _STEEPER * (np.sqrt(opening**2 + _SHUT_CM**2) - _SHUT_CM)
    lively[..., _OPENED] += (wanted - opening) * _OPENING
    return np.asarray(lively * np.asarray(share, np.float32))


class MotionModel:
    """The trained weights: never change, shared by any number of streams."""

    def __init__(self, network: MotionNetwork) -> None:
        self.network = network.eval().requires_grad_(requires_grad=False)
        self._weights = MotionWeights(network)
        self._phones = shipped_phones()

    @classmethod
    def load(cls, path: Path = WEIGHTS_PATH) -> "MotionModel":
        """Read weights; `ValueError` when the file is not exactly such weights."""
        try:
            with safe_open(path, "pt") as file:
                weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
        except SafetensorError as error:
            raise ValueError(f"{path}: not a safetensors file ({error})") from error
        network = MotionNetwork()
        try:
            network.load_state_dict(weights, strict=True)
        except RuntimeError as error:
            raise ValueError(f"{path}: not weights of the motion network: {error}") from error
        return cls(network)

    def open(self, strength: float = 1.0, seed: int = 0) -> "MotionStream":
        """Start a stream: `strength` scales its mouth channels, `seed` varies the motion."""
        return MotionStream(self._weights, self._phones, strength, seed)


class MotionStream:
    """The mouth of one voice in progress."""

    def __init__(
        self, weights: MotionWeights, phones: PhoneWeights, strength: float, seed: int
    ) -> None:
        self._strength = strength
        self._hearing, self._gate = Hearing(phones), MouthGate()
        self._runner = MotionRunner(weights, seed)
        self.reset()

    def reset(self) -> None:
        """Forget all sound; the next frame pushed is frame 0."""
        self._hearing.reset()
        self._gate.reset()
        self._runner.reset()
        self._loudness = [0.0] * (LOOK_AHEAD_FRAMES + 1)

    @property
    def loudness(self) -> float:
        """Speech level of the frame that `push` returned last: 0 silent, about 1 as usual."""
        return self._loudness[0]

    def push(self, frame: Samples) -> Floats | None:
        """Take the samples [640] of frame k; return the mouth channels [9] of frame k - 2."""
        if frame.shape != (TIMING.samples_per_frame,):
            raise ValueError(f"expected {TIMING.samples_per_frame} samples, got {frame.shape}")
        heard = self._hearing.push(frame)
        hops = heard.hops
        mouth = self._runner.push(heard.features)
        openness = self._gate.push(hops.excess_db)
        self._loudness = [*self._loudness[1:], float(np.add.reduce(hops.loudness) / len(hops))]
        return None if mouth is None else shown(mouth, openness * self._strength)
