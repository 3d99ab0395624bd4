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
from aiortc.rtp import RtcpReceiverInfo, RtcpRrPacket

from streamer.bitrate import enough_for
from streamer.encoder_limits import (
    LiveH264Encoder,
    LiveVp8Encoder,
    hear_losses,
    live_encoder,
)

SIZE = 256
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
    settled = sent[30:]
    return sum(len(payload) for payloads in settled for payload in payloads) * 200 / len(settled)


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
    low = bits_per_s(encoder)
    assert encoder.target_bitrate == 400_000
    encoder.target_bitrate = 2_000_000
    for second in range(10, 60, 6):  # a step every five seconds
        encoder.wishes.rate.decide(second)
    enough = enough_for(SIZE * SIZE)
    assert encoder.target_bitrate == enough == 800_000
    assert bits_per_s(encoder) > 1.1 * low, "noise takes more than the lowest rate allows"
    assert encoder.codec is not None
    assert encoder.codec.bit_rate == enough


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
    for number, frame in enumerate(frames(20)):
        payloads, timestamp = encoder.encode(frame, force_keyframe=number in {4, 15, 16})
        # Four descriptor bytes with a long picture id come before the VP8 data.
        data = b"".join(payload[4:] for payload in payloads)
        sizes.append(data[0] & 1)  # 0 marks a key frame
        (decoded,) = decoder.decode(JitterFrame(data, timestamp))
        assert isinstance(decoded, av.VideoFrame)
        assert (decoded.width, decoded.height) == (SIZE, SIZE)
    assert np.flatnonzero(np.array(sizes) == 0).tolist() == [0, 12]


async def test_aiortc_still_has_the_part_that_we_replace() -> None:
    connection = RTCPeerConnection()
    sender: RTCRtpSender = connection.addTransceiver("video").sender
    shares: list[float] = []
    hear_losses(sender, shares.append)
    report = RtcpReceiverInfo(sender._ssrc, 128, 0, 0, 0, 0, 0)
    other = RtcpReceiverInfo(sender._ssrc + 1, 64, 0, 0, 0, 0, 0)
    await sender._handle_rtcp_packet(RtcpRrPacket(ssrc=1, reports=[report, other]))
    assert shares == [0.5]
    encoder = live_encoder(VP8)
    encoder.wishes.rate.lost(shares[0])
    assert encoder.wishes.rate.decide(2.0) == 550_000, "half was lost"
    await connection.close()
