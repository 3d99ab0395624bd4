"""A person in front of a browser, as far as a server can tell: real WebRTC by aiortc."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import av
import httpx
import numpy as np
from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from numpy.typing import NDArray

Luma = NDArray[np.int16]  # [height, width]
RATE_HZ = 48_000
PACKET = 960
WAIT_S = 30
SDP_HEADERS = {"content-type": "application/sdp"}


class Microphone(MediaStreamTrack):
    """Half a second of tone, half a second of silence, and so on."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._count = 0
        self._start_s = 0.0

    async def recv(self) -> av.AudioFrame:
        self._start_s = self._start_s or time.monotonic()
        wait_s = self._start_s + self._count * 0.02 - time.monotonic()
        await asyncio.sleep(max(0.0, wait_s))
        time_s = (np.arange(PACKET) + self._count * PACKET) / RATE_HZ
        loudness = 10_000 * (self._count // 25 % 2 == 0)
        samples = (np.sin(2 * np.pi * 300 * time_s) * loudness).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate = RATE_HZ
        frame.time_base = Fraction(1, RATE_HZ)
        frame.pts = self._count * PACKET
        self._count += 1
        return frame


class Camera(MediaStreamTrack):
    """25 grey pictures a second as bright as `level`; None sends nothing."""

    kind = "video"

    def __init__(self, level: int | None) -> None:
        super().__init__()
        self.level = level
        self._count = 0

    async def recv(self) -> av.VideoFrame:
        while True:
            await asyncio.sleep(0.04)
            self._count += 1
            if self.level is not None:
                picture = np.full((120, 160, 3), self.level, np.uint8)
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame.time_base, frame.pts = Fraction(1, 25), self._count
                return frame


@dataclass
class Received:
    """One decoded frame: when it came, its time in the stream, how loud or bright it is."""

    came_s: float
    stream_s: float
    strength: float
    change: float = 0.0  # of a picture: the mean difference to the one before, of 255


@dataclass
class Visitor:
    """What came back so far."""

    connection: RTCPeerConnection
    channel: RTCDataChannel
    http: httpx.AsyncClient
    audio: list[Received] = field(default_factory=list)
    video: list[Received] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)
    location: str = ""
    reclaim_token: str = ""
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    async def leave(self) -> None:
        """Hang up and stop listening."""
        await self.connection.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def connect(self, avatar: str | None = None) -> None:
        answer = await self.offer(avatar)
        assert answer.status_code == 201, answer.text
        assert answer.headers["content-type"] == "application/sdp"
        await self.accept(answer)

    async def accept(self, answer: httpx.Response) -> None:
        """Take the server's answer to an offer."""
        self.location = answer.headers["location"]
        self.reclaim_token = answer.headers["reclaim-token"]
        await self.connection.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))

    def say(self, **message: object) -> None:
        self.channel.send(json.dumps(message))

    def heard(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["type"] == kind]

    async def wait_for(self, condition: Callable[[], object], within_s: float = WAIT_S) -> None:
        async with asyncio.timeout(within_s):
            while not condition():  # noqa: ASYNC110  frames and messages set no event
                await asyncio.sleep(0.02)

    async def wait_until_gone(self) -> None:
        async with asyncio.timeout(WAIT_S):
            while (await self.http.get(self.location)).status_code != 404:  # noqa: ASYNC110  HTTP
                await asyncio.sleep(0.05)

    async def offer(self, avatar: str | None = None) -> httpx.Response:
        await self.connection.setLocalDescription(await self.connection.createOffer())
        offer = self.connection.localDescription.sdp
        query = {} if avatar is None else {"avatar": avatar}
        return await self.http.post(
            "/v1/sessions", params=query, content=offer, headers=SDP_HEADERS
        )

    def listen_to(self, track: MediaStreamTrack) -> None:
        self.tasks.append(asyncio.create_task(self._drain(track)))

    async def _drain(self, track: MediaStreamTrack) -> None:
        with suppress(MediaStreamError):
            before = None
            while True:
                frame = await track.recv()
                assert isinstance(frame, av.AudioFrame | av.VideoFrame)
                assert frame.pts is not None
                assert frame.time_base is not None
                change, before = _change(frame, before)
                strength = _loudness(frame) if isinstance(frame, av.AudioFrame) else _bar(frame)
                stream_s = float(frame.pts * frame.time_base)
                received = Received(time.monotonic(), stream_s, strength, change)
                (self.audio if track.kind == "audio" else self.video).append(received)


def _loudness(frame: av.AudioFrame) -> float:
    return float(np.abs(frame.to_ndarray()).max()) / 32_768


def _change(frame: av.AudioFrame | av.VideoFrame, before: Luma | None) -> tuple[float, Luma | None]:
    """How much a picture differs from `before`, and what the next one is compared with."""
    if isinstance(frame, av.AudioFrame):
        return 0.0, None
    luma = frame.to_ndarray(format="gray").astype(np.int16)
    return 0.0 if before is None else float(np.abs(luma - before).mean()), luma


def _bar(frame: av.VideoFrame) -> float:
    """How much of the middle column is white: what the fake engine paints while it speaks."""
    luma = frame.to_ndarray(format="gray")
    return float((luma[:, luma.shape[1] // 2] > 180).mean())


@asynccontextmanager
async def visit(
    url: str,
    *,
    microphone: bool = True,
    camera: Camera | None = None,
    network: RTCConfiguration | None = None,
) -> AsyncIterator[Visitor]:
    """Offer a call and hang up in the end; `connect` is left to the caller."""
    connection = RTCPeerConnection(network or RTCConfiguration(iceServers=[]))
    if microphone:
        connection.addTrack(Microphone())
    else:
        connection.addTransceiver("audio", direction="recvonly")
    if camera is None:
        connection.addTransceiver("video", direction="recvonly")
    else:
        connection.addTrack(camera)
    channel = connection.createDataChannel("control")
    async with httpx.AsyncClient(base_url=url) as http:
        visitor = Visitor(connection, channel, http)
        connection.on("track", visitor.listen_to)
        channel.on("message", lambda text: visitor.messages.append(json.loads(text)))
        channel.on("close", visitor.closed.set)
        try:
            yield visitor
        finally:
            await visitor.leave()
