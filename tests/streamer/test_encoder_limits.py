from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np
import pytest
from aiortc import RTCPeerConnection, RTCRtpSender
from aiortc.codecs import get_decoder
from aiortc.codecs.base import Encoder
from aiortc.jitterbuffer import JitterFrame
from aiortc.rtcrtpparameters import RTCRtpCodecParameters

from streamer.encoder_limits import (
    START_BITS_PER_S,
    STEPS_BITS_PER_S,
    LiveH264Encoder,
    LiveVp8Encoder,
    limit_encoder,
    step_for,
)
from streamer.jitter import UnsupportedAiortcError

SIZE = 256
ENCODER_NAME = "_RTCRtpSender__encoder"
VP8 = RTCRtpCodecParameters(mimeType="video/VP8", clockRate=90_000, payloadType=97)
ENCODERS = [LiveVp8Encoder, LiveH264Encoder]


def frames(count: int) -> Iterator[av.VideoFrame]:
    """Coarse noise, which takes all the bits that an encoder will give, but not any number."""
    random = np.random.default_rng(0)
    for number in range(count):
        coarse = random.integers(60, 190, (SIZE * 3 // 16, SIZE // 8), np.uint8)
        planes = np.repeat(np.repeat(coarse, 8, axis=0), 8, axis=1)
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.pts, frame.time_base = number * 3600, Fraction(1, 90_000)
        yield frame


def bits_per_s(encoder: Encoder, count: int = 75) -> float:
    sent = [payloads for payloads, _ in (encoder.encode(frame) for frame in frames(count))]
    return sum(len(payload) for payloads in sent[5:] for payload in payloads) * 8 * 25 / (count - 5)


@pytest.mark.parametrize(
    ("estimate", "step"),
    [(0, 400_000), (500_000, 400_000), (810_000, 800_000), (1_999_999, 1_600_000)],
)
def test_estimates_move_the_rate_in_steps(estimate: int, step: int) -> None:
    assert step_for(estimate) == step


def test_our_limits() -> None:
    assert START_BITS_PER_S == 800_000
    assert (STEPS_BITS_PER_S[0], STEPS_BITS_PER_S[-1]) == (400_000, 2_000_000)
    assert step_for(10**9) == 2_000_000


@pytest.mark.parametrize("make", ENCODERS)
def test_time_stamps_pass_through(make: type[LiveVp8Encoder] | type[LiveH264Encoder]) -> None:
    encoder = make()
    assert [encoder.encode(frame)[1] for frame in frames(5)] == [0, 3600, 7200, 10_800, 14_400]


@pytest.mark.parametrize("make", ENCODERS)
def test_the_rate_is_ours_and_follows_the_estimate(
    make: type[LiveVp8Encoder] | type[LiveH264Encoder],
) -> None:
    encoder = make()
    encoder.target_bitrate = 100_000
    assert encoder.target_bitrate == 400_000
    low = bits_per_s(encoder)
    encoder.target_bitrate = 2_000_000
    high = bits_per_s(encoder)
    assert high > 2 * low
    assert encoder.codec is not None
    assert encoder.codec.bit_rate == 2_000_000


def test_h264_is_baseline_in_one_thread() -> None:
    encoder = LiveH264Encoder()
    encoder.encode(next(frames(1)))
    assert encoder.codec is not None
    assert encoder.codec.thread_count == 1
    assert encoder.codec.profile is not None
    assert "Baseline" in encoder.codec.profile


def test_a_decoder_understands_it_and_a_key_frame_comes_when_asked() -> None:
    encoder = LiveVp8Encoder()
    sizes = []
    decoder = get_decoder(VP8)
    for number, frame in enumerate(frames(6)):
        payloads, timestamp = encoder.encode(frame, force_keyframe=number == 4)
        # Four descriptor bytes with a long picture id come before the VP8 data.
        data = b"".join(payload[4:] for payload in payloads)
        sizes.append(data[0] & 1)  # 0 marks a key frame
        (decoded,) = decoder.decode(JitterFrame(data, timestamp))
        assert isinstance(decoded, av.VideoFrame)
        assert (decoded.width, decoded.height) == (SIZE, SIZE)
    assert sizes == [0, 1, 1, 1, 0, 1]


async def test_aiortc_still_has_the_part_that_we_replace() -> None:
    connection = RTCPeerConnection()
    sender: RTCRtpSender = connection.addTransceiver("video").sender
    assert vars(sender)[ENCODER_NAME] is None
    limit_encoder(sender, VP8)
    assert isinstance(vars(sender)[ENCODER_NAME], LiveVp8Encoder)
    delattr(sender, ENCODER_NAME)
    with pytest.raises(UnsupportedAiortcError, match="encoder"):
        limit_encoder(sender, VP8)
    await connection.close()
