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
from streamer.audience import Audience
from streamer.jitter import UnsupportedAiortcError
from streamer.media_clock import MediaClock, report_media_clock
from streamer.relay import RelayTrack
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


async def test_viewers_who_come_later_have_the_same_clock(connection: RTCPeerConnection) -> None:
    audience, media_clock = Audience(lambda _: None), MediaClock()
    senders = []
    for kind, codec in (("audio", OPUS), ("video", VP8)):
        relay, track = audience.relay_for(codec), RelayTrack(kind)
        sender = connection.addTransceiver(track, "sendonly").sender
        track.attach(sender, relay)
        report_media_clock(sender, relay.source, media_clock)
        senders.append(sender)
    sound, sight = senders
    picture = av.VideoFrame.from_ndarray(np.full((96, 64), 128, np.uint8), format="yuv420p")
    packet = np.zeros(TIMING.wire_samples_per_packet, np.int16)
    for frame in range(FIRST_FRAME + 5):
        begins = frame >= FIRST_FRAME  # what was shown before, nobody is sent
        waiting = [each for each in ((sound, OPUS), (sight, VP8)) if begins]
        tasks = [asyncio.create_task(each._next_encoded_frame(codec)) for each, codec in waiting]
        await asyncio.sleep(0.01)
        audience.release(Sight(frame, picture))
        audience.release(Sound(2 * frame * len(packet), packet))
        await asyncio.gather(*tasks)
        audience.release(Sound((2 * frame + 1) * len(packet), packet))
        if begins:
            await sound._next_encoded_frame(OPUS)
            difference_s = await reported_s(sound) - await reported_s(sight)
            assert difference_s == pytest.approx(0.02 - VOICE_DELAY_S, abs=1e-4)
        await asyncio.sleep(0.01)
    await audience.aclose()


async def test_without_those_parts_we_refuse(connection: RTCPeerConnection) -> None:
    track = VoiceTrack()
    sender = connection.addTransceiver(track).sender
    del sender._RTCRtpSender__lsr  # type: ignore[attr-defined]
    with pytest.raises(UnsupportedAiortcError, match="lsr"):
        report_media_clock(sender, track, MediaClock())
