"""Reads sound files of any length as a stream of blocks, in flat memory. No torch.

What encoders add is taken off again (the delay at the start, the padding at the end), so that
sample 0 is the first sample that was recorded.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
from numpy.typing import NDArray

from engine.api import BadAudioError, Samples
from engine.config import TIMING

EXPECTED = "expected sound as WAV, MP3, FLAC, OGG/Opus or M4A"
BLOCK_SAMPLES = TIMING.sample_rate_hz * 2 // 5  # 0.4 s: few calls, little memory
SILENT_PEAK = 0.001  # -60 dB of full scale
# Rates that AAC, and with it the film, can hold; 48 kHz is the highest kept.
FILM_RATES_HZ = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
STEREO = 2
# A few broken packets are skipped as every player does; more means that the file is no sound.
MAX_DAMAGED_PACKETS, MAX_DAMAGED_SHARE = 3, 0.05
_FFMPEG_ERRORS = (av.FFmpegError, OSError, ValueError)

Waveform = NDArray[np.float32]  # [channels, time]


@dataclass(frozen=True, slots=True)
class Sound:
    """What the head of a sound file tells."""

    rate_hz: int  # of the original sound as blocks carry it, at most 48 kHz
    channels: int  # 1 or 2
    duration_s: float | None  # None: the file does not say


@dataclass(frozen=True, slots=True)
class AudioBlock:
    """The next piece of a file, twice: for the engine, and as good as the file has it."""

    samples: Samples  # [time] 16 kHz mono
    original: Waveform  # [channels, time] at the rate of `Sound`


class AudioReader:
    """Reads one sound file once, from start to end. Close it, or use it in a `with`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.damaged_packets = 0  # skipped so far
        self.peak = 0.0  # loudest sample so far
        if not path.exists():
            raise BadAudioError(f"{path}: no such file, {EXPECTED}")
        if not path.is_file():
            raise BadAudioError(f"{path}: not a file, {EXPECTED}")
        try:
            # Playlists must not reach beyond the file that was named.
            self._container = av.open(
                str(path.resolve()),
                options={"protocol_whitelist": "file"},
                metadata_errors="ignore",
            )
        except _FFMPEG_ERRORS as error:
            raise BadAudioError(_why_not_opened(path, error)) from error
        try:
            self._stream, self.sound = self._find_sound()
        except BadAudioError:
            self._container.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; safe to call twice."""
        self._container.close()

    @property
    def is_silent(self) -> bool:
        """Nothing that was read so far could be heard."""
        return self.peak < SILENT_PEAK

    def blocks(self) -> Iterator[AudioBlock]:
        """Yield the whole file in pieces of about 0.4 s. Raises `BadAudioError`."""
        layout = "mono" if self.sound.channels == 1 else "stereo"
        for_engine = _Resampler(layout, TIMING.sample_rate_hz)
        for_film = _Resampler(layout, self.sound.rate_hz)
        padding_s = 0.0
        try:
            for frame in self._decoded():
                if for_engine.held_samples >= BLOCK_SAMPLES:
                    yield self._block(for_engine.take(), for_film.take())
                for_engine.push(frame)
                for_film.push(frame)
                padding_s = _padding_s(frame)
            for_engine.push(None)
            for_film.push(None)
        except ValueError as error:  # the resampler's word for a change of rate or channels
            raise BadAudioError(f"{self._path}: changes its format midway ({error})") from error
        if for_engine.held_samples == 0:  # the last frame is held till here, if there was any
            raise BadAudioError(f"{self._path}: holds no sound, {EXPECTED}")
        yield self._block(for_engine.take(padding_s), for_film.take(padding_s))

    def _find_sound(self) -> tuple[av.AudioStream, Sound]:
        if not self._container.streams.audio:
            raise BadAudioError(f"{self._path}: has no audio stream, {EXPECTED}")
        stream = self._container.streams.audio[0]
        if not stream.rate or not stream.channels:
            raise BadAudioError(f"{self._path}: its sound cannot be decoded, {EXPECTED}")
        fitting = [rate_hz for rate_hz in FILM_RATES_HZ if rate_hz >= stream.rate]
        rate_hz = fitting[0] if fitting else FILM_RATES_HZ[-1]
        return stream, Sound(rate_hz, min(stream.channels, STEREO), self._duration_s(stream))

    def _duration_s(self, stream: av.AudioStream) -> float | None:
        if stream.duration and stream.time_base:
            return float(stream.duration * stream.time_base)
        if self._container.duration:
            return self._container.duration / av.time_base
        return None

    def _block(self, samples: Waveform, original: Waveform) -> AudioBlock:
        mono = samples.mean(axis=0)
        if not np.isfinite(mono).all():
            raise BadAudioError(f"{self._path}: holds samples that are not numbers")
        self.peak = max(self.peak, float(np.abs(original).max(initial=0.0)))
        return AudioBlock(np.clip(mono, -1.0, 1.0), original)

    def _decoded(self) -> Iterator[av.AudioFrame]:
        good_packets = 0
        for packet in self._packets():
            try:
                frames = packet.decode()
            except _FFMPEG_ERRORS as error:
                self._count_damage(good_packets, error)
                continue
            good_packets += 1
            yield from frames

    def _packets(self) -> "Iterator[av.Packet[av.AudioStream]]":
        try:
            yield from self._container.demux(self._stream)
        except _FFMPEG_ERRORS as error:
            raise BadAudioError(f"{self._path}: damaged ({_reason(error)})") from error

    def _count_damage(self, good_packets: int, error: Exception) -> None:
        self.damaged_packets += 1
        if self.damaged_packets > MAX_DAMAGED_PACKETS + MAX_DAMAGED_SHARE * good_packets:
            raise BadAudioError(f"{self._path}: damaged ({_reason(error)})") from error


class _Resampler:
    """Brings frames to one rate and layout, and holds the result until it is taken."""

    def __init__(self, layout: str, rate_hz: int) -> None:
        self._resampler = av.AudioResampler("fltp", layout, rate_hz)
        self._rate_hz = rate_hz
        self._channels = 1 if layout == "mono" else STEREO
        self._held: list[Waveform] = []
        self.held_samples = 0

    def push(self, frame: av.AudioFrame | None) -> None:
        """Take the next frame; None marks the end and gives out what the filter still holds."""
        if frame is not None:
            frame.pts = None  # samples count in a row: gaps and wraps of time stamps do not matter
        for made in self._resampler.resample(frame):
            self._held.append(made.to_ndarray().astype(np.float32, copy=False))
            self.held_samples += made.samples

    def take(self, padding_s: float = 0.0) -> Waveform:
        """Hand out what is held, [channels, time], but for that much at its end."""
        held: Waveform = np.concatenate([np.empty((self._channels, 0), np.float32), *self._held], 1)
        self._held, self.held_samples = [], 0
        return held[:, : held.shape[1] - round(padding_s * self._rate_hz)]


def _padding_s(frame: av.AudioFrame) -> float:
    """Tell how much longer a frame is than the file says. AAC fills up its last frame."""
    is_exact = frame.time_base is not None and frame.time_base * frame.sample_rate == 1
    if is_exact and 0 < frame.duration < frame.samples:
        return (frame.samples - frame.duration) / frame.sample_rate
    return 0.0


def _why_not_opened(path: Path, error: Exception) -> str:
    if isinstance(error, PermissionError):
        return f"{path}: may not be read"
    if path.stat().st_size == 0:
        return f"{path}: empty file, {EXPECTED}"
    return f"{path}: not a sound file that can be read ({_reason(error)}), {EXPECTED}"


def _reason(error: Exception) -> str:
    """FFmpeg's own words, without the number and the path around them."""
    return getattr(error, "strerror", None) or str(error)
