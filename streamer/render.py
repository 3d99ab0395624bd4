"""Frames as fast as they can be had: no clock, nothing left out, sound and pictures for a film."""

import asyncio
import time
from collections.abc import Awaitable
from functools import partial

import numpy as np
from starlette.websockets import WebSocket

from engine.api import Samples, Stream, Unit
from engine.config import TIMING
from streamer.load import LoadMeter
from streamer.pcm_socket import BadSpeechError, to_samples
from streamer.performance import to_video_frame
from streamer.protocol import BadMessageError, Interrupt, Interrupted, Ping, Pong, decode, encode
from streamer.resample import Upsampler
from streamer.socket_line import Coders
from streamer.speech_words import FLUSHED, is_flush
from streamer.wire import TICKS_PER_FRAME, Kind, Packet, pack
from streamer.worker import Worker

SEND_WITHIN_S = 60.0  # one who renders may be busy writing a file
SILENT_FOR_S = 60.0
_FULL_SCALE = 32_767
_PACKETS_PER_FRAME = TICKS_PER_FRAME // TIMING.wire_samples_per_packet


class SlowReaderError(BadSpeechError):
    """A client that takes nothing of what it asked for."""


class Render:
    """Reads speech, pushes it frame by frame and sends what comes, waiting for its reader."""

    def __init__(
        self,
        websocket: WebSocket,
        stream: Stream,
        worker: Worker,
        coders: Coders,
        load: LoadMeter,
    ) -> None:
        self._websocket = websocket
        self._stream = stream
        self._worker = worker
        self._coders = coders
        self._load = load
        self._upsampler = Upsampler()
        self._epoch = 0
        self._first_frame = 0  # of the present epoch or utterance
        self._sent_frames = 0

    async def run(self) -> None:
        """Until the client leaves. Raises `BadSpeechError`, and `SlowReaderError` when it must."""
        while True:
            try:
                async with asyncio.timeout(SILENT_FOR_S):
                    message = await self._websocket.receive()
            except TimeoutError as error:
                raise BadSpeechError(
                    f"nothing for {SILENT_FOR_S:.0f} s: expected speech, or a ping"
                ) from error
            if message["type"] == "websocket.disconnect":
                return
            if message.get("bytes") is not None:
                await self._speak(to_samples(message["bytes"]))
            else:
                await self._obey(message.get("text") or "")

    async def _speak(self, samples: Samples) -> None:
        # A frame at a time: conversations beside this one wait no longer than for each other.
        for begin in range(0, len(samples), TIMING.samples_per_frame):
            piece = samples[begin : begin + TIMING.samples_per_frame]
            await self._deliver(await self._worker.run(self, partial(self._push, piece)))

    def _push(self, samples: Samples) -> list[Unit]:
        begin_s, begin_cpu_s = time.perf_counter(), time.thread_time()
        units = self._stream.push(samples)
        self._load.film_took(time.perf_counter() - begin_s, time.thread_time() - begin_cpu_s)
        return units

    async def _obey(self, text: str) -> None:
        if is_flush(text):
            await self._deliver(await self._worker.run(self, self._stream.flush))
            self._first_frame = self._sent_frames
            await self._say(FLUSHED)
            return
        try:
            message = decode(text)
        except BadMessageError as error:
            raise BadSpeechError(str(error)) from error
        if isinstance(message, Ping):
            await self._say(encode(Pong(message.id)))
        elif isinstance(message, Interrupt):
            await self._interrupt()

    async def _interrupt(self) -> None:
        self._epoch += 1
        epoch = self._epoch
        position_s = (self._sent_frames - self._first_frame) * TIMING.frame_s
        self._first_frame = self._sent_frames
        await self._worker.run(self, lambda: self._stream.reset(epoch))
        await self._say(encode(Interrupted(epoch, round(position_s, 3))))

    async def _deliver(self, units: list[Unit]) -> None:
        loop = asyncio.get_running_loop()
        for unit in units:
            for packet in await loop.run_in_executor(None, self._code, unit):
                await self._send(packet)
            self._sent_frames += 1

    def _code(self, unit: Unit) -> list[bytes]:
        begin_cpu_s = time.thread_time()
        packets = self._packets(unit)
        coding_s = time.thread_time() - begin_cpu_s
        self._load.film_took(coding_s, coding_s)
        return packets

    def _packets(self, unit: Unit) -> list[bytes]:
        frame, packets = self._sent_frames, []
        wire = np.clip(self._upsampler.push(unit.samples), -1, 1) * _FULL_SCALE
        pts = frame * TICKS_PER_FRAME
        for half in np.split(wire.astype(np.int16), _PACKETS_PER_FRAME):
            sound = self._coders.sound
            packets.append(
                Packet(
                    Kind.SOUND,
                    sound.codec,
                    0,
                    self._epoch,
                    frame,
                    0,
                    pts,
                    self._coders.code_sound(half),
                )
            )
            pts += len(half)
        picture = self._coders.picture
        payload, flags = self._coders.code_picture(to_video_frame(unit.picture))
        pts = frame * TICKS_PER_FRAME
        packets.append(
            Packet(Kind.PICTURE, picture.codec, flags, self._epoch, frame, 0, pts, payload)
        )
        return [pack(packet) for packet in packets]

    async def _send(self, packet: bytes) -> None:
        await self._within(self._websocket.send_bytes(packet))

    async def _within(self, sending: Awaitable[None]) -> None:
        try:
            async with asyncio.timeout(SEND_WITHIN_S):
                await sending
        except TimeoutError as error:
            raise SlowReaderError(
                f"reader too slow: it took nothing for {SEND_WITHIN_S:.0f} s"
            ) from error

    async def _say(self, text: str) -> None:
        await self._within(self._websocket.send_text(text))
