"""Sound to windows of speech features, one window a frame."""

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.api import BadAudioError
from engine.vexpress.checkpoints import CheckpointError
from engine.vexpress.extra import require

SAMPLE_RATE_HZ = 16_000
ROWS_PER_FRAME = 2  # speech features are stretched to two for every frame
MIN_VARIANCE = 1e-7
# The resampling filter: a windowed sinc that reaches six zero crossings to each side and passes
# 99 % of the band.
ZERO_CROSSINGS, PASSED_BAND = 6, 0.99


class SpeechEncoder(nn.Module):
    """The frozen public speech encoder; only its last layer is used."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network: Any = network

    @property
    def min_samples(self) -> int:
        """The least sound that gives one row of features."""
        samples = 1
        config = self.network.config
        for kernel, stride in zip(config.conv_kernel[::-1], config.conv_stride[::-1], strict=True):
            samples = (samples - 1) * int(stride) + int(kernel)
        return samples

    def forward(self, waveform: Tensor) -> Tensor:
        """The whole sound [samples] at 16 kHz -> features [1, rows, channels], 50 a second."""
        if waveform.shape[-1] < self.min_samples:
            raise BadAudioError(
                f"{waveform.shape[-1]} samples of sound: expected at least {self.min_samples}"
            )
        return self.encode(normalise(waveform))

    def encode(self, normal: Tensor) -> Tensor:
        """Sound [samples] that is normalised already -> features [1, rows, channels]."""
        parameter = next(self.parameters())
        placed = normal[None].to(parameter.device, parameter.dtype)
        features: Tensor = self.network(placed).last_hidden_state
        return features


def load_speech_encoder(folder: Path, dtype: torch.dtype = torch.float32) -> SpeechEncoder:
    """The speech encoder from a folder in the layout of transformers."""
    if not (folder / "config.json").is_file():
        raise CheckpointError(
            f"{folder}: no speech encoder there, expected config.json and weights beside it"
        )
    try:
        with _no_progress_bar():
            network = require("transformers").Wav2Vec2Model.from_pretrained(
                folder, local_files_only=True
            )
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        reason = str(error).partition("\n")[0]
        raise CheckpointError(f"{folder}: no speech encoder can be read ({reason})") from error
    return SpeechEncoder(network.to(dtype).requires_grad_(False).eval())


def to_speech_rate(waveform: Tensor, rate_hz: int) -> Tensor:
    """[channels, samples] at any rate -> [samples] at 16 kHz."""
    return resample(waveform, rate_hz, SAMPLE_RATE_HZ).mean(dim=0)


def resample(waveform: Tensor, rate_hz: int, target_hz: int) -> Tensor:
    """Change the rate of [channels, samples] by a windowed sinc; silence surrounds the sound."""
    if rate_hz == target_hz:
        return waveform
    divisor = math.gcd(rate_hz, target_hz)
    old, new = rate_hz // divisor, target_hz // divisor
    kernel = _sinc_kernel(old, new, waveform.dtype)
    reach = (kernel.shape[-1] - old) // 2
    padded = functional.pad(waveform, (reach, reach + old))
    phases = functional.conv1d(padded[:, None], kernel[:, None], stride=old)  # [c, new, blocks]
    samples = math.ceil(new * waveform.shape[-1] / old)
    return phases.transpose(1, 2).reshape(waveform.shape[0], -1)[:, :samples]


def normalise(waveform: Tensor) -> Tensor:
    """Zero mean and unit variance over the whole sound [samples]."""
    variance, mean = torch.var_mean(waveform, correction=0)
    return (waveform - mean) / (variance + MIN_VARIANCE).sqrt()


def frame_windows(features: Tensor, frames: int, padding_frames: int = 2) -> Tensor:
    """Features [1, rows, channels] of a clip -> windows [frames, rows a window, channels].

    The clip's features are stretched to two rows a frame; a window is a frame's own two and
    those of `padding_frames` frames to each side, zeros beyond the clip.
    """
    rows = ROWS_PER_FRAME * frames
    stretched = functional.interpolate(
        features.float().transpose(1, 2), size=rows, mode="linear", align_corners=False
    )
    margin = ROWS_PER_FRAME * padding_frames
    padded = functional.pad(stretched[0], (margin, margin)).to(features.dtype)
    window_rows = ROWS_PER_FRAME * (2 * padding_frames + 1)
    return padded.unfold(1, window_rows, ROWS_PER_FRAME).permute(1, 2, 0)


@contextlib.contextmanager
def _no_progress_bar() -> Iterator[None]:
    """Keep the bar of a library away, which has no other switch than a global one."""
    logging = require("transformers.utils.logging")
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _sinc_kernel(old: int, new: int, dtype: torch.dtype) -> Tensor:
    """Filters [new, taps], one for each place of a new sample between old ones."""
    band = PASSED_BAND * min(old, new)
    reach = math.ceil(ZERO_CROSSINGS * old / band)
    # In the sound's own data type throughout: the published rounding is part of the filter.
    taps = torch.arange(-reach, reach + old, dtype=dtype) / old
    places = torch.arange(0, -new, -1, dtype=dtype) / new
    crossings = ((places[:, None] + taps) * band).clamp(-ZERO_CROSSINGS, ZERO_CROSSINGS)
    window = torch.cos(crossings * torch.pi / ZERO_CROSSINGS / 2) ** 2
    angles = crossings * torch.pi
    sinc = torch.where(angles == 0, torch.ones(()).to(dtype), angles.sin() / angles)
    return sinc * (window * (band / old))
