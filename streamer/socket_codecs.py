"""Sound and pictures as bytes for a websocket. Computes: to be called off the event loop."""

from fractions import Fraction
from typing import Literal, Protocol

import av
import cv2
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType
from numpy.typing import NDArray

from engine.config import TIMING
from streamer.opus import opus_encoder
from streamer.wire import Codec

JPEG_QUALITY = 90
KEY_EVERY_FRAMES = 2 * TIMING.frame_rate_hz
_OPUS_BITS_PER_S = 48_000
OPUS_PRE_SKIP = 312  # wire samples that the encoder looks ahead, as the Opus header has it
_H264_OPTIONS = {"preset": "superfast", "tune": "zerolatency", "crf": "20"}


class PictureCoder(Protocol):
    """Codes a session's pictures in order."""

    codec: Codec

    def encode(self, picture: av.VideoFrame) -> tuple[bytes, bool]:
        """The bytes, and whether they need no picture before them."""
        ...


class JpegCoder:
    """Each picture by itself."""

    codec = Codec.JPEG

    def __init__(self, width: int, height: int) -> None:
        self._size = (width, height)

    def encode(self, picture: av.VideoFrame) -> tuple[bytes, bool]:
        """One JPEG file."""
        rows = cv2.cvtColor(picture.to_ndarray(), cv2.COLOR_YUV2BGR_I420)
        if (picture.width, picture.height) != self._size:
            rows = cv2.resize(rows, self._size, interpolation=cv2.INTER_AREA)
        done, jpeg = cv2.imencode(".jpg", rows, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        assert done, "every picture has a JPEG"
        return jpeg.tobytes(), True


class H264Coder:
    """H.264 with a key picture every two seconds; nothing is left out after coding."""

    codec = Codec.H264

    def __init__(self, width: int, height: int) -> None:
        context = av.CodecContext.create("libx264", "w")
        assert isinstance(context, VideoCodecContext)
        context.width, context.height, context.pix_fmt = width, height, "yuv420p"
        context.time_base = Fraction(1, TIMING.frame_rate_hz)
        context.framerate = Fraction(TIMING.frame_rate_hz)
        context.gop_size = KEY_EVERY_FRAMES
        context.thread_count = 1
        context.options = dict(_H264_OPTIONS)
        context.profile = "Baseline"
        self._context = context
        self._count = 0

    def encode(self, picture: av.VideoFrame) -> tuple[bytes, bool]:
        """One access unit, Annex B."""
        context = self._context
        frame = picture.reformat(context.width, context.height, "yuv420p")
        if frame is picture:  # the same one may be coded again, or for somebody else
            frame = av.VideoFrame.from_ndarray(picture.to_ndarray(), format="yuv420p")
        frame.pts, frame.time_base = self._count, context.time_base
        frame.pict_type = PictureType.NONE
        self._count += 1
        packets = context.encode(frame)
        return b"".join(bytes(each) for each in packets), any(each.is_keyframe for each in packets)


class SoundCoder(Protocol):
    """Codes a session's sound in order."""

    codec: Codec
    pre_skip: int

    def encode(self, samples: NDArray[np.int16]) -> bytes:
        """One packet [960] at 48 kHz."""
        ...


class PcmCoder:
    """As it is."""

    codec = Codec.PCM
    pre_skip = 0

    def encode(self, samples: NDArray[np.int16]) -> bytes:
        """16-bit little-endian."""
        return samples.astype("<i2").tobytes()


class OpusCoder:
    """One Opus packet for each of ours."""

    codec = Codec.OPUS
    pre_skip = OPUS_PRE_SKIP

    def __init__(self) -> None:
        self._context = opus_encoder(_OPUS_BITS_PER_S, {"application": "audio"})
        self._count = 0

    def encode(self, samples: NDArray[np.int16]) -> bytes:
        """One packet."""
        frame = av.AudioFrame.from_ndarray(samples[None, :], format="s16", layout="mono")
        frame.sample_rate, frame.time_base = TIMING.wire_rate_hz, self._context.time_base
        frame.pts = self._count
        self._count += len(samples)
        return b"".join(bytes(each) for each in self._context.encode(frame))


def picture_coder(codec: Literal["jpeg", "h264"], width: int, height: int) -> PictureCoder:
    """A coder of its own for one session."""
    return JpegCoder(width, height) if codec == "jpeg" else H264Coder(width, height)


def sound_coder(codec: Literal["pcm", "opus"]) -> SoundCoder:
    """A coder of its own for one session."""
    return PcmCoder() if codec == "pcm" else OpusCoder()


def fitted(width: int, height: int, longest: int | None) -> tuple[int, int]:
    """An even size with `longest` as its longest side, never larger than it was."""
    scale = min(1.0, (longest or max(width, height)) / max(width, height))
    return int(width * scale) // 2 * 2, int(height * scale) // 2 * 2
