"""Whoever comes in the moment in which a session ends leaves nothing behind."""

import asyncio
from dataclasses import dataclass, field

import pytest
from aiortc import RTCConfiguration
from aiortc.rtcrtpparameters import RTCRtpCodecParameters

from streamer.audience import Audience, SessionEndedError
from streamer.ice import IceSettings
from streamer.lines import Ear, Lines
from streamer.peer import CHANNEL_LABEL, MAX_UNSENT_BYTES, Peer
from streamer.service import Service
from streamer.viewers import Viewers
from tests.streamer.refusals import offer_with

NETWORK = IceSettings().configuration("test", 0.0)
VP8 = RTCRtpCodecParameters(mimeType="video/VP8", clockRate=90_000, payloadType=97)


@dataclass
class Listener:
    """Writes down why a peer left."""

    reasons: list[str] = field(default_factory=list)

    def peer_connected(self) -> None:
        pass

    def peer_left(self, reason: str) -> None:
        self.reasons.append(reason)

    def peer_said(self, text: str) -> None:
        pass


@dataclass
class Channel:
    """A data channel whose other end takes nothing."""

    label: str = CHANNEL_LABEL
    readyState: str = "open"
    bufferedAmount: int = 0

    def on(self, event: str, call: object) -> None:
        pass

    def send(self, text: str) -> None:
        self.bufferedAmount += len(text)


def tasks() -> set[str]:
    return {task.get_name() for task in asyncio.all_tasks()}


async def test_no_encoder_begins_after_the_end() -> None:
    audience = Audience(lambda _: None)
    audience.relay_for(VP8)
    assert "video relay" in tasks()
    await audience.aclose()
    with pytest.raises(SessionEndedError):
        audience.relay_for(VP8)
    assert "video relay" not in tasks()


async def test_a_line_that_comes_too_late_is_refused() -> None:
    audience = Audience(lambda _: None)
    lines, ear = Lines(audience), Ear(Listener())
    lines.take(Peer(NETWORK, ear, audience), ear)
    await lines.aclose()
    late = Peer(NETWORK, ear, audience)
    with pytest.raises(SessionEndedError):
        lines.take(late, ear)
    await late.aclose()


async def test_a_call_that_is_taken_back_while_it_ends_is_closed(service: Service) -> None:
    entry = service.avatars.get(None)
    offer = await offer_with("audio", "video")
    session, _ = await service.sessions.open(entry.avatar, offer)
    coming = asyncio.create_task(session.answer(offer, NETWORK))
    await asyncio.sleep(0)
    session.end("now")
    with pytest.raises(SessionEndedError):
        await coming
    assert "video relay" not in tasks()


async def test_a_viewer_who_never_connects_goes_with_the_session(service: Service) -> None:
    entry = service.avatars.get(None)
    offer = await offer_with("audio", "video")
    session, _ = await service.sessions.open(entry.avatar, offer)
    session.peer_connected()
    viewers = Viewers()
    watching = (await offer_with("video", channel=False)).replace("a=sendrecv", "a=recvonly")
    viewer_id, _ = await viewers.open(session, watching, RTCConfiguration(iceServers=[]))
    assert viewers.get(viewer_id) is not None
    await service.sessions.close(session.session_id, "now")
    async with asyncio.timeout(10):  # it used to hold its sockets until it had to be connected
        while "viewer" in tasks():  # noqa: ASYNC110  a task's name
            await asyncio.sleep(0.02)


async def test_who_takes_no_messages_is_hung_up_on() -> None:
    listener, channel = Listener(), Channel()
    peer = Peer(NETWORK, listener, Audience(lambda _: None))
    peer._channel_opened(channel)  # type: ignore[arg-type]
    for _ in range(MAX_UNSENT_BYTES // 1000 + 9):
        peer.send("x" * 1000)
    assert channel.bufferedAmount <= MAX_UNSENT_BYTES + 1000
    assert set(listener.reasons) == {"reader too slow: its messages wait unread"}
    await peer.aclose()
