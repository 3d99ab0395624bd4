"""Makes sound files for tests: a click at a known time, in any format that people send."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

Waveform = NDArray[np.float32]  # [channels, time]

CODECS = {
    ".wav": "pcm_s16le",
    ".mp3": "libmp3lame",
    ".flac": "flac",
    ".ogg": "libopus",
    ".opus": "libopus",
    ".m4a": "aac",
    ".webm": "libopus",
}


def click(rate_hz: int, channels: int = 1, seconds: float = 3.0, at_s: float = 1.0) -> Waveform:
    """A short burst, its highest point at `at_s`, over a hum that can hardly be heard."""
    time_s = np.arange(round(rate_hz * seconds)) / rate_hz
    from_click_s = time_s - at_s
    burst = np.exp(-((from_click_s / 0.0006) ** 2)) * np.cos(2 * np.pi * 700 * from_click_s)
    wave = 0.7 * burst + 0.002 * np.sin(2 * np.pi * 300 * time_s)
    return np.repeat(wave[None].astype(np.float32), channels, axis=0)


def chirps(rate_hz: int, seconds: float, seed: int = 0) -> Waveform:
    """Noise in bursts, [1, time]: never like itself at another offset."""
    random = np.random.default_rng(seed)
    time_s = np.arange(round(rate_hz * seconds)) / rate_hz
    noise = np.convolve(random.standard_normal(len(time_s)), np.ones(8) / 8, mode="same")
    level = np.interp(time_s, np.arange(0, seconds + 1, 0.2), random.random(int(seconds * 5) + 5))
    return np.asarray((0.4 * noise * level).clip(-1, 1)[None], np.float32)


def write_sound(path: Path, wave: Waveform, rate_hz: int) -> Path:
    """Encode `wave` [channels, time] as the ending of `path` says."""
    layout = "mono" if len(wave) == 1 else "stereo"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(CODECS[path.suffix], rate=rate_hz)
        assert isinstance(stream, av.AudioStream)
        stream.layout = layout
        stream.bit_rate = 128_000
        for start in range(0, wave.shape[1], 1000):
            piece = np.ascontiguousarray(wave[:, start : start + 1000])
            frame = av.AudioFrame.from_ndarray(piece, "fltp", layout)
            frame.sample_rate, frame.pts, frame.time_base = rate_hz, start, Fraction(1, rate_hz)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
