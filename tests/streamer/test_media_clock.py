"""Sender reports of both tracks must lie on one line."""

import asyncio
from collections.abc import AsyncIterator

import av
import numpy as np
import pytest
from aiortc import RTCPeerConnection, RTCRtpSender
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.rtp import RtcpSenderInfo, RtcpSrPacket

from engine.config import TIMING
from streamer.jitter import UnsupportedAiortcError
from streamer.media_clock import MediaClock, report_media_clock
from streamer.stage import Sight, Sound
from streamer.tracks import VOICE_DELAY_S, FaceTrack, VoiceTrack

OPUS = RTCRtpCodecParameters(mimeType="audio/opus", clockRate=48_000, payloadType=96, channels=2)
VP8 = RTCRtpCodecParameters(mimeType="video/VP8", clockRate=90_000, payloadType=97)
FIRST_FRAME = 7
NTP_ONE_S = 1 << 32


def test_the_line_is_fixed_once() -> None:
    media_clock = MediaClock()
    assert media_clock.ntp(2.0, 10 * NTP_ONE_S) == 10 * NTP_ONE_S
    assert media_clock.ntp(5.5, 99 * NTP_ONE_S) == 13.5 * NTP_ONE_S


@pytest.fixture
async def connection() -> AsyncIterator[RTCPeerConnection]:
    connection = RTCPeerConnection()
    yield connection
    await connection.close()


async def reported_s(sender: RTCRtpSender) -> float:
    info = RtcpSenderInfo(ntp_timestamp=0, rtp_timestamp=0, packet_count=1, octet_count=1)
    await sender._send_rtcp([RtcpSrPacket(ssrc=1, sender_info=info)])
    return info.ntp_timestamp / NTP_ONE_S


async def test_a_picture_and_its_sound_have_the_same_time(connection: RTCPeerConnection) -> None:
    voice, face = VoiceTrack(), FaceTrack()
    sound = connection.addTransceiver(voice).sender
    sight = connection.addTransceiver(face).sender
    media_clock = MediaClock()
    report_media_clock(sound, voice, media_clock)
    report_media_clock(sight, face, media_clock)
    assert await reported_s(sound) == 0.0, "nothing was sent yet"
    picture = av.VideoFrame.from_ndarray(np.full((96, 64), 128, np.uint8), format="yuv420p")
    packet = np.zeros(TIMING.wire_samples_per_packet, np.int16)
    for frame in range(FIRST_FRAME, FIRST_FRAME + 3):
        voice.release(Sound(2 * frame * len(packet), packet))
        voice.release(Sound((2 * frame + 1) * len(packet), packet))
        face.release(Sight(frame, picture))
        await sight._next_encoded_frame(VP8)
        for _ in range(2):
            await sound._next_encoded_frame(OPUS)
        await asyncio.sleep(0.03)  # the encoder's time must not show
        difference_s = await reported_s(sound) - await reported_s(sight)
        assert difference_s == pytest.approx(0.02 - VOICE_DELAY_S, abs=1e-4)
    assert sound._RTCRtpSender__lsr != 0  # type: ignore[attr-defined]


async def test_without_those_parts_we_refuse(connection: RTCPeerConnection) -> None:
    track = VoiceTrack()
    sender = connection.addTransceiver(track).sender
    del sender._RTCRtpSender__lsr  # type: ignore[attr-defined]
    with pytest.raises(UnsupportedAiortcError, match="lsr"):
        report_media_clock(sender, track, MediaClock())
