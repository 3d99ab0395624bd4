"""One visitor from connect to disconnect; owns all it starts."""

import asyncio
import logging
import time
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from typing import TypeAlias

import av
import numpy as np
from aiortc import RTCConfiguration
from aiortc.mediastreams import MediaStreamError

from engine.api import Samples, Stream
from engine.config import TIMING
from streamer.metrics import Metrics
from streamer.peer import Peer
from streamer.performance import Performance, Rendered
from streamer.protocol import (
    BadMessageError,
    Closing,
    Interrupt,
    Interrupted,
    Message,
    Ping,
    Pong,
    Stats,
    decode,
    encode,
)
from streamer.readings import Readings
from streamer.resample import Downsampler
from streamer.speech_queue import SpeechQueue
from streamer.stage import EnginePace, Release, Sound, Stage
from streamer.tally import Tally
from streamer.trickle import Fragment
from streamer.worker import Worker

log = logging.getLogger(__name__)
CONNECT_WITHIN_S = 15.0
HEARTBEAT_WITHIN_S = 10.0
_REPORT_EVERY_S = 1.0
_FULL_SCALE = 32_768
VideoStage: TypeAlias = Stage[av.VideoFrame]
Description: TypeAlias = dict[str, int | float | bool | str | None]


@dataclass(frozen=True, slots=True)
class SessionParts:
    """What a session is given when it is made."""

    session_id: str
    avatar_id: str
    stream: Stream
    worker: Worker
    network: RTCConfiguration


class Session:
    """Carries one visitor's sound to the engine and the engine's units back."""

    def __init__(self, parts: SessionParts, metrics: Metrics) -> None:
        self.session_id = parts.session_id
        self.avatar_id = parts.avatar_id
        self.speech = SpeechQueue()
        self.ended = asyncio.Event()
        self._metrics = metrics
        self._pace = EnginePace(parts.stream.look_ahead_frames, parts.stream.chunk_frames)
        self._peer = Peer(parts.network, self)
        self._performance = Performance(
            parts.worker, parts.stream, self._receive, self._engine_failed
        )
        self._stage: VideoStage | None = None
        self._tally = Tally(metrics)
        self._stats = Stats(0, 0, 0, 0, 0.0, None, 0.0, False)
        self._begun = asyncio.Event()
        self._last_ping_s = time.monotonic()
        self._end_reason = ""

    @property
    def state(self) -> str:
        """One of connecting, live, closing."""
        if self._end_reason:
            return "closing"
        return "connecting" if self._stage is None else "live"

    @property
    def epoch(self) -> int:
        """How many times the visitor interrupted."""
        return self._stage.epoch if self._stage else 0

    def describe(self) -> Description:
        """What `GET /v1/sessions/{id}` tells."""
        return {
            **asdict(self._stats),
            "avatar": self.avatar_id,
            "epoch": self.epoch,
            "state": self.state,
        }

    async def answer(self, offer: str) -> str:
        """SDP offer to SDP answer."""
        return await self._peer.answer(offer)

    async def add_candidates(self, fragment: Fragment) -> None:
        """Take ways to the visitor that were found after the offer."""
        await self._peer.add_candidates(fragment)

    def interrupt(self) -> Interrupted:
        """Stop talking now."""
        if self._stage is None:
            self.speech.clear()
            return Interrupted(0, 0.0)
        done = self._stage.interrupt(time.monotonic())
        self._say(done)
        return done

    def end(self, reason: str) -> None:
        """Let the session end soon; the first reason counts."""
        if not self._end_reason:
            self._end_reason = reason
            self._begun.set()
            self.ended.set()

    async def run(self) -> None:
        """Live from now until `end` is called, here or by the peer or the clock."""
        async with AsyncExitStack() as owned:
            owned.push_async_callback(self.release)
            if not await self._has_connected():
                return
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(part) for part in (self._play(), self._listen())]
                tasks.append(group.create_task(self._report()))
                await self.ended.wait()
                for task in tasks:
                    task.cancel()
            self._say(Closing(self._end_reason))

    async def release(self) -> None:
        """Give back the connection and the stream."""
        async with AsyncExitStack() as owned:
            owned.push_async_callback(self._performance.aclose)
            owned.push_async_callback(self._peer.aclose)

    def peer_connected(self) -> None:
        """Begin to perform."""
        if self._stage is None:
            now_s = self._last_ping_s = time.monotonic()
            self._stage = Stage(self._performance, self._pace, self.speech, now_s)
            self._begun.set()

    def peer_left(self, reason: str) -> None:
        """End, since nobody listens."""
        self.end(reason)

    def peer_said(self, text: str) -> None:
        """Do what a message asks."""
        try:
            message = decode(text)
        except BadMessageError as error:
            log.info("%s", error)
            self._metrics.errors.labels("bad_message").inc()
            return
        if isinstance(message, Ping):
            self._last_ping_s = time.monotonic()
            self._say(Pong(message.id))
        elif isinstance(message, Interrupt):
            self.interrupt()

    async def _has_connected(self) -> bool:
        try:
            async with asyncio.timeout(CONNECT_WITHIN_S):
                await self._begun.wait()
        except TimeoutError:
            self.end(f"not connected within {CONNECT_WITHIN_S:.0f} s")
        return not self._end_reason

    async def _play(self) -> None:
        assert self._stage is not None
        while True:
            self._let_go(self._stage.advance(time.monotonic()))
            await asyncio.sleep(max(0.0, self._stage.next_s - time.monotonic()))

    async def _listen(self) -> None:
        microphone = self._peer.microphone
        if microphone is None or self._stage is None:
            return
        downsampler = Downsampler()
        while True:
            try:
                frame = await microphone.recv()
            except MediaStreamError:
                return
            if isinstance(frame, av.AudioFrame) and frame.sample_rate == TIMING.wire_rate_hz:
                self._stage.hear(downsampler.push(_to_mono(frame)), time.monotonic())

    async def _report(self) -> None:
        assert self._stage is not None
        while True:
            await asyncio.sleep(_REPORT_EVERY_S)
            dropped, repaired = self._peer.face.dropped, self._performance.repaired_frames
            self._stats = self._tally.take(self._stage, dropped, repaired)
            self._stage.readings = Readings()
            self._say(self._stats)
            if time.monotonic() - self._last_ping_s > HEARTBEAT_WITHIN_S:
                self.end(f"no heartbeat for {HEARTBEAT_WITHIN_S:.0f} s")

    def _receive(self, rendered: Rendered) -> None:
        self._metrics.engine_s.observe(rendered.engine_s)
        if self._stage is not None:
            generation, index, picture = rendered.generation, rendered.index, rendered.picture
            self._let_go(self._stage.receive(generation, index, picture, time.monotonic()))

    def _engine_failed(self, error: Exception) -> None:
        log.error("the engine failed", exc_info=error)
        self._metrics.errors.labels("engine_failed").inc()
        self.end("the engine failed")

    def _let_go(self, releases: list[Release[av.VideoFrame]]) -> None:
        for release in releases:
            if isinstance(release, Sound):
                self._peer.voice.release(release)
            else:
                self._peer.face.release(release)

    def _say(self, message: Message) -> None:
        self._peer.send(encode(message))


def _to_mono(frame: av.AudioFrame) -> Samples:
    """Interleaved 16-bit sound to samples [time] in -1..1."""
    channels = frame.to_ndarray().reshape(-1, len(frame.layout.channels))
    return np.asarray(channels.mean(axis=1, dtype=np.float32) / _FULL_SCALE, np.float32)
