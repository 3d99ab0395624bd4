"""One visitor from connect to disconnect; owns all it starts."""

import asyncio
import logging
import secrets
import time
from contextlib import AsyncExitStack
from dataclasses import asdict
from typing import TypeAlias

import av
from aiortc import RTCConfiguration

from engine.api import Samples
from engine.config import TIMING
from streamer.audience import Audience
from streamer.camera_news import CameraNews
from streamer.director import Director
from streamer.lasting_stream import Renewal
from streamer.lease import Lease
from streamer.lines import Ear, Line, Lines
from streamer.listening import listen_to
from streamer.metrics import Metrics
from streamer.peer import Peer
from streamer.performance import Performance, Rendered
from streamer.protocol import (
    BadMessageError,
    Closing,
    Direct,
    Gesture,
    Interrupt,
    Interrupted,
    Message,
    Ping,
    Pong,
    Refused,
    Stats,
    decode,
    encode,
)
from streamer.publisher import Publisher
from streamer.puppetry import CameraParts, Puppetry
from streamer.readings import Readings
from streamer.remote.messages import EngineGoneError
from streamer.session_parts import SessionParts
from streamer.speech_queue import SpeechQueue
from streamer.stage import EnginePace, Stage
from streamer.tally import Tally
from streamer.trickle import BadFragmentError, Fragment

log = logging.getLogger(__name__)
CONNECT_WITHIN_S = 15.0
_REPORT_EVERY_S = 1.0
_TOKEN_BYTES = 18
_BROKEN = ("connection failed", "connection lost")  # not on purpose: they may come back
Description: TypeAlias = dict[str, int | float | bool | str | None]


class Session:
    """Carries one visitor's sound to the engine and the engine's units back."""

    def __init__(self, parts: SessionParts, metrics: Metrics) -> None:
        self.session_id = parts.session_id
        self.avatar = parts.avatar
        self.reclaim_token = secrets.token_urlsafe(_TOKEN_BYTES)
        self.speech = SpeechQueue()
        self.audience = Audience(metrics.encoder_s.observe)
        self.is_published = False  # to whoever may watch, not only to those who know its id
        self.ended = asyncio.Event()
        self._metrics = metrics
        self._pace = EnginePace(parts.stream.look_ahead_frames, parts.stream.chunk_frames)
        self._load = parts.load
        self._barge_in = parts.barge_in
        self._lines = Lines(self.audience)
        self._performance = Performance(parts.worker, parts.stream, self._receive, self._fail)
        self.director = Director(parts.worker, parts.stream, self._say)
        camera = CameraParts(parts.watch, parts.eyes, parts.stream, parts.worker)
        self._puppetry = Puppetry(camera, CameraNews(self._say, metrics))
        self._renewal = Renewal(parts.stream, parts.renew, self._engine_renewed, self._fail)
        self._stage: Stage[av.VideoFrame] | None = None
        self._tally = Tally(metrics)
        self._stats = Stats(0, 0, 0, 0, 0.0, None, 0.0, False)
        self._begun = asyncio.Event()
        self.lease = Lease(parts.terms, time.monotonic())
        self._end_reason = ""

    @property
    def state(self) -> str:
        """One of connecting, live, away, closing."""
        if self._end_reason:
            return "closing"
        if self._stage is None:
            return "connecting"
        return "away" if self.lease.is_away else "live"

    @property
    def epoch(self) -> int:
        """How many times the visitor interrupted."""
        return self._stage.epoch if self._stage else 0

    def describe(self) -> Description:
        """What `GET /v1/sessions/{id}` tells."""
        return {
            **asdict(self._stats),
            "avatar": self.avatar.avatar_id,
            "camera": self._puppetry.state,
            "epoch": self.epoch,
            "state": self.state,
            "left_s": self.lease.left_s(time.monotonic()),
        }

    def describe_more(self) -> Description:
        """What `GET /v1/sessions/{id}/stats` tells."""
        return self.describe() | {
            "session": self.session_id,
            "line": "webrtc" if isinstance(self._lines.current, Peer | Publisher) else "websocket",
            "queued_speech_s": round(len(self.speech) / TIMING.sample_rate_hz, 3),
            "reserve_ms": round(self._stage.reserve_s * 1000, 1) if self._stage else None,
            "dropped_units": self._performance.dropped_units,
            "repaired_frames": self._performance.repaired_frames,
            "left_out_pictures": self._lines.dropped,
            "video_bits_per_s": self.audience.video_bits_per_s,
        }

    async def answer(self, offer: str, network: RTCConfiguration, publishes: bool = False) -> str:
        """SDP offer to SDP answer; the connection takes the place of any one before."""
        ear = Ear(self)
        peer = Publisher(network, ear) if publishes else Peer(network, ear, self.audience)
        self.is_published |= publishes
        try:
            answer = await peer.answer(offer)
            self.take_line(peer, ear)
        except BaseException:
            await peer.aclose()
            raise
        return answer

    def take_line(self, line: Line, ear: Ear) -> None:
        """Talk over this line from now on."""
        self._lines.take(line, ear)
        self.lease.expect(time.monotonic())

    async def add_candidates(self, fragment: Fragment) -> None:
        """Take ways to the visitor that were found after the offer."""
        peer = self._lines.current
        if not isinstance(peer, Peer | Publisher):
            raise BadFragmentError("candidates for a websocket: expected a WebRTC session")
        await peer.add_candidates(fragment)

    def keep_alive(self) -> None:
        """The visitor is known to be here, by other means than a ping."""
        self.lease.hear(time.monotonic())

    def hear(self, samples: Samples) -> None:
        """Take samples [time] as if they came from a microphone."""
        if self._stage is not None:
            self._stage.hear(samples, time.monotonic())

    def interrupt(self) -> Interrupted:
        """Stop talking now."""
        if self._stage is None:
            self.speech.clear()
            return Interrupted(0, 0.0)
        done = self._stage.interrupt(time.monotonic())
        self._say(done)
        return done

    def end_within(self, within_s: float, reason: str) -> None:
        """Let the session end in a while, and tell the visitor."""
        self._say(self.lease.end_within(within_s, reason, time.monotonic()))

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
                parts = (self._play(), self._listen(), self._look(), self._report())
                others = (self.director.run(), self._renewal.run())
                tasks = [group.create_task(part) for part in (*parts, *others)]
                await self.ended.wait()
                for task in tasks:
                    task.cancel()
            self._say(Closing(self._end_reason))

    async def release(self) -> None:
        """Give back the connection and the stream."""
        self._puppetry.close()
        async with AsyncExitStack() as owned:
            owned.push_async_callback(self._performance.aclose)
            owned.push_async_callback(self._lines.aclose)
            owned.push_async_callback(self.audience.aclose)

    def peer_connected(self) -> None:
        """Begin to perform."""
        now_s = time.monotonic()
        self.lease.resume(now_s)
        if self._stage is None:
            self._stage = Stage(self._performance, self._pace, self.speech, now_s)
            self._begun.set()

    def peer_left(self, reason: str) -> None:
        """End, if the visitor wanted it or never was here; else wait for a return."""
        if (reason in _BROKEN or self.lease.has_left) and self._stage is not None:
            self.lease.cut(time.monotonic())
        else:
            self.end(reason)

    def peer_said(self, text: str) -> None:
        """Do what a message asks."""
        try:
            message = decode(text)
        except BadMessageError as error:
            log.info("%s", error)
            self._metrics.errors.labels("bad_message").inc()
            self._say(Refused("bad_message", str(error)))
            return
        if isinstance(message, Ping):
            self.lease.hear(time.monotonic())
            self._say(Pong(message.id))
        elif isinstance(message, Interrupt):
            self.interrupt()
        elif isinstance(message, Direct | Gesture):
            self.director.ask(message)

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
            self._lines.release(self._stage.advance(time.monotonic()))
            await asyncio.sleep(max(0.0, self._stage.next_s - time.monotonic()))

    async def _listen(self) -> None:
        assert self._stage is not None
        line = None
        while True:
            line = await self._lines.other_than(line)
            if line.microphone is not None:
                await listen_to(line.microphone, self._stage, self._barge_in, self.interrupt)

    async def _look(self) -> None:
        line = None
        while True:
            line = await self._lines.other_than(line)
            if line.camera is not None:
                await self._puppetry.follow(line.camera)

    async def _report(self) -> None:
        assert self._stage is not None
        while True:
            await asyncio.sleep(_REPORT_EVERY_S)
            dropped, repaired = self._lines.dropped, self._performance.repaired_frames
            self._stats = self._tally.take(self._stage, dropped, repaired)
            self._stage.readings = Readings()
            self._say(self._stats)
            now_s = time.monotonic()
            self._say(self.lease.warning(now_s))
            reason = self.lease.look(now_s)
            if reason:
                self.end(reason)

    def _receive(self, rendered: Rendered) -> None:
        self._metrics.engine_s.observe(rendered.engine_s)
        self._load.rendered(rendered.engine_s)
        if self._stage is not None:
            generation, index, picture = rendered.generation, rendered.index, rendered.picture
            self._lines.release(self._stage.receive(generation, index, picture, time.monotonic()))

    def _engine_renewed(self) -> None:
        self._metrics.renewed_streams.inc()
        if self._stage is not None:
            self._stage.begin_again()

    def _fail(self, error: Exception) -> None:
        if self._end_reason:
            return
        log.error("the engine failed", exc_info=error)
        self._metrics.errors.labels("engine_failed").inc()
        self.end(str(error) if isinstance(error, EngineGoneError) else "the engine failed")

    def _say(self, message: Message | None) -> None:
        if message is not None:
            self._lines.send(encode(message))
