"""One conversation with a server, for programs that use asyncio."""

import json
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from engine.api import Samples, check_samples
from streamer.client.calls import RefusedError, Server, absent, refusal
from streamer.client.units import PictureDecoder, SoundTimeline, TalkUnit, UnitAssembler
from streamer.wire import Codec, unpack

PATH = "/v1/stream"
CONNECT_WITHIN_S = 10.0
MAX_MESSAGE_BYTES = 16 * 2**20
_FULL_SCALE = 32_767
_PIECE_SAMPLES = 16_000  # a second a message
_CODECS = {"pcm": Codec.PCM, "opus": Codec.OPUS, "jpeg": Codec.JPEG, "h264": Codec.H264}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is asked of the server; left out means its default."""

    avatar: str | None = None
    audio: Literal["pcm", "opus"] = "pcm"
    video: Literal["jpeg", "h264"] = "jpeg"
    size: int | None = None  # longest side in pixels
    pace: Literal["realtime", "fast"] = "realtime"
    input: Literal["queue", "live"] = "queue"
    reclaim_token: str | None = None

    def hello(self) -> str:
        """The first message."""
        given = {name: value for name, value in asdict(self).items() if value is not None}
        return json.dumps({"type": "hello", **given})


class AsyncTalk:
    """Connected from `async with` on. Say something in one task, take `units` in another."""

    def __init__(self, server: Server, wish: Wish) -> None:
        self._server = server
        self._wish = wish
        self._socket: ClientConnection | None = None
        self.ready: dict[str, Any] = {}  # the server's answer to the hello
        self.notices: list[dict[str, Any]] = []  # the last messages that are no sound or picture

    async def __aenter__(self) -> Self:
        url = self._server.websocket_url(PATH)
        try:
            self._socket = await connect(
                url,
                additional_headers=self._server.headers,
                open_timeout=CONNECT_WITHIN_S,
                max_size=MAX_MESSAGE_BYTES,
            )
        except InvalidStatus as error:
            body = bytes(error.response.body or b"")
            raise refusal(body, f"status {error.response.status_code}") from error
        except (OSError, TimeoutError, WebSocketException) as error:
            raise absent(self._server.url, error) from error
        try:
            await self._send(self._wish.hello())
            self.ready = _message(await self._receive())
        except BaseException:
            await self._socket.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._socket is not None:
            await self._socket.close()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of every picture."""
        return self.ready["video"]["width"], self.ready["video"]["height"]

    async def say(self, samples: Samples) -> None:
        """Send speech [time], 16 kHz, -1..1. Waits while the server has enough."""
        check_samples(samples)
        for begin in range(0, len(samples), _PIECE_SAMPLES):
            piece = np.clip(samples[begin : begin + _PIECE_SAMPLES], -1, 1) * _FULL_SCALE
            await self._send(np.round(piece).astype("<i2").tobytes())

    async def flush(self) -> None:
        """Mark the end of an utterance; `units` ends when all of it came back."""
        await self._send(json.dumps({"type": "flush"}))

    async def interrupt(self) -> None:
        """Stop what is being said; the acknowledgement comes among the notices."""
        await self._send(json.dumps({"type": "interrupt"}))

    async def units(self) -> AsyncIterator[TalkUnit]:
        """Frames as they come, until what was flushed is played or the server ends it."""
        audio, video = self.ready["audio"], self.ready["video"]
        sound = SoundTimeline(_CODECS[audio["codec"]], audio["pre_skip"])
        assembler = UnitAssembler(sound, PictureDecoder(_CODECS[video["codec"]]))
        while True:
            received = await self._receive()
            if isinstance(received, bytes):
                for unit in assembler.push(unpack(received)):
                    yield unit
                continue
            notice = _message(received)
            self.notices = [*self.notices[-99:], notice]
            if notice["type"] == "closing":
                raise RefusedError("closing", f"the server ended the session: {notice['reason']}")
            if notice["type"] == "flushed":
                for unit in assembler.finish():
                    yield unit
                return

    async def _send(self, data: str | bytes) -> None:
        assert self._socket is not None, "use it in an async with"
        try:
            await self._socket.send(data)
        except ConnectionClosed as error:
            raise _why_closed(error) from error

    async def _receive(self) -> str | bytes:
        assert self._socket is not None, "use it in an async with"
        try:
            return await self._socket.recv()
        except ConnectionClosed as error:
            raise _why_closed(error) from error


def _message(text: str | bytes) -> dict[str, Any]:
    """A text message; an error object raises `RefusedError`."""
    fields = json.loads(text)
    if "error" in fields:
        raise refusal(text, "an unknown reason")
    return dict(fields)


def _why_closed(error: ConnectionClosed) -> RefusedError:
    reason = error.rcvd.reason if error.rcvd else ""
    return RefusedError("closed", f"the server closed the connection: {reason or 'no reason'}")
