"""`/v1/stream` on a real server, by the client library and by hand."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import numpy as np
import pytest
import websockets
from websockets.asyncio.client import ClientConnection, connect

from engine.api import Samples
from streamer import stream_socket
from streamer.client.calls import RefusedError, Server
from streamer.client.talk import AsyncTalk, Wish
from streamer.client.units import TalkUnit
from streamer.service import EngineParts, ServiceSettings
from streamer.wire import unpack
from tests.streamer.conftest import running_server

HELLO = '{"type": "hello"}'


def tone(seconds: float) -> Samples:
    return np.asarray(np.sin(np.arange(int(16_000 * seconds)) * 0.2) * 0.3, np.float32)


def socket_url(server: str) -> str:
    return server.replace("http", "ws") + "/v1/stream"


async def collect(talk: AsyncTalk, samples: Samples) -> list[TalkUnit]:
    async def speak() -> None:
        await talk.say(samples)
        await talk.flush()

    speaking = asyncio.create_task(speak())
    units = [unit async for unit in talk.units()]
    await speaking
    return units


def bar(unit: TalkUnit) -> bool:
    """Whether the fake engine painted speech into a picture."""
    assert unit.picture is not None
    return bool((unit.picture[:, unit.picture.shape[1] // 2, 0] > 180).mean() > 0.05)


@pytest.mark.parametrize(("audio", "video"), [("pcm", "jpeg"), ("opus", "h264")])
async def test_a_film_as_fast_as_it_goes(server: str, audio: Any, video: Any) -> None:
    wish = Wish(audio=audio, video=video, size=128, pace="fast")
    samples = np.concatenate([np.zeros(8_000, np.float32), tone(0.5), np.zeros(8_000, np.float32)])
    async with AsyncTalk(Server(url=server), wish) as talk:
        assert talk.size == (128, 128)
        units = await collect(talk, samples)
        assert [unit.frame for unit in units] == list(range(38))  # the last half frame is padded
        for unit in units[2:36]:
            is_loud = float(np.abs(unit.samples).max()) > 0.1
            if unit.frame not in (12, 25):  # speech begins and ends within these
                assert is_loud == bar(unit) == (12 < unit.frame < 25), unit.frame
        again = await collect(talk, tone(0.2))
        assert [unit.frame for unit in again] == list(range(38, 43)), "counted on"


@pytest.mark.slow
async def test_real_time_shows_sound_and_picture_in_step(server: str) -> None:
    async with AsyncTalk(Server(url=server), Wish()) as talk:
        units = await collect(talk, tone(1.0))
        async with httpx.AsyncClient(base_url=server) as http:
            described = (await http.get("/v1/sessions/" + talk.ready["session"])).json()
            assert described["state"] == "live"
            more = (await http.get(f"/v1/sessions/{talk.ready['session']}/stats")).json()
            assert {**more, **described} == more | {"left_s": described["left_s"]}
            assert more["line"] == "websocket"
            metrics = (await http.get("/metrics")).text
    for line in (
        'vexpress_sessions_by_state{state="live"} 1.0',
        'vexpress_sessions_by_state{state="away"} 0.0',
        'vexpress_cost_seconds_per_frame{of="engine"} ',
        "vexpress_queued_jobs ",
        "vexpress_queued_speech_seconds 0.0",
        "vexpress_engines_ready 1.0",
        "vexpress_skew_seconds_bucket",
        "vexpress_socket_encoder_seconds_per_frame_count ",
        'vexpress_socket_bytes_total{kind="picture"} ',
        "vexpress_slow_readers_total 0.0",
    ):
        assert line in metrics
    loud = [unit for unit in units if np.abs(unit.samples).max() > 0.1]
    spoken = [unit for unit in units if unit.picture is not None and bar(unit)]
    assert 24 <= len(loud) <= 27
    assert abs(loud[0].frame - spoken[0].frame) <= 1
    assert abs(loud[-1].frame - spoken[-1].frame) <= 1


@asynccontextmanager
async def by_hand(server: str, hello: str = HELLO) -> AsyncIterator[ClientConnection]:
    async with connect(socket_url(server), max_size=None) as socket:
        await socket.send(hello)
        yield socket


async def next_text(socket: ClientConnection, kind: str) -> dict[str, Any]:
    async with asyncio.timeout(20):
        while True:
            message = await socket.recv()
            if isinstance(message, str) and kind in json.loads(message).get("type", "error"):
                return dict(json.loads(message))


@pytest.mark.parametrize("pace", ["fast", "realtime"])
async def test_ping_and_interrupt_as_on_the_data_channel(server: str, pace: str) -> None:
    async with by_hand(server, json.dumps({"type": "hello", "pace": pace})) as socket:
        await next_text(socket, "ready")
        await socket.send('{"type": "ping", "id": 7}')
        assert (await next_text(socket, "pong"))["id"] == 7
        await socket.send(np.zeros(16_000, "<i2").tobytes())
        await socket.send('{"type": "interrupt"}')
        assert (await next_text(socket, "interrupted"))["epoch"] == 1
        await socket.send(np.zeros(16_000, "<i2").tobytes())
        async with asyncio.timeout(10):
            while True:
                message = await socket.recv()
                if isinstance(message, bytes) and unpack(message).epoch == 1:
                    break


async def test_who_waits_for_the_end_can_still_interrupt(server: str) -> None:
    async with by_hand(server) as socket:
        await next_text(socket, "ready")
        await socket.send((tone(30) * 30_000).astype("<i2").tobytes())
        await socket.send('{"type": "flush"}')
        await socket.send('{"type": "interrupt"}')
        assert (await next_text(socket, "interrupted"))["epoch"] == 1
        await next_text(socket, "flushed")  # long before thirty seconds are over


async def test_flushes_that_nobody_awaits_are_refused(server: str) -> None:
    async with by_hand(server) as socket:
        await next_text(socket, "ready")
        await socket.send((tone(30) * 30_000).astype("<i2").tobytes())
        for _ in range(stream_socket.MAX_FLUSHES + 1):
            await socket.send('{"type": "flush"}')
        assert "flushes wait" in (await next_text(socket, "error"))["error"]["message"]


@pytest.mark.parametrize(
    ("first", "code"),
    [
        ("nonsense", "bad_hello"),
        (b"\0\0", "bad_hello"),
        ('{"type": "hello", "avatar": "nobody"}', "unknown_avatar"),
        ('{"type": "hello", "reclaim_token": "guessed"}', "unknown_session"),
    ],
)
async def test_refusals_have_a_reason(server: str, first: str | bytes, code: str) -> None:
    async with connect(socket_url(server)) as socket:
        await socket.send(first)
        told = json.loads(await socket.recv())
        assert told["error"]["code"] == code
        assert told["error"]["message"]
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await socket.recv()
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, code)


async def test_one_who_says_nothing_is_closed(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_socket, "HELLO_WITHIN_S", 0.1)
    async with connect(socket_url(server)) as socket:
        assert "no hello within" in json.loads(await socket.recv())["error"]["message"]


@pytest.mark.parametrize("pace", ["fast", "realtime"])
async def test_half_a_sample_ends_it_with_a_reason(server: str, pace: str) -> None:
    async with by_hand(server, json.dumps({"type": "hello", "pace": pace})) as socket:
        await socket.send(b"odd")
        assert "even number" in (await next_text(socket, "error"))["error"]["message"]
        async with asyncio.timeout(20):
            await socket.wait_closed()


async def test_a_full_server_says_when_to_come_again(server: str) -> None:
    fast = '{"type": "hello", "pace": "fast"}'
    async with by_hand(server) as one, by_hand(server, fast) as two:
        await next_text(one, "ready")
        await next_text(two, "ready")
        async with by_hand(server) as third:
            told = json.loads(await third.recv())["error"]
            assert told["code"] == "server_full"
            assert told["retry_after_s"] > 0
        with pytest.raises(RefusedError, match="2 of 2 sessions are in use"):
            async with AsyncTalk(Server(url=server), Wish()):
                pass
    async with asyncio.timeout(20):
        while True:
            async with by_hand(server) as fourth:
                if "ready" in str(await fourth.recv()):
                    break
            await asyncio.sleep(0.05)


@pytest.mark.slow
async def test_a_websocket_session_is_taken_back(
    settings: ServiceSettings, parts: EngineParts
) -> None:
    async with running_server(replace(settings, drain_s=0.1), parts) as url:
        async with connect(socket_url(url)) as first:
            await first.send(HELLO)
            ready = await next_text(first, "ready")
            await first.send('{"type": "interrupt"}')
            await next_text(first, "interrupted")
            while not isinstance(message := await first.recv(), bytes) or unpack(message).frame < 5:
                pass
            first.transport.abort()  # a cut, not a goodbye
        wish = Wish(reclaim_token=ready["reclaim_token"])
        async with AsyncTalk(Server(url=url), wish) as talk:
            assert talk.ready["session"] == ready["session"]
            units = await collect(talk, tone(0.2))
            assert units[0].frame > 0
            assert {unit.epoch for unit in units if unit.picture is not None} == {1}
