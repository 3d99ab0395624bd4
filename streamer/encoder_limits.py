"""Our own video encoders: aiortc's packets, our bit rates and speed.

aiortc rebuilds its codec context when size or bit rate changed; making the context here first, with
our settings, is all that its encoders need to be told.
"""

import fractions
from typing import Literal

import av
from aiortc import RTCRtpSender
from aiortc.codecs.h264 import H264Encoder
from aiortc.codecs.vpx import Vp8Encoder
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from av.frame import Frame
from av.video.codeccontext import VideoCodecContext

from engine.config import TIMING
from streamer.jitter import UnsupportedAiortcError, check_aiortc

START_BITS_PER_S = 800_000
# A step costs a key frame, so the receiver's estimate moves the rate in coarse steps only.
STEPS_BITS_PER_S = (400_000, 550_000, START_BITS_PER_S, 1_200_000, 1_600_000, 2_000_000)
_ENCODER_NAME = "_RTCRtpSender__encoder"
_QUANTIZER_RANGE = (2, 56)
_KEY_FRAME_EVERY_FRAMES = 3000
_VP8_OPTIONS = {
    "cpu-used": "-8",
    "deadline": "realtime",
    "lag-in-frames": "0",
    "noise-sensitivity": "0",  # rendered pictures hold no camera noise
    "overshoot-pct": "15",
    "undershoot-pct": "100",
    "partitions": "0",
    "static-thresh": "1",
}
_H264_OPTIONS = {"level": "31", "preset": "veryfast", "tune": "zerolatency"}


def step_for(bits_per_s: int) -> int:
    """The highest step that an estimate allows, or the lowest step."""
    allowed = [step for step in STEPS_BITS_PER_S if step <= bits_per_s]
    return allowed[-1] if allowed else STEPS_BITS_PER_S[0]


def _context(
    codec: Literal["libvpx", "libx264"], frame: av.VideoFrame, bits_per_s: int
) -> VideoCodecContext:
    context = av.CodecContext.create(codec, "w")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height = frame.width, frame.height
    context.bit_rate = bits_per_s
    context.pix_fmt = "yuv420p"
    context.framerate = fractions.Fraction(TIMING.frame_rate_hz)
    context.time_base = fractions.Fraction(1, TIMING.frame_rate_hz)
    context.thread_count = 1
    return context


class LiveVp8Encoder(Vp8Encoder):
    """VP8 at constant bit rate within our limits."""

    _bits_per_s = START_BITS_PER_S

    def encode(self, frame: Frame, force_keyframe: bool = False) -> tuple[list[bytes], int]:
        """One frame to RTP payloads."""
        assert isinstance(frame, av.VideoFrame)
        if _is_stale(self.codec, frame, self._bits_per_s):
            self.codec = _context("libvpx", frame, self._bits_per_s)
            self.codec.gop_size = _KEY_FRAME_EVERY_FRAMES
            self.codec.qmin, self.codec.qmax = _QUANTIZER_RANGE
            rate = str(self._bits_per_s)
            self.codec.options = {**_VP8_OPTIONS, "bufsize": rate, "minrate": rate, "maxrate": rate}
        return super().encode(frame, force_keyframe)

    @property
    def target_bitrate(self) -> int:
        """Bits per second."""
        return self._bits_per_s

    @target_bitrate.setter
    def target_bitrate(self, bits_per_s: int) -> None:
        self._bits_per_s = step_for(bits_per_s)


class LiveH264Encoder(H264Encoder):
    """H.264 baseline, fast enough for one core, within our limits."""

    _bits_per_s = START_BITS_PER_S

    def encode(self, frame: Frame, force_keyframe: bool = False) -> tuple[list[bytes], int]:
        """One frame to RTP payloads."""
        assert isinstance(frame, av.VideoFrame)
        if _is_stale(self.codec, frame, self._bits_per_s):
            self.codec = _context("libx264", frame, self._bits_per_s)
            self.codec.options = dict(_H264_OPTIONS)
            self.codec.profile = "Baseline"
        return super().encode(frame, force_keyframe)

    @property
    def target_bitrate(self) -> int:
        """Bits per second."""
        return self._bits_per_s

    @target_bitrate.setter
    def target_bitrate(self, bits_per_s: int) -> None:
        self._bits_per_s = step_for(bits_per_s)


_ENCODERS: dict[str, type[LiveVp8Encoder] | type[LiveH264Encoder]] = {
    "video/vp8": LiveVp8Encoder,
    "video/h264": LiveH264Encoder,
}


def limit_encoder(sender: RTCRtpSender, codec: RTCRtpCodecParameters) -> None:
    """Give a video sender our encoder for the negotiated codec, before its first frame."""
    check_aiortc()
    if not hasattr(sender, _ENCODER_NAME):
        raise UnsupportedAiortcError(f"RTCRtpSender has no {_ENCODER_NAME}")
    setattr(sender, _ENCODER_NAME, _ENCODERS[codec.mimeType.lower()]())


def _is_stale(codec: VideoCodecContext | None, frame: av.VideoFrame, bits_per_s: int) -> bool:
    return codec is None or (codec.width, codec.height, codec.bit_rate) != (
        frame.width,
        frame.height,
        bits_per_s,
    )
