"""From sound to mouth channels, 80 ms behind: mel, motion denoiser, level gate, strength."""

from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open

from engine.api import Samples
from engine.config import TIMING
from engine.portrait.gate import LOOK_AHEAD_FRAMES, MouthGate
from engine.portrait.landmarks import Floats
from engine.portrait.mel import MelStream
from engine.portrait.motion_denoiser import HEARD_ROWS, MotionNetwork, open_denoiser

__all__ = ["LOOK_AHEAD_FRAMES", "WEIGHTS_PATH", "MotionModel", "MotionStream", "shown"]

# The mean of all mouths that a sound may belong to moves less than any of them: 0.6 of what people
# do who were never trained on.
LIVELINESS = 1.4

WEIGHTS_PATH = Path(__file__).parents[1] / "weights" / "motion.safetensors"


def shown(mouth: Floats, share: float | Floats) -> Floats:
    """What the face does of a foretold mouth [..., 9], of which the gate lets a share through."""
    return np.asarray(mouth * np.float32(share * LIVELINESS))


class MotionModel:
    """The trained weights: never change, shared by any number of streams."""

    def __init__(self, network: MotionNetwork) -> None:
        self.network = network.eval().requires_grad_(requires_grad=False)

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
        return MotionStream(self.network, strength, seed)


class MotionStream:
    """The mouth of one voice in progress."""

    def __init__(self, network: MotionNetwork, strength: float, seed: int) -> None:
        self._network, self._strength = network, strength
        self._mel, self._gate = MelStream(), MouthGate()
        with torch.inference_mode():
            self._denoiser = open_denoiser(network, seed)
        self.reset()

    def reset(self) -> None:
        """Forget all sound; the next frame pushed is frame 0."""
        self._mel.reset()
        self._gate.reset()
        with torch.inference_mode():
            self._denoiser.reset()
            self._state = self._network.mouth.start()
        self._loudness = [0.0] * (LOOK_AHEAD_FRAMES + 1)

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
            rows, self._state = self._network.listen(features, self._state)
            emitted = self._denoiser.push({HEARD_ROWS: rows})
        openness = self._gate.push(hops.excess_db)
        self._loudness = [*self._loudness[1:], float(hops.loudness.mean())]
        if emitted is None:
            return None
        with torch.inference_mode():
            mouth = self._network.to_mouth(emitted.latents[0, :, 0]).numpy()
        return shown(mouth, openness * self._strength)
