"""A websocket whose other end is slow, or never reads."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import numpy as np
import pytest
from starlette.types import Message
from starlette.websockets import WebSocket, WebSocketState

from streamer import socket_line
from streamer.metrics import Metrics
from streamer.performance import to_video_frame
from streamer.socket_codecs import picture_coder, sound_coder
from streamer.socket_line import MAX_WAITING_PACKETS, MAX_WAITING_PICTURES, Coders, SocketLine
from streamer.stage import Sight, Sound
from streamer.wire import Kind, Packet, unpack

PICTURE = to_video_frame(np.full((16, 16, 3), 9, np.uint8))


@dataclass
class Reader:
    """Takes messages only while its gate is open."""

    gate: asyncio.Event = field(default_factory=asyncio.Event)
    sent: list[Message] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    line: SocketLine | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "websocket.send":
            await self.gate.wait()
        self.sent.append(message)

    def packets(self) -> list[Packet]:
        return [unpack(each["bytes"]) for each in self.sent if each.get("bytes")]

    def peer_connected(self) -> None: ...
    def peer_said(self, text: str) -> None: ...
    def peer_left(self, reason: str) -> None:
        self.left.append(reason)


@pytest.fixture
async def reader() -> AsyncIterator[Reader]:
    reader = Reader()

    async def receive() -> Message:
        raise AssertionError("a line does not read")

    socket = WebSocket({"type": "websocket", "headers": []}, receive, reader.send)
    socket.client_state = socket.application_state = WebSocketState.CONNECTED
    coders = Coders(sound_coder("pcm"), picture_coder("jpeg", 16, 16), Metrics())
    reader.line = SocketLine(socket, coders, reader, lambda: None, lambda: 4)
    serving = asyncio.create_task(reader.line.serve())
    yield reader
    reader.gate.set()
    await reader.line.aclose()
    await asyncio.wait_for(serving, 10)


def release(reader: Reader, frames: range) -> None:
    assert reader.line is not None
    for frame in frames:
        for half in (0, 960):
            reader.line.release(Sound(frame * 1920 + half, np.zeros(960, np.int16)))
        reader.line.release(Sight(frame, PICTURE))


async def until(condition: object) -> None:
    async with asyncio.timeout(10):
        while not (condition() if callable(condition) else condition):  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def test_a_quick_reader_gets_everything_in_order(reader: Reader) -> None:
    reader.gate.set()
    for frame in range(10):
        release(reader, range(frame, frame + 1))
        await asyncio.sleep(0.005)
    await until(lambda: len(reader.packets()) == 30)
    assert [packet.pts for packet in reader.packets()[:3]] == [0, 960, 0]
    assert {packet.epoch for packet in reader.packets()} == {4}
    assert reader.packets()[-1].dropped == 0


async def test_a_slow_reader_misses_old_pictures_and_no_sound(reader: Reader) -> None:
    release(reader, range(50))
    await asyncio.sleep(0.02)
    reader.gate.set()
    await until(lambda: len(reader.packets()) >= 100 + MAX_WAITING_PICTURES)
    packets = reader.packets()
    sounds = [packet.pts for packet in packets if packet.kind is Kind.SOUND]
    assert sounds == list(range(0, 50 * 1920, 960)), "all of it"
    shown = [packet.frame for packet in packets if packet.kind is Kind.PICTURE]
    assert shown == list(range(45, 50)), "the newest"
    assert packets[-1].dropped == 45, "and it is told how many are missing"
    assert reader.left == []


async def test_one_who_never_reads_is_closed_with_a_reason(reader: Reader) -> None:
    release(reader, range(MAX_WAITING_PACKETS))
    assert reader.left == ["reader too slow: five seconds of sound wait unread"]
    assert reader.line is not None
    await reader.line.aclose()
    close = reader.sent[-1]
    assert close["type"] == "websocket.close"
    assert close["code"] == 1008
    assert "too slow" in close["reason"]


async def test_one_who_takes_nothing_for_long_is_closed_too(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_line, "SEND_WITHIN_S", 0.05)
    release(reader, range(1))
    await until(lambda: reader.left)
    assert "took nothing for" in reader.left[0]


async def test_last_words_are_sent_before_it_closes(reader: Reader) -> None:
    reader.gate.set()
    assert reader.line is not None
    reader.line.send(json.dumps({"type": "closing", "reason": "test"}))
    await reader.line.aclose()
    await reader.line.aclose()
    assert [each["type"] for each in reader.sent] == ["websocket.send", "websocket.close"]
