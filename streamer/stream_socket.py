"""`/v1/stream`: PCM in, frames and sound out, over one websocket."""

import asyncio
import json
import logging
from collections import deque
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from engine.api import Avatar, AvatarError, Samples
from engine.config import TIMING
from streamer.errors import RETRY_AFTER_S, response_for
from streamer.hello import BadHelloError, Hello, parse_hello
from streamer.lines import Ear
from streamer.metrics import Metrics
from streamer.pcm_socket import BadSpeechError, to_samples
from streamer.remote.messages import EngineFaultError
from streamer.render import Render, SlowReaderError
from streamer.service import Service
from streamer.session import Session
from streamer.sessions import join
from streamer.socket_codecs import fitted, picture_coder, sound_coder
from streamer.socket_line import CLOSE_NORMAL, Coders, SocketLine
from streamer.speech_words import FLUSHED, is_flush
from streamer.wire import CLOCK_HZ

log = logging.getLogger(__name__)
HELLO_WITHIN_S = 10.0
CLOSE_REFUSED, CLOSE_TRY_LATER, CLOSE_BAD_DATA = 1008, 1013, 1007
_LOOK_EVERY_S = 0.02
_LAST_WORDS_S = 1.0
MAX_FLUSHES = 32  # that may wait at once
_TAIL_S = 0.5  # look-ahead, reserve and the frame itself, with room


async def serve_stream(websocket: WebSocket, service: Service) -> None:
    """Serve one client; an accepted socket is closed on return."""
    await websocket.accept()
    try:
        hello = await _read_hello(websocket)
        service.check_ready()
        if hello.pace == "fast":
            await _serve_render(websocket, service, hello)
        else:
            await _serve_session(websocket, service, hello)
    except WebSocketDisconnect:
        return
    except SlowReaderError as error:  # who takes nothing gets no words, only the close frame
        service.metrics.slow_readers.inc()
        await _close(websocket, CLOSE_REFUSED, str(error))
    except AvatarError as error:
        await refuse(websocket, error)
    except Exception:  # the border: one client's fault must not touch the others
        log.exception("a stream failed")
        await refuse(websocket, EngineFaultError("the engine failed"))


async def refuse(websocket: WebSocket, error: AvatarError) -> None:
    """Say why, then close."""
    answer = response_for(error)
    body = json.loads(bytes(answer.body))
    code = CLOSE_REFUSED
    if answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
        body["error"]["retry_after_s"] = RETRY_AFTER_S
        code = CLOSE_TRY_LATER
    elif isinstance(error, BadSpeechError):
        code = CLOSE_BAD_DATA
    with suppress(WebSocketDisconnect, RuntimeError, TimeoutError):  # it left, or does not read
        async with asyncio.timeout(_LAST_WORDS_S):
            await websocket.send_text(json.dumps(body))
    await _close(websocket, code, body["error"]["code"])


async def _close(websocket: WebSocket, code: int, reason: str) -> None:
    with suppress(WebSocketDisconnect, RuntimeError):  # the other side was faster
        await websocket.close(code, reason)


async def _read_hello(websocket: WebSocket) -> Hello:
    try:
        async with asyncio.timeout(HELLO_WITHIN_S):
            message = await websocket.receive()
    except TimeoutError as error:
        raise BadHelloError(f"no hello within {HELLO_WITHIN_S:.0f} s") from error
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code") or CLOSE_NORMAL)
    text = message.get("text")
    if text is None:
        raise BadHelloError("bytes came first: expected a hello, a JSON object as text")
    return parse_hello(text)


def _ready(hello: Hello, avatar: Avatar, coders: Coders, **more: Any) -> str:
    height, width = avatar.still.shape[:2]
    width, height = fitted(width, height, hello.size)
    sound = {
        "codec": hello.audio,
        "rate_hz": CLOCK_HZ,
        "channels": 1,
        "pre_skip": coders.sound.pre_skip,
    }
    return json.dumps(
        {
            "type": "ready",
            "avatar": avatar.avatar_id,
            "pace": hello.pace,
            "frame_rate_hz": TIMING.frame_rate_hz,
            "clock_hz": CLOCK_HZ,
            "audio": sound,
            "video": {"codec": hello.video, "width": width, "height": height},
            **more,
        }
    )


def _coders(hello: Hello, avatar: Avatar, metrics: Metrics) -> Coders:
    height, width = avatar.still.shape[:2]
    size = fitted(width, height, hello.size)
    return Coders(sound_coder(hello.audio), picture_coder(hello.video, *size), metrics)


async def _serve_render(websocket: WebSocket, service: Service, hello: Hello) -> None:
    avatar = (await service.avatars.find(hello.avatar)).avatar
    coders = _coders(hello, avatar, service.metrics)
    async with service.sessions.render(avatar) as (stream, worker):
        await websocket.send_text(_ready(hello, avatar, coders))
        await Render(websocket, stream, worker, coders, service.sessions.load).run()


async def _serve_session(websocket: WebSocket, service: Service, hello: Hello) -> None:
    sessions, avatars = service.sessions, service.avatars
    lines: list[SocketLine] = []

    def make_line(session: Session, ear: Ear) -> SocketLine:
        line = SocketLine(websocket, coders, ear, session.keep_alive, lambda: session.epoch)
        ids = {"session": session.session_id, "reclaim_token": session.reclaim_token}
        line.send(_ready(hello, avatar, coders, **ids))
        lines.append(line)
        return line

    if hello.reclaim_token is not None:
        session = sessions.claimed(hello.reclaim_token)
        avatar = session.avatar
        coders = _coders(hello, avatar, service.metrics)
        join(session, make_line)
    else:
        avatar = (await avatars.find(hello.avatar)).avatar
        coders = _coders(hello, avatar, service.metrics)
        session = await sessions.open_line(avatar, make_line)
    await _converse(_Reader(websocket, session, lines[0], hello), lines[0])


async def _converse(reader: "_Reader", line: SocketLine) -> None:
    """Read and write until the line is closed."""
    reading = asyncio.create_task(reader.run())
    try:
        await line.serve()
        await line.closed()
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


class _Reader:
    """Passes on what a client says."""

    def __init__(
        self, websocket: WebSocket, session: Session, line: SocketLine, hello: Hello
    ) -> None:
        self._websocket = websocket
        self._session = session
        self._line = line
        self._is_live = hello.input == "live"
        self._flushes: deque[int] = deque()  # samples that must be gone before each is told
        self._telling: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Until the client leaves or says something that is not understood."""
        try:
            while True:
                message = await self._websocket.receive()
                if message["type"] == "websocket.disconnect":
                    # The server calls a cut 1005 too, but only a close frame has a reason.
                    is_proper = "reason" in message or message.get("code") == CLOSE_NORMAL
                    self._line.gone("connection closed" if is_proper else "connection lost")
                    return
                await self._obey(message.get("bytes"), message.get("text") or "")
        except BadSpeechError as error:
            told = {"error": {"code": "bad_speech", "message": str(error)}}
            self._line.send(json.dumps(told))
            self._session.end("bad speech")
        finally:
            if self._telling is not None:
                self._telling.cancel()
                await asyncio.gather(self._telling, return_exceptions=True)

    async def _obey(self, data: bytes | None, text: str) -> None:
        self._session.keep_alive()
        if data is None:
            if is_flush(text):
                self._flush()
            else:
                self._session.peer_said(text)
        elif self._is_live:
            self._session.hear(to_samples(data))
        else:
            await self._queue(to_samples(data))

    async def _queue(self, samples: Samples) -> None:
        """While there is no room, nothing more is read from the socket."""
        speech = self._session.speech
        while len(samples):
            room = speech.room_samples
            speech.put(samples[:room])
            samples = samples[room:]
            if len(samples):
                await asyncio.sleep(_LOOK_EVERY_S)

    def _flush(self) -> None:
        """The utterance is complete. Who waits for its end can still be heard: an interrupt."""
        if len(self._flushes) >= MAX_FLUSHES:
            raise BadSpeechError(f"{MAX_FLUSHES} flushes wait already: expected them to be awaited")
        self._session.speech.finish()
        self._flushes.append(self._session.speech.put_samples)
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._tell_flushed(), name="flush")

    async def _tell_flushed(self) -> None:
        """Tell of each utterance when all of it was played."""
        speech = self._session.speech
        while self._flushes:
            while speech.gone_samples < self._flushes[0]:  # noqa: ASYNC110  a queue without an event
                await asyncio.sleep(_LOOK_EVERY_S)
            await asyncio.sleep(_TAIL_S)
            self._flushes.popleft()
            self._line.send(FLUSHED)
