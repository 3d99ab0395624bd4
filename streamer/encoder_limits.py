"""Our own video encoders: aiortc's packets, our bit rates and speed.

aiortc rebuilds its codec context when size or bit rate changed; making the context here first, with
our settings, is all that its encoders need to be told.
"""

import fractions
from collections.abc import Callable
from typing import Literal, TypeAlias

import av
from aiortc import RTCRtpSender
from aiortc.codecs.h264 import H264Encoder
from aiortc.codecs.vpx import Vp8Encoder
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.rtp import AnyRtcpPacket, RtcpRrPacket, RtcpSrPacket
from av.frame import Frame
from av.video.codeccontext import VideoCodecContext

from engine.config import TIMING
from streamer.bitrate import BitrateControl, enough_for
from streamer.jitter import UnsupportedAiortcError, check_aiortc

KEY_FRAME_AFTER_FRAMES = TIMING.frame_rate_hz // 2
_HANDLER_NAME = "_handle_rtcp_packet"
_WHOLE = 256  # RTCP counts lost packets in 256ths
_QUANTIZER_RANGE = (2, 56)
_KEY_FRAME_EVERY_FRAMES = 3000
_VP8_OPTIONS = {
    "cpu-used": "-10",  # a tenth less time than -8 for 0.1 dB; -12 would cost 1 dB
    "deadline": "realtime",
    "lag-in-frames": "0",
    "noise-sensitivity": "0",  # rendered pictures hold no camera noise
    "overshoot-pct": "15",
    "undershoot-pct": "100",
    "partitions": "0",
    "static-thresh": "400",  # what moved by less is left as it was: a sixth less time for 0.3 dB
}
_H264_OPTIONS = {"level": "31", "preset": "veryfast", "tune": "zerolatency"}


class Wishes:
    """What the receiver asks of one encoder: a rate, and key frames now and then.

    A key frame is many times as large as others: where packets are lost, one for every request
    would lose even more. So a request waits until the last key frame is half a second old.
    """

    def __init__(self) -> None:
        self.rate = BitrateControl()
        self._frames = 0
        self._key_frame = -KEY_FRAME_AFTER_FRAMES
        self._wants_key = False

    def next(self, wants_key: bool, is_new: bool) -> bool:
        """A frame is encoded now: whether as a key frame. A new encoder begins with one anyway."""
        self._frames += 1
        self._wants_key |= wants_key
        is_due = self._frames - self._key_frame >= KEY_FRAME_AFTER_FRAMES
        is_key = is_new or (self._wants_key and is_due)
        if is_key:
            self._wants_key, self._key_frame = False, self._frames
        return is_key

    def bits_per_s(self, frame: av.VideoFrame) -> int:
        """The rate for this frame, which comes next."""
        self.rate.most_bits_per_s = enough_for(frame.width * frame.height)
        return self.rate.decide(self._frames * TIMING.frame_s)


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

    def __init__(self) -> None:
        super().__init__()
        self.wishes = Wishes()

    def encode(self, frame: Frame, force_keyframe: bool = False) -> tuple[list[bytes], int]:
        """One frame to RTP payloads."""
        assert isinstance(frame, av.VideoFrame)
        bits_per_s = self.wishes.bits_per_s(frame)
        is_stale = _is_stale(self.codec, frame, bits_per_s)
        if is_stale:
            self.codec = _context("libvpx", frame, bits_per_s)
            self.codec.gop_size = _KEY_FRAME_EVERY_FRAMES
            self.codec.qmin, self.codec.qmax = _QUANTIZER_RANGE
            rate = str(bits_per_s)
            self.codec.options = {**_VP8_OPTIONS, "bufsize": rate, "minrate": rate, "maxrate": rate}
        return super().encode(frame, self.wishes.next(force_keyframe, is_stale))

    @property
    def target_bitrate(self) -> int:
        """Bits per second."""
        return self.wishes.rate.bits_per_s

    @target_bitrate.setter
    def target_bitrate(self, bits_per_s: int) -> None:
        self.wishes.rate.estimated(bits_per_s)


class LiveH264Encoder(H264Encoder):
    """H.264 baseline, fast enough for one core, within our limits."""

    def __init__(self) -> None:
        super().__init__()
        self.wishes = Wishes()

    def encode(self, frame: Frame, force_keyframe: bool = False) -> tuple[list[bytes], int]:
        """One frame to RTP payloads."""
        assert isinstance(frame, av.VideoFrame)
        bits_per_s = self.wishes.bits_per_s(frame)
        is_stale = _is_stale(self.codec, frame, bits_per_s)
        if is_stale:
            self.codec = _context("libx264", frame, bits_per_s)
            self.codec.options = dict(_H264_OPTIONS)
            self.codec.profile = "Baseline"
        return super().encode(frame, self.wishes.next(force_keyframe, is_stale))

    @property
    def target_bitrate(self) -> int:
        """Bits per second."""
        return self.wishes.rate.bits_per_s

    @target_bitrate.setter
    def target_bitrate(self, bits_per_s: int) -> None:
        self.wishes.rate.estimated(bits_per_s)


LiveEncoder: TypeAlias = LiveVp8Encoder | LiveH264Encoder
_ENCODERS: dict[str, type[LiveEncoder]] = {
    "video/vp8": LiveVp8Encoder,
    "video/h264": LiveH264Encoder,
}


def live_encoder(codec: RTCRtpCodecParameters) -> LiveEncoder:
    """Our encoder for a codec of pictures."""
    return _ENCODERS[codec.mimeType.lower()]()


def hear_losses(sender: RTCRtpSender, lost: Callable[[float], None]) -> None:
    """Be told with every report of the receiver which share of the packets was lost."""
    check_aiortc()
    if not hasattr(sender, _HANDLER_NAME):
        raise UnsupportedAiortcError(f"RTCRtpSender has no {_HANDLER_NAME}")
    handle_report = sender._handle_rtcp_packet

    async def handle(packet: AnyRtcpPacket) -> None:
        if isinstance(packet, RtcpRrPacket | RtcpSrPacket):
            for report in packet.reports:
                if report.ssrc == sender._ssrc:
                    lost(report.fraction_lost / _WHOLE)
        await handle_report(packet)

    sender._handle_rtcp_packet = handle  # type: ignore[method-assign]


def _is_stale(codec: VideoCodecContext | None, frame: av.VideoFrame, bits_per_s: int) -> bool:
    return codec is None or (codec.width, codec.height, codec.bit_rate) != (
        frame.width,
        frame.height,
        bits_per_s,
    )
