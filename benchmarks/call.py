"""A visitor without a screen: speaks made-up sound over WebRTC and notes what comes back."""

import asyncio
import json
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCSessionDescription,
)
from aiortc.jitterbuffer import JitterFrame
from aiortc.mediastreams import MediaStreamError
from aiortc.stats import RTCInboundRtpStreamStats
from av import AudioFrame, VideoFrame
from numpy.typing import NDArray

from benchmarks.curves import Floats
from benchmarks.harness import Value
from benchmarks.receiving import HeardSound, PromptPictures, replace_buffer
from benchmarks.relay import Relay
from benchmarks.web import Reply, request
from engine.api import Samples
from engine.config import TIMING
from streamer.jitter import replace_jitter_buffer
from streamer.prompt_sound import decode_promptly
from streamer.resample import DELAY_WIRE_SAMPLES, FACTOR, Upsampler
from streamer.timecode import Code, read

_PACKET = TIMING.wire_samples_per_packet
_PACKET_S = TIMING.packet_ms / 1000
_FULL_SCALE = 32767
_PING_EVERY_S = 1.0
_SDP = "application/sdp"
_VP8 = "video/VP8"
_STRIP_ROWS = 64  # of a picture, which hold the time code if there is one
_ASK_AGAIN_S = 0.04
_NACKS_NAME = "_send_rtcp_nack"


class CallError(Exception):
    """The server did not take or hold the call."""


class Microphone(MediaStreamTrack):
    """Speaks given sound, then silence: packet n leaves at `begun + n * 20 ms`."""

    kind = "audio"

    def __init__(self, samples: Samples) -> None:
        super().__init__()
        self.packets = wire_packets(samples)
        self.sent_s: list[float] = []
        self._begun_s = 0.0

    async def recv(self) -> AudioFrame:
        """The next packet, at its time."""
        number = len(self.sent_s)
        if not number:
            self._begun_s = time.monotonic()
        await asyncio.sleep(max(0.0, self._begun_s + number * _PACKET_S - time.monotonic()))
        silence = np.zeros(_PACKET, np.int16)
        sound = self.packets[number] if number < len(self.packets) else silence
        frame = AudioFrame.from_ndarray(sound[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts = TIMING.wire_rate_hz, number * _PACKET
        frame.time_base = Fraction(1, TIMING.wire_rate_hz)
        self.sent_s.append(time.monotonic())
        return frame

    def spoken_s(self, seconds: float) -> float:
        """When the packet that holds this second of the sound was sent."""
        return self.sent_s[int(seconds / _PACKET_S)]


class Picture(NamedTuple):
    """One picture of the call: still encoded, when its last packet came, when it was decoded."""

    encoded: JitterFrame
    arrived_s: float
    shown_s: float


@dataclass(slots=True)
class Notes:
    """What was seen and heard of a call. All times are of one monotonic clock."""

    microphone: Microphone
    pictures: PromptPictures = field(default_factory=PromptPictures)
    shown: list[tuple[int, float]] = field(default_factory=list)  # timestamp, time of decoding
    codes: list[Code | None] = field(default_factory=list)  # of what was shown
    sound: HeardSound = field(default_factory=HeardSound)
    messages: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    posted_s: float = 0.0
    session_url: str = ""

    @property
    def pictures_s(self) -> Floats:
        """When pictures came out of the decoder."""
        return np.array([at_s for _, at_s in self.shown])

    def film(self) -> list[Picture]:
        """The encoded pictures that were decoded, with both times, in order."""
        shown, film = deque(self.shown), []
        for item, arrived_s in zip(self.pictures.film, self.pictures.arrived_s, strict=True):
            if shown and shown[0][0] == item.timestamp:
                film.append(Picture(item, arrived_s, shown.popleft()[1]))
        return film

    def messages_of(self, kind: str) -> list[tuple[float, dict[str, Any]]]:
        """Messages of one type with the times they came."""
        return [(at, message) for at, message in self.messages if message["type"] == kind]

    def stats(self, name: str) -> Floats:
        """What the server said of itself, once a second."""
        said = [message.get(name) for _, message in self.messages_of("stats")]
        return np.array([value for value in said if value is not None], float)


@dataclass(frozen=True, slots=True)
class Watching:
    """How a visitor looks at what comes back."""

    keeps_film: bool = True
    decodes: bool = True  # a companion that only fills the server need not
    relay: Relay | None = None  # through which everything goes
    camera: MediaStreamTrack | None = None  # that films the visitor


class Call:
    """A connection that lives; made by `calling`."""

    def __init__(self, url: str, samples: Samples, watching: Watching) -> None:
        pictures = PromptPictures(watching.keeps_film, watching.decodes)
        self.notes = Notes(Microphone(samples), pictures)
        self._url = url
        self._relay, self._camera = watching.relay, watching.camera
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._control = self._peer.createDataChannel("control")
        self._first_picture = asyncio.Event()
        self._control.on("message", self._note_message)

    async def connect(self, avatar: str | None) -> None:
        """Offer, and take the answer. Raises `CallError`."""
        sound = self._peer.addTransceiver(self.notes.microphone, direction="sendrecv")
        direction = "recvonly" if self._camera is None else "sendrecv"
        face = self._peer.addTransceiver(self._camera or "video", direction=direction)
        able = RTCRtpReceiver.getCapabilities("video")
        assert able is not None
        face.setCodecPreferences([codec for codec in able.codecs if codec.mimeType == _VP8])
        replace_jitter_buffer(sound.receiver, time.monotonic)
        replace_buffer(face.receiver, self.notes.pictures)
        await self._peer.setLocalDescription(await self._peer.createOffer())
        path = "/v1/sessions" + (f"?avatar={avatar}" if avatar else "")
        offer = self._peer.localDescription.sdp
        if self._relay is not None:
            offer = await self._relay.offer(offer)
        self.notes.posted_s = time.monotonic()
        reply = await self._ask("POST", self._url + path, offer.encode(), _SDP)
        self.notes.session_url = self._url + reply.headers["location"]
        answer = reply.body.decode()
        if self._relay is not None:
            answer = self._relay.answer(answer)
        await self._peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        decode_promptly(sound.receiver)  # several visitors share a processor with the server

    async def watch(self) -> None:
        """Note sound and pictures, and keep the session alive, until cancelled."""
        sound, face = (item.receiver.track for item in self._peer.getTransceivers())
        async with asyncio.TaskGroup() as group:
            group.create_task(self._hear(sound))
            group.create_task(self._see(face))
            group.create_task(self._ping())
            group.create_task(self._ask_again())

    async def first_picture(self, within_s: float) -> None:
        """Wait for the first decoded picture. Raises `CallError`."""
        try:
            async with asyncio.timeout(within_s):
                await self._first_picture.wait()
        except TimeoutError:
            raise CallError(f"no picture within {within_s:.0f} s of the offer") from None

    def say(self, message: dict[str, Any]) -> None:
        """Send a control message."""
        self._control.send(json.dumps(message))

    async def statistics(self) -> dict[str, Any]:
        """The session's own statistics."""
        found = json.loads((await self._ask("GET", self.notes.session_url)).body)
        assert isinstance(found, dict)
        return found

    async def packets(self) -> dict[str, Value]:
        """Packets of sound and pictures that came, and that did not."""
        counts: dict[str, Value] = {}
        for item in self._peer.getTransceivers():
            report = await item.receiver.getStats()
            for entry in report.values():
                if isinstance(entry, RTCInboundRtpStreamStats):
                    counts[f"{item.kind}_packets"] = entry.packetsReceived
                    counts[f"{item.kind}_packets_lost"] = entry.packetsLost
        return counts

    async def close(self) -> None:
        """Leave politely."""
        if self.notes.session_url:
            await asyncio.to_thread(request, "DELETE", self.notes.session_url)
        await self._peer.close()

    async def _ask(self, method: str, url: str, body: bytes = b"", content: str = "") -> Reply:
        reply = await asyncio.to_thread(request, method, url, body, content)
        if not reply.is_good:
            raise CallError(f"{method} {url}: {reply.status} {reply.body.decode()[:200]}")
        return reply

    async def _hear(self, track: MediaStreamTrack) -> None:
        while isinstance(frame := await _next(track), AudioFrame):
            self.notes.sound.add(frame, time.monotonic())

    async def _see(self, track: MediaStreamTrack) -> None:
        while isinstance(frame := await _next(track), VideoFrame):
            assert frame.pts is not None
            self.notes.shown.append((frame.pts, time.monotonic()))
            self.notes.codes.append(_code(frame))
            self._first_picture.set()

    async def _ask_again(self) -> None:
        """Ask for lost packets until they come, as browsers do; aiortc asks only once."""
        receiver = self._peer.getTransceivers()[1].receiver
        ask = getattr(receiver, _NACKS_NAME)
        while True:
            await asyncio.sleep(_ASK_AGAIN_S)
            source, missing = self.notes.pictures.missing()
            if missing:
                await ask(source, missing)

    async def _ping(self) -> None:
        number = 0
        while True:
            if self._control.readyState == "open":
                self.say({"type": "ping", "id": number})
                number += 1
            await asyncio.sleep(_PING_EVERY_S)

    def _note_message(self, text: str | bytes) -> None:
        self.notes.messages.append((time.monotonic(), json.loads(text)))


@asynccontextmanager
async def calling(
    url: str, samples: Samples, avatar: str | None = None, watching: Watching | None = None
) -> AsyncIterator[Call]:
    """A call that lasts as long as the block; it begins to speak once connected."""
    async with AsyncExitStack() as owned:
        call = Call(url, samples, watching or Watching())
        owned.push_async_callback(call.close)
        await call.connect(avatar)
        task = asyncio.create_task(call.watch())
        try:
            yield call
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def wire_packets(samples: Samples) -> list[NDArray[np.int16]]:
    """16 kHz samples as packets of the wire, without the delay of the resampling."""
    padded = np.pad(samples, (0, DELAY_WIRE_SAMPLES // FACTOR + 1)).astype(np.float32)
    wire = Upsampler().push(padded)[DELAY_WIRE_SAMPLES:][: len(samples) * FACTOR]
    whole = np.pad(wire, (0, -len(wire) % _PACKET))
    scaled = np.round(np.clip(whole, -1, 1) * _FULL_SCALE).astype(np.int16)
    return list(scaled.reshape(-1, _PACKET))


def _code(frame: VideoFrame) -> Code | None:
    """What the top of a decoded picture says, straight from its luma plane."""
    plane = frame.planes[0]
    luma = np.frombuffer(bytes(plane), np.uint8).reshape(-1, plane.line_size)
    return read(luma[:_STRIP_ROWS, : frame.width])


async def _next(track: MediaStreamTrack) -> object | None:
    try:
        return await track.recv()
    except MediaStreamError:
        return None
