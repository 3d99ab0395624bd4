"""Guards what aiortc's receivers do with packets of sound."""

import asyncio
from collections.abc import AsyncIterator

import av
import numpy as np
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpReceiver
from aiortc.jitterbuffer import JitterFrame
from aiortc.rtcrtpreceiver import RemoteStreamTrack

from streamer.jitter import UnsupportedAiortcError
from streamer.prompt_sound import MAX_WAITING_PACKETS, QUEUE_NAME, PromptDecoder, decode_promptly
from streamer.voice_encoder import VoiceEncoder

TONE = (np.sin(np.arange(960) * 0.05) * 9000).astype(np.int16)


def coded(count: int) -> list[bytes]:
    encoder, payloads = VoiceEncoder(), list[bytes]()
    for number in range(count):
        frame = av.AudioFrame.from_ndarray(TONE[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts = 48_000, number * 960
        payloads += encoder.encode(frame)[0]
    return payloads


@pytest.fixture
async def receiver() -> AsyncIterator[RTCRtpReceiver]:
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    yield connection.addTransceiver("audio", "recvonly").receiver
    await connection.close()


async def test_a_packet_is_sound_at_once(receiver: RTCRtpReceiver) -> None:
    track = RemoteStreamTrack("audio")
    receiver._track = track
    decode_promptly(receiver)
    decoder = getattr(receiver, QUEUE_NAME)
    levels = []
    for number, payload in enumerate(coded(3)):
        decoder.put((None, JitterFrame(payload, number * 960)))
        frame = track._queue.get_nowait()
        assert (frame.pts, frame.samples, frame.layout.name) == (number * 960, 960, "mono")
        levels.append(np.abs(frame.to_ndarray()).max())
    assert levels[-1] > 5000
    decoder.put(None)
    assert decoder.get(timeout=1) is None, "the thread is told of the end"


async def test_nonsense_is_left_out_and_nothing_piles_up() -> None:
    heard: asyncio.Queue[av.AudioFrame] = asyncio.Queue()
    decoder = PromptDecoder(heard)  # type: ignore[arg-type]
    (good,) = coded(1)
    decoder.put((None, JitterFrame(b"\xff" * 9, 0)))
    assert heard.empty()
    decoder.put((None, JitterFrame(b"", 0)))
    for number in range(2 * MAX_WAITING_PACKETS):
        decoder.put((None, JitterFrame(good, number * 960)))
    assert heard.qsize() == MAX_WAITING_PACKETS


async def test_a_receiver_of_another_build_is_refused(receiver: RTCRtpReceiver) -> None:
    decode_promptly(receiver)  # nothing comes in: nothing to do
    track = RemoteStreamTrack("audio")
    del track._queue
    receiver._track = track
    with pytest.raises(UnsupportedAiortcError, match="no track with a queue"):
        decode_promptly(receiver)
