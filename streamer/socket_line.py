"""A websocket as a session's line: what leaves waits in one bounded row.

A reader that is slow misses pictures, oldest first, and is told how many; sound is never left out.
One who leaves five seconds of sound unread, or takes nothing for ten, is closed with a reason.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import av
import numpy as np
from aiortc.mediastreams import MediaStreamTrack
from numpy.typing import NDArray
from starlette.websockets import WebSocket, WebSocketDisconnect

from engine.config import TIMING
from streamer.metrics import Metrics
from streamer.peer import PeerListener
from streamer.socket_codecs import PictureCoder, SoundCoder
from streamer.stage import Sight, Sound
from streamer.wire import TICKS_PER_FRAME, Flag, Kind, Packet, pack

CLOSE_NORMAL, CLOSE_TOO_SLOW = 1000, 1008
MAX_WAITING_PICTURES = 5
MAX_WAITING_PACKETS = 5 * TIMING.wire_rate_hz // TIMING.wire_samples_per_packet
MAX_WAITING_TEXTS = 50
SEND_WITHIN_S = 10.0
_LAST_WORDS_S = 1.0
_MAX_REASON_BYTES = 120  # a close frame has room for 123
Waiting: TypeAlias = str | Sound | Sight[av.VideoFrame]


@dataclass(frozen=True, slots=True)
class Coders:
    """How one reader wants it; counts what that takes."""

    sound: SoundCoder
    picture: PictureCoder
    metrics: Metrics

    def code_sound(self, samples: NDArray[np.int16]) -> bytes:
        """One packet [960] at 48 kHz."""
        payload = self.sound.encode(samples)
        self.metrics.socket_bytes.labels("sound").inc(len(payload))
        return payload

    def code_picture(self, picture: av.VideoFrame) -> tuple[bytes, int]:
        """The payload and its flags."""
        begin_s = time.perf_counter()
        payload, is_key = self.picture.encode(picture)
        self.metrics.socket_encoder_s.observe(time.perf_counter() - begin_s)
        self.metrics.socket_bytes.labels("picture").inc(len(payload))
        return payload, Flag.KEY if is_key else 0


class SocketLine:
    """Sends what a session releases; `serve` runs until the line is closed."""

    microphone: MediaStreamTrack | None = None
    camera: MediaStreamTrack | None = None

    def __init__(
        self,
        websocket: WebSocket,
        coders: Coders,
        listener: PeerListener,
        alive: Callable[[], None],
        epoch: Callable[[], int],
    ) -> None:
        self._websocket = websocket
        self._coders = coders
        self._listener = listener
        self._alive = alive
        self._epoch = epoch
        self._row: deque[tuple[Waiting, int]] = deque()
        self._arrived = asyncio.Event()
        self._is_closing = False
        self._is_gone = False
        self._close_code, self._close_reason = CLOSE_NORMAL, "the session ended"
        self._finished = asyncio.Event()  # what waited was sent
        self._over = asyncio.Event()  # and the socket is closed, from here or there
        self.dropped = 0

    @property
    def voice(self) -> "SocketLine":
        """The row takes both."""
        return self

    @property
    def face(self) -> "SocketLine":
        """The row takes both."""
        return self

    def release(self, item: Sound | Sight[av.VideoFrame]) -> None:
        """Let something wait for its turn."""
        if isinstance(item, Sound):
            self._put(item, Sound, MAX_WAITING_PACKETS)
            return
        waiting = [place for place, (each, _) in enumerate(self._row) if isinstance(each, Sight)]
        if len(waiting) >= MAX_WAITING_PICTURES:
            del self._row[waiting[0]]
            self.dropped += 1
        self._put(item, Sight, MAX_WAITING_PICTURES)

    def send(self, text: str) -> None:
        """Let a message wait for its turn."""
        self._put(text, str, MAX_WAITING_TEXTS)

    async def serve(self) -> None:
        """Send until the line is closed or its reader is gone."""
        try:
            while (item := await self._next()) is not None:
                async with asyncio.timeout(SEND_WITHIN_S):
                    await self._send(*item)
                self._alive()
        except TimeoutError:
            self._give_up(f"reader too slow: it took nothing for {SEND_WITHIN_S:.0f} s")
        except (WebSocketDisconnect, RuntimeError):  # the latter: sent after the other side closed
            self.gone("connection lost")  # whether on purpose, the reading end will know
        finally:
            self._row.clear()
            self._finished.set()

    async def closed(self) -> None:
        """Wait until nothing more will be sent or said."""
        await self._over.wait()

    def gone(self, reason: str) -> None:
        """The other side left; nothing more can be sent."""
        self._is_gone = self._is_closing = True
        self._arrived.set()
        self._over.set()
        self._listener.peer_left(reason)

    async def aclose(self) -> None:
        """Send what waits, then close; safe to call twice."""
        self._is_closing = True
        self._arrived.set()
        if self._is_gone:
            return
        try:
            async with asyncio.timeout(_LAST_WORDS_S):
                await self._finished.wait()
        except TimeoutError:
            self._close_code, self._close_reason = CLOSE_TOO_SLOW, "reader too slow"
        self._is_gone = True
        reason = self._close_reason.encode()[:_MAX_REASON_BYTES].decode(errors="ignore")
        try:
            await self._websocket.close(self._close_code, reason)
        except (WebSocketDisconnect, RuntimeError):
            return  # the other side was faster
        finally:
            self._over.set()

    def _put(self, item: Waiting, kind: type[Waiting], limit: int) -> None:
        if self._is_closing:
            return
        if sum(isinstance(each, kind) for each, _ in self._row) >= limit:
            self._give_up("reader too slow: five seconds of sound wait unread")
            return
        self._row.append((item, self._epoch()))
        self._arrived.set()

    async def _next(self) -> tuple[Waiting, int] | None:
        while not self._row:
            if self._is_closing:
                return None
            self._arrived.clear()
            await self._arrived.wait()
        return None if self._is_gone else self._row.popleft()

    async def _send(self, item: Waiting, epoch: int) -> None:
        if isinstance(item, str):
            await self._websocket.send_text(item)
            return
        loop = asyncio.get_running_loop()
        packet = await loop.run_in_executor(None, self._code, item, epoch)
        await self._websocket.send_bytes(packet)

    def _code(self, item: Sound | Sight[av.VideoFrame], epoch: int) -> bytes:
        if isinstance(item, Sound):
            frame, pts = item.wire_index // TICKS_PER_FRAME, item.wire_index
            coder, payload = self._coders.sound, self._coders.code_sound(item.samples)
            return pack(
                Packet(Kind.SOUND, coder.codec, 0, epoch, frame, self.dropped, pts, payload)
            )
        payload, flags = self._coders.code_picture(item.picture)
        codec, pts = self._coders.picture.codec, item.slot * TICKS_PER_FRAME
        return pack(
            Packet(Kind.PICTURE, codec, flags, epoch, item.slot, self.dropped, pts, payload)
        )

    def _give_up(self, reason: str) -> None:
        """End it, and let the close frame say why."""
        self._coders.metrics.slow_readers.inc()
        self._close_code, self._close_reason = CLOSE_TOO_SLOW, reason
        self._row.clear()
        self._is_closing = True
        self._arrived.set()
        self._finished.set()
        self._listener.peer_left(reason)
