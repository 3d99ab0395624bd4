"""What goes wrong on one side must not be felt on another, and every refusal has a reason."""

import asyncio
import errno
import io
import json
import logging
import random
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import httpx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from engine.api import Avatar, Samples, StreamOptions, Unit
from streamer import render
from streamer.lease import LeaseTerms
from streamer.pcm_socket import BadSpeechError, to_samples
from streamer.protocol import _TYPES, BadMessageError, decode
from streamer.service import EngineParts, ServiceSettings
from streamer.speech_words import is_flush
from streamer.wire import unpack
from tests.fakes import FakeEngine, FakeStream
from tests.streamer.conftest import running_server
from tests.streamer.visitor import SDP_HEADERS, visit

HELLO = '{"type": "hello"}'
FAST = '{"type": "hello", "pace": "fast"}'


def socket_url(server: str) -> str:
    return server.replace("http", "ws") + "/v1/stream"


async def frames(socket: ClientConnection, count: int) -> None:
    """Take so many more frames, as one who is still served does."""
    async with asyncio.timeout(20):
        begin: int | None = None
        while True:
            message = await socket.recv()
            if isinstance(message, bytes):
                frame = unpack(message).frame
                begin = frame if begin is None else begin
                if frame >= begin + count:
                    return


async def is_empty(http: httpx.AsyncClient) -> bool:
    return "vexpress_sessions 0.0" in (await http.get("/metrics")).text


async def wait_until_empty(url: str) -> None:
    async with httpx.AsyncClient(base_url=url) as http, asyncio.timeout(20):
        while not await is_empty(http):  # noqa: ASYNC110  HTTP
            await asyncio.sleep(0.05)


class CountingStream(FakeStream):
    open_streams = 0

    def close(self) -> None:
        CountingStream.open_streams -= not self.closed
        super().close()


class CountingEngine(FakeEngine):
    def open(self, avatar: Avatar, options: StreamOptions) -> FakeStream:
        CountingStream.open_streams += 1
        return CountingStream(avatar, options)


@pytest.mark.slow
@pytest.mark.parametrize("hello", [HELLO, FAST])
async def test_a_client_that_vanishes_mid_sentence(
    settings: ServiceSettings, parts: EngineParts, hello: str
) -> None:
    rules = replace(settings.sessions, terms=LeaseTerms(silent_s=0.3, away_s=0.3))
    CountingStream.open_streams = 0
    parts = replace(parts, load=CountingEngine)
    async with (
        running_server(replace(settings, sessions=rules), parts) as url,
        connect(socket_url(url)) as stays,
    ):
        await stays.send(HELLO)
        await frames(stays, 2)
        async with connect(socket_url(url)) as vanishes:
            await vanishes.send(hello)
            await vanishes.send(np.full(48_000, 5_000, "<i2").tobytes())
            await frames(vanishes, 2)
            vanishes.transport.abort()
        async with asyncio.timeout(20):
            while CountingStream.open_streams > 1:
                await frames(stays, 1)
        await frames(stays, 10)


@pytest.mark.slow
async def test_ten_come_back_at_once_and_one_of_them_has_the_session(server: str) -> None:
    async with connect(socket_url(server)) as first:
        await first.send(HELLO)
        ready = json.loads(await first.recv())
        hello = json.dumps({"type": "hello", "reclaim_token": ready["reclaim_token"]})
        others = [connect(socket_url(server)) for _ in range(10)]
        sockets = await asyncio.gather(*others)
        await asyncio.gather(*(each.send(hello) for each in sockets))

        async def last_word(socket: ClientConnection) -> str:
            said = ""
            with suppress(ConnectionClosed, TimeoutError):
                async with asyncio.timeout(2):
                    while True:
                        message = await socket.recv()
                        said = message if isinstance(message, str) else said
            return str(json.loads(said)["type"]) if said else ""

        ends = Counter(await asyncio.gather(*(last_word(each) for each in [first, *sockets])))
        assert ends["closing"] == 10, ends
        async with httpx.AsyncClient(base_url=server) as http:
            described = (await http.get("/v1/sessions/" + ready["session"])).json()
            assert described["state"] == "live"
            assert "vexpress_sessions 1.0" in (await http.get("/metrics")).text
        await asyncio.gather(*(each.close() for each in sockets))
    await wait_until_empty(server)


@pytest.mark.slow
async def test_two_hundred_at_once_get_a_place_or_a_reason(server: str) -> None:
    async with visit(server, microphone=False) as visitor:
        await visitor.connection.setLocalDescription(await visitor.connection.createOffer())
        offer = visitor.connection.localDescription.sdp
        # A connection that is used again may be closed by the server at that very moment.
        limits = httpx.Limits(max_connections=50, max_keepalive_connections=0)
        async with httpx.AsyncClient(base_url=server, limits=limits, timeout=30) as http:
            asked = (
                http.post("/v1/sessions", content=offer, headers=SDP_HEADERS) for _ in range(200)
            )
            answers = await asyncio.gather(*asked)
            codes = Counter(answer.status_code for answer in answers)
            assert codes == {201: 2, 503: 198}
            for answer in answers:
                if answer.status_code == 503:
                    assert answer.json()["error"]["code"] == "server_full"
                    assert int(answer.headers["retry-after"]) > 0
                else:
                    assert (await http.delete(answer.headers["location"])).status_code == 204
            metrics = (await http.get("/metrics")).text
            assert 'vexpress_refused_total{reason="full"} 198.0' in metrics
        await visitor.connect()
        await visitor.wait_for(lambda: visitor.video)


class ThirdStreamFails(FakeStream):
    def push(self, samples: Samples) -> list[Unit]:
        if np.abs(samples).max(initial=0) > 0.9:
            raise RuntimeError("out of paint")
        return super().push(samples)


class FailingEngine(FakeEngine):
    def open(self, avatar: Avatar, options: StreamOptions) -> FakeStream:
        return ThirdStreamFails(avatar, options)


@pytest.fixture
async def failing(settings: ServiceSettings, parts: EngineParts) -> AsyncIterator[str]:
    async with running_server(settings, replace(parts, load=FailingEngine)) as url:
        yield url


@pytest.mark.slow
@pytest.mark.parametrize("hello", [HELLO, FAST])
async def test_a_model_that_raises_ends_one_session_with_a_reason(failing: str, hello: str) -> None:
    async with connect(socket_url(failing)) as lucky, connect(socket_url(failing)) as unlucky:
        await lucky.send(HELLO)
        await unlucky.send(hello)
        await unlucky.send(np.full(8_000, 32_000, "<i2").tobytes())
        texts = []
        with suppress(ConnectionClosed):
            async with asyncio.timeout(20):
                while True:
                    texts.append(await unlucky.recv())
        told = str([each for each in texts if isinstance(each, str)][-1])
        assert "the engine failed" in told
        assert "Traceback" not in told
        await frames(lucky, 20)


@pytest.mark.slow
async def test_one_who_never_reads_a_film_is_closed(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(render, "SEND_WITHIN_S", 0.3)
    with socket.socket() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        host, _, port = server.removeprefix("http://").partition(":")
        raw.connect((host, int(port)))
        raw.setblocking(False)
        async with connect(socket_url(server), sock=raw) as never_reads:
            never_reads.transport.pause_reading()
            await never_reads.send(FAST)
            for _ in range(3):
                await never_reads.send(np.zeros(480_000, "<i2").tobytes())
            async with httpx.AsyncClient(base_url=server) as http, asyncio.timeout(20):
                while "slow_readers_total 1.0" not in (await http.get("/metrics")).text:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            async with connect(socket_url(server)) as other:
                await other.send(HELLO)
                await frames(other, 5)
            never_reads.transport.abort()  # a goodbye would be read by nobody


def full_disk(*_: object, **__: object) -> NoReturn:
    raise OSError(errno.ENOSPC, "No space left on device")


async def test_a_full_disk_refuses_an_upload_and_leaves_nothing(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (32, 32), (70, 70, 70)).save(picture, "PNG")
    async with httpx.AsyncClient(base_url=server) as http:
        with monkeypatch.context() as patch:
            patch.setattr(Path, "write_bytes", full_disk)
            refused = await http.post(
                "/v1/avatars",
                data={"name": "Ada", "consent": "true"},
                files={"picture": ("a.png", picture.getvalue(), "image/png")},
            )
        assert refused.status_code == 507, refused.text
        assert refused.json()["error"]["code"] == "cannot_store"
        assert "No space left" in refused.json()["error"]["message"]
        entries = (await http.get("/v1/avatars")).json()["avatars"]
        assert "Ada" not in [entry["name"] for entry in entries]
    left = await asyncio.to_thread(lambda: [each for each in tmp_path.rglob("*") if each.is_file()])
    assert left == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=5,
)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(sorted(_TYPES)), st.dictionaries(st.text(max_size=8), JSON), st.text())
def test_fuzzed_messages_are_messages_or_our_own_error(
    kind: str, fields: dict[str, Any], text: str
) -> None:
    for source in (text, json.dumps(fields), json.dumps({**fields, "type": kind})):
        with suppress(BadMessageError):
            decode(source)
        is_flush(source)


@given(st.binary(max_size=400))
def test_fuzzed_pcm_is_samples_or_our_own_error(data: bytes) -> None:
    with suppress(BadSpeechError):
        samples = to_samples(data)
        assert samples.dtype == np.float32
        assert np.abs(samples).max(initial=0.0) <= 1.0


@pytest.mark.slow
async def test_garbage_on_the_media_port_disturbs_nobody(
    server: str, caplog: pytest.LogCaptureFixture
) -> None:
    chance = random.Random(7)
    async with visit(server) as visitor:
        await visitor.connect()
        await visitor.wait_for(lambda: len(visitor.video) > 10)
        remote = visitor.connection.remoteDescription.sdp
        places = {
            (line.split()[4], int(line.split()[5]))
            for line in remote.splitlines()
            if line.startswith("a=candidate:") and ":" not in line.split()[4]
        }
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for _ in range(300):
                # STUN, DTLS and RTP are told apart by the first byte.
                first = bytes([chance.choice([0, 1, 22, 63, 128, 129, 200])])
                for place in places:
                    stranger.sendto(first + chance.randbytes(chance.randrange(200)), place)
        count = len(visitor.video)
        await visitor.wait_for(lambda: len(visitor.video) > count + 25)
    errors = [each for each in caplog.records if each.levelno >= logging.ERROR]
    assert [each for each in errors if each.name.startswith("streamer")] == []
