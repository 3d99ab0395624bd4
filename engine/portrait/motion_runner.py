"""The motion network on NumPy: sound in, a mouth out, a frame at a time.

The same numbers, up to rounding, as `MotionNetwork.listen` and its UNet on the streaming core
(`engine/stream/`) with the schedule of `motion_denoiser.py`: those say what it means, and it is
tested against them. There a frame is 340 operations of PyTorch on a few kilobytes each, and handing
them out takes ten times as long as computing them. Here history frames, which never change any
more, keep what they gave to the first layer, and a step down the ladder is two numbers.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
import torch

from engine.portrait.channels import MOUTH_CHANNELS
from engine.portrait.gate import LOOK_AHEAD_FRAMES
from engine.portrait.landmarks import Floats
from engine.portrait.motion_denoiser import SCHEDULE, MotionNetwork, motion_ladder
from engine.portrait.motion_unet import ROW, STRIDES, WIDTH, WINDOW_FRAMES
from engine.portrait.mouth_network import HEARD
from engine.portrait.mouth_runner import MouthRunner, MouthWeights
from engine.portrait.numpy_layers import Affine, array_of
from engine.portrait.unet_runner import UnetWeights
from engine.stream.ladder import Rung
from engine.stream.noise import FrameNoise
from kernels.reference import NOISE_FLOOR

_HISTORY = SCHEDULE.history_frames
_NEW = WINDOW_FRAMES - _HISTORY  # the frame that leaves, and the future ones
DRAWN_AT_ONCE = 16  # frames of noise: a generator that was not at hand takes ten times as long
_FIRST_LEVEL = slice(MOUTH_CHANNELS, MOUTH_CHANNELS + WIDTH)  # of a row
_LATER_LEVELS = slice(_FIRST_LEVEL.stop, ROW)


class MotionWeights:
    """What never changes: copies of a network's weights, shared by any number of streams."""

    def __init__(self, network: MotionNetwork) -> None:
        self.mouth = MouthWeights(network.mouth)
        self.unet = UnetWeights(network.unet, _NEW)
        self.enter = array_of(network.unet.enter.weight)[:, :MOUTH_CHANNELS].T  # of latents
        self.row, self.silence = _told_rows(network)
        self.levels = [_Level.of(network, rung) for rung in motion_ladder().rungs]
        self.rest = _Level.of(network, motion_ladder().rest)
        self.anchor = array_of(network.anchor())[0, :, 0]
        self.middle, self.spread = array_of(network.middle), array_of(network.spread)


class MotionRunner:
    """The mouth of one voice in progress. Fixed in size, changed in place."""

    def __init__(self, weights: MotionWeights, seed: int) -> None:
        self._weights = weights
        self._mouth = MouthRunner(weights.mouth)
        self._source = FrameNoise(seed, (MOUTH_CHANNELS,))
        self._noise = np.empty((_NEW, MOUTH_CHANNELS), np.float32)
        self._coming_noise = np.empty((DRAWN_AT_ONCE, MOUTH_CHANNELS), np.float32)
        self._entered = np.empty((WINDOW_FRAMES, WIDTH), np.float32)
        # What was heard when frame k came belongs to frame k - 2: the newest frames share a row.
        rows = WINDOW_FRAMES + LOOK_AHEAD_FRAMES
        self._told = np.empty((rows, _LATER_LEVELS.stop - _LATER_LEVELS.start), np.float32)
        self._told_levels = [
            self._told[
                LOOK_AHEAD_FRAMES + stride - 1 :: stride, level * WIDTH : (level + 1) * WIDTH
            ]
            for level, stride in enumerate(STRIDES[1:])
        ]
        self.reset()

    def reset(self) -> None:
        """Forget all sound and motion; the next frame is number 0."""
        self._mouth.reset()
        self._frame = 0
        before = np.stack([self._source.frame(frame) for frame in range(-WINDOW_FRAMES, 0)])
        self._noise[:] = before[-_NEW:]
        row = self._weights.silence
        self._told[:] = row[_LATER_LEVELS]
        for place in range(_HISTORY + 1):
            self._finish(place, self._weights.anchor, before[place], row)

    def push(self, features: Floats) -> Floats | None:
        """Features [hops, FEATURES] of frame k; the mouth [9] of frame k - 2 in centimetres."""
        weights = self._weights
        with np.errstate(over="ignore"):
            row = weights.row(self._mouth.listen(features))
            self._slide(row)
            clean = self._denoise(row)
        self._finish(_HISTORY, clean, self._noise[0], row)
        self._frame += 1
        if self._frame <= LOOK_AHEAD_FRAMES:
            return None
        return np.asarray(clean * weights.spread + weights.middle)

    def _slide(self, row: Floats) -> None:
        """Let the oldest frame go and a new one in."""
        self._entered[:_HISTORY] = self._entered[1 : _HISTORY + 1]
        self._told[:-_NEW] = self._told[1 : 1 - _NEW]
        self._told[-_NEW:] = row[_LATER_LEVELS]
        coming = self._frame % DRAWN_AT_ONCE
        if not coming:
            for ahead in range(DRAWN_AT_ONCE):
                self._coming_noise[ahead] = self._source.frame(self._frame + ahead)
        self._noise[:-1] = self._noise[1:]
        self._noise[-1] = self._coming_noise[coming]

    def _denoise(self, row: Floats) -> Floats:
        """The clean latents [9] of the frame that leaves; the future ones are begun anew."""
        weights = self._weights
        latents = weights.levels[0].under_noise(weights.anchor, self._noise)
        clean = latents
        for level in weights.levels:
            self._entered[_HISTORY:] = latents.dot(weights.enter) + (row[_FIRST_LEVEL] + level.told)
            clean = weights.unet(self._entered, self._told_levels)
            clean += row[:MOUTH_CHANNELS]
            latents = level.kept * latents + level.gained * clean
        return np.asarray(clean[0])

    def _finish(self, place: int, clean: Floats, noise: Floats, row: Floats) -> None:
        """What a frame that is clean gives to the first layer from now on."""
        rest = self._weights.rest
        shown = rest.under_noise(clean, noise)
        self._entered[place] = shown.dot(self._weights.enter) + row[_FIRST_LEVEL] + rest.told


@dataclass(frozen=True, slots=True)
class _Level:
    """A noise level, and the step from it to the next: kept * latents + gained * clean ones."""

    signal_root: float
    noise_root: float
    kept: float
    gained: float
    told: Floats  # [WIDTH] what the first layer makes of it

    @classmethod
    def of(cls, network: MotionNetwork, rung: Rung) -> "_Level":
        """As `kernels.step` does it with predicted clean latents."""
        signal_root, noise_root = sqrt(rung.signal), sqrt(1 - rung.signal)
        kept = sqrt(1 - rung.next_signal) / max(noise_root, NOISE_FLOOR)
        gained = sqrt(rung.next_signal) - kept * signal_root
        roots = network.unet.roots[rung.timestep]
        told = array_of(network.unet.enter.weight[:, 2 * MOUTH_CHANNELS :] @ roots)
        return cls(signal_root, noise_root, kept, gained, told)

    def under_noise(self, clean: Floats, noise: Floats) -> Floats:
        """Clean latents at this level."""
        return np.asarray(self.signal_root * clean + self.noise_root * noise)


def _told_rows(network: MotionNetwork) -> tuple[Affine, Floats]:
    """From what is heard [HEARD] to a row [ROW], and the row of silence.

    The first level's part has what entering makes of the foretold mouth in it. All of it is one
    linear map, read off from what the network makes of nothing and of each single number.
    """
    single = torch.cat([torch.zeros(1, HEARD), torch.eye(HEARD)])
    with torch.inference_mode():
        rows = array_of(torch.cat([network.silence()[0], network.row(single)]))
    enter = network.unet.enter
    foretold = array_of(enter.weight)[:, MOUTH_CHANNELS : 2 * MOUTH_CHANNELS]
    rows[:, _FIRST_LEVEL] += rows[:, :MOUTH_CHANNELS] @ foretold.T + array_of(enter.bias)
    silence, nothing, *_ = rows
    return Affine(rows[2:] - nothing, nothing), silence
