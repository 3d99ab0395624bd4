import asyncio
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from starlette.types import Message
from starlette.websockets import WebSocket, WebSocketState

from streamer.pcm_socket import BadSpeechError, feed_speech, to_samples
from streamer.session import Session
from streamer.speech_queue import SpeechQueue


def test_pcm_becomes_samples() -> None:
    samples = to_samples(np.array([0, 16_384, -32_768], "<i2").tobytes())
    assert samples.dtype == np.float32
    assert samples.tolist() == [0.0, 0.5, -1.0]
    assert len(to_samples(b"")) == 0


def test_half_a_sample_is_refused() -> None:
    with pytest.raises(BadSpeechError, match="3 bytes: expected an even number"):
        to_samples(b"abc")


async def test_while_the_queue_is_full_nothing_more_is_read() -> None:
    session = SimpleNamespace(speech=SpeechQueue(capacity_samples=100), ended=asyncio.Event())
    incoming: list[Message] = [
        {"type": "websocket.receive", "bytes": np.full(250, n, "<i2").tobytes()} for n in (1, 2)
    ]
    reads = 0

    async def receive() -> Message:
        nonlocal reads
        reads += 1
        return incoming.pop(0) if incoming else {"type": "websocket.disconnect", "code": 1000}

    async def send(message: Message) -> None:
        raise AssertionError(message)

    socket = WebSocket({"type": "websocket", "headers": []}, receive, send)
    socket.client_state = socket.application_state = WebSocketState.CONNECTED
    feeding = asyncio.create_task(feed_speech(socket, cast(Session, session)))
    taken: list[float] = []
    for step in range(5):
        async with asyncio.timeout(10):
            while not len(session.speech):  # noqa: ASYNC110  a queue without an event
                await asyncio.sleep(0.01)
        assert len(session.speech) <= 100
        assert reads <= 1 + (step >= 2) + (step >= 4), "a message waits for the one before"
        taken += session.speech.take(100, 0.0).tolist()
    await asyncio.wait_for(feeding, 10)
    assert [round(each * 32_768) for each in taken] == [1] * 250 + [2] * 250
