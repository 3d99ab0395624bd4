"""One encoder for many; guards what aiortc's senders do with frames that are encoded already."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import av
import numpy as np
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection
from aiortc.mediastreams import MediaStreamError
from aiortc.rtp import RtcpReceiverInfo, RtcpRrPacket
from av.frame import Frame

from streamer.encoder_limits import LiveVp8Encoder
from streamer.relay import CAPACITY_FRAMES, Encoded, Relay, RelayTrack
from streamer.stage import Sight
from streamer.tracks import FaceTrack


@dataclass
class CountingEncoder:
    """Remembers which frames should be key frames."""

    keys: list[bool] = field(default_factory=list)
    target_bitrate: int = 0
    fails: bool = False

    def encode(self, frame: Frame, force_keyframe: bool = False) -> tuple[list[bytes], int]:
        if self.fails:
            raise ValueError("no paint")
        assert frame.pts is not None
        self.keys.append(force_keyframe)
        return [b"payload"], frame.pts


def picture(slot: int) -> Sight[av.VideoFrame]:
    planes = np.full((96, 64), slot % 256, np.uint8)
    return Sight(slot, av.VideoFrame.from_ndarray(planes, format="yuv420p"))


@pytest.fixture
def encoder() -> CountingEncoder:
    return CountingEncoder()


@pytest.fixture
async def relay(encoder: CountingEncoder) -> AsyncIterator[Relay]:
    relay = Relay(FaceTrack(), encoder)
    yield relay
    await relay.aclose()


@pytest.fixture
async def connection() -> AsyncIterator[RTCPeerConnection]:
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    yield connection
    await connection.close()


def joined(connection: RTCPeerConnection, relay: Relay) -> RelayTrack:
    track = RelayTrack("video")
    track.attach(connection.addTransceiver(track, "sendonly").sender, relay)
    relay.join(track)
    return track


async def show(relay: Relay, slot: int) -> None:
    assert isinstance(relay.source, FaceTrack)
    relay.source.release(picture(slot))
    await asyncio.sleep(0.02)


async def test_three_viewers_cost_one_encode_a_frame(
    relay: Relay, encoder: CountingEncoder, connection: RTCPeerConnection
) -> None:
    tracks = [joined(connection, relay) for _ in range(3)]
    for slot in range(5):
        await show(relay, slot)
        frames = [await track.recv() for track in tracks]
        assert {frame.timestamp for frame in frames} == {slot * 3600}
        assert len({id(frame.payloads) for frame in frames}) == 1
    assert len(encoder.keys) == relay.encoded_frames == 5


async def test_nothing_is_encoded_while_nobody_watches(
    relay: Relay, encoder: CountingEncoder, connection: RTCPeerConnection
) -> None:
    await show(relay, 0)
    track = joined(connection, relay)
    await show(relay, 1)
    track.stop()
    await show(relay, 2)
    assert len(encoder.keys) == 1
    with pytest.raises(MediaStreamError):
        await track.recv()


async def test_who_joins_or_asks_gets_a_key_frame(
    relay: Relay, encoder: CountingEncoder, connection: RTCPeerConnection
) -> None:
    first = joined(connection, relay)
    await show(relay, 0)
    await show(relay, 1)
    joined(connection, relay)
    await show(relay, 2)
    sender = next(each for each in connection.getSenders() if each.track is first)
    sender._send_keyframe()  # what a picture loss indication does
    sender._send_keyframe()
    await show(relay, 3)
    await show(relay, 4)
    assert encoder.keys == [True, False, True, True, False]


async def test_a_viewer_who_is_too_slow_loses_frames_and_starts_again(
    relay: Relay, encoder: CountingEncoder, connection: RTCPeerConnection
) -> None:
    track = joined(connection, relay)
    await show(relay, 0)
    for number in range(1, CAPACITY_FRAMES + 1):
        track.put(Encoded([], number))
    assert track.dropped == CAPACITY_FRAMES
    assert (await track.recv()).timestamp == CAPACITY_FRAMES
    await show(relay, 1)
    assert encoder.keys == [True, True]


async def test_the_median_viewer_sets_the_rate(
    relay: Relay, encoder: CountingEncoder, connection: RTCPeerConnection
) -> None:
    for rate in (100_000, 900_000, 2_000_000):
        joined(connection, relay).target_bitrate = rate
    assert encoder.target_bitrate == 900_000


async def test_a_frame_that_cannot_be_encoded_is_left_out(
    relay: Relay, encoder: CountingEncoder, connection: RTCPeerConnection
) -> None:
    track = joined(connection, relay)
    encoder.fails = True
    await show(relay, 0)
    encoder.fails = False
    await show(relay, 1)
    assert (await track.recv()).timestamp == 3600


async def test_senders_of_aiortc_pass_on_what_is_encoded_already(
    relay: Relay, connection: RTCPeerConnection
) -> None:
    track = joined(connection, relay)
    (sender,) = connection.getSenders()
    await show(relay, 2)
    codec = connection.getTransceivers()[0]
    frame = await sender._next_encoded_frame(codec)  # type: ignore[arg-type]
    assert frame is not None
    assert (frame.payloads, frame.timestamp) == ([b"payload"], 7200)
    assert track.target_bitrate == 0


async def test_nothing_is_made_for_a_sender_that_has_not_begun(
    relay: Relay, encoder: CountingEncoder, connection: RTCPeerConnection
) -> None:
    track = RelayTrack("video")
    track.attach(connection.addTransceiver(track, "sendonly").sender, relay)
    await show(relay, 0)
    assert encoder.keys == []
    assert relay.source.first_s is None
    receiving = asyncio.create_task(track.recv())
    await asyncio.sleep(0)
    await show(relay, 1)
    assert (await receiving).timestamp == 3600
    assert encoder.keys == [True]


async def test_the_median_loss_sets_the_rate(connection: RTCPeerConnection) -> None:
    encoder, took_s = LiveVp8Encoder(), list[float]()
    relay = Relay(FaceTrack(), encoder, took_s.append)
    for share in (0.0, 0.9, 0.0):
        joined(connection, relay)
        sender = connection.getSenders()[-1]
        report = RtcpReceiverInfo(sender._ssrc, round(256 * share), 0, 0, 0, 0, 0)
        await sender._handle_rtcp_packet(RtcpRrPacket(ssrc=1, reports=[report]))
        assert encoder.wishes.rate.decide(10.0) >= 800_000
    await show(relay, 0)
    await asyncio.sleep(0.1)
    assert len(took_s) == 1
    assert took_s[0] > 0
    await relay.aclose()
