"""Whole calls over real UDP with the real server, in one process."""

import asyncio
import io
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import websockets
from PIL import Image
from websockets.asyncio.client import connect

from engine.api import Avatar, Samples, StreamOptions, Unit
from streamer import session
from streamer.lease import LeaseTerms
from streamer.service import EngineParts, ServiceSettings
from tests.fakes import FakeEngine, FakeStream
from tests.streamer.conftest import running_server
from tests.streamer.visitor import Received, Visitor, visit

pytestmark = pytest.mark.slow
FD_FOLDER = Path("/proc/self/fd")


class FailingStream(FakeStream):
    def push(self, samples: Samples) -> list[Unit]:
        if self.frames > 10:
            raise RuntimeError("out of paint")
        return super().push(samples)


class SecondStreamFails(FakeEngine):
    """The first stream is opened by the server itself, to warm up."""

    opened = 0

    def open(self, avatar: Avatar, options: StreamOptions) -> FakeStream:
        self.opened += 1
        return (FailingStream if self.opened == 3 else FakeStream)(avatar, options)


def audio_url(visitor: Visitor) -> str:
    return (
        str(visitor.http.base_url).replace("http", "ws").rstrip("/") + visitor.location + "/audio"
    )


def is_on_grid(received: list[Received], period_s: float) -> bool:
    """Whether times in the stream are whole periods apart and grow; a busy machine may skip."""
    times = [(each.stream_s - received[0].stream_s) / period_s for each in received]
    numbers = [round(time) for time in times]
    return numbers == sorted(set(numbers)) and np.allclose(times, numbers, atol=0.01)


async def test_sound_and_picture_come_in_step(server: str) -> None:
    async with visit(server) as visitor:
        await visitor.connect()
        await visitor.wait_for(lambda: len(visitor.video) >= 75 and visitor.heard("stats"))
        assert is_on_grid(visitor.video, 0.04)
        assert is_on_grid(visitor.audio, 0.02)
        sound = {round(each.stream_s / 0.02): each.strength > 0.1 for each in visitor.audio}
        agree = [
            sound.get(2 * round(each.stream_s / 0.04)) == (each.strength > 0.1)
            for each in visitor.video
        ]
        assert sum(agree) > 0.8 * len(agree)
        stats = visitor.heard("stats")[-1]
        assert stats["mic_to_lips_ms"] > 80
        assert stats["speaking"]
        assert stats["shown_frames"] > 50


async def test_without_a_microphone_the_avatar_lives_on(server: str) -> None:
    async with visit(server, microphone=False) as visitor:
        await visitor.connect()
        await visitor.wait_for(lambda: len(visitor.video) >= 40 and visitor.heard("stats"))
        assert max(each.strength for each in visitor.audio) == 0
        stats = visitor.heard("stats")[-1]
        assert stats["mic_to_lips_ms"] is None
        assert not stats["speaking"]


async def test_ping_interrupt_and_statistics(server: str) -> None:
    async with visit(server) as visitor:
        await visitor.connect()
        await visitor.wait_for(lambda: len(visitor.video) >= 25)
        visitor.say(type="ping", id=7)
        visitor.say(type="interrupt")
        visitor.channel.send("nonsense")
        await visitor.wait_for(lambda: visitor.heard("pong") and visitor.heard("interrupted"))
        assert visitor.heard("pong") == [{"type": "pong", "id": 7}]
        (first,) = visitor.heard("interrupted")
        assert first["epoch"] == 1
        assert first["position_s"] > 0.5
        answer = await visitor.http.post(visitor.location + "/interrupt")
        assert answer.json()["epoch"] == 2
        assert answer.json()["position_s"] < first["position_s"]
        await visitor.wait_for(lambda: len(visitor.heard("interrupted")) == 2)
        described = (await visitor.http.get(visitor.location)).json()
        assert described["epoch"] == 2
        assert described["state"] == "live"
        assert described["avatar"] == "fake010"


async def test_delete_says_goodbye_and_closes(server: str) -> None:
    async with visit(server) as visitor:
        await visitor.connect()
        await visitor.wait_for(lambda: visitor.video)
        assert (await visitor.http.delete(visitor.location)).status_code == 204
        assert (await visitor.http.get(visitor.location)).status_code == 404
        assert (await visitor.http.delete(visitor.location)).status_code == 404
        await visitor.wait_for(visitor.closed.is_set)
        assert visitor.heard("closing") == [{"type": "closing", "reason": "ended by request"}]


async def test_a_visitor_who_hangs_up_is_forgotten(server: str) -> None:
    async with visit(server) as visitor:
        await visitor.connect()
        await visitor.wait_for(lambda: visitor.video)
        await visitor.connection.close()
        await visitor.wait_until_gone()


async def test_a_visitor_without_heartbeat_is_hung_up_on(
    settings: ServiceSettings, parts: EngineParts
) -> None:
    rules = replace(settings.sessions, terms=LeaseTerms(silent_s=0.5, away_s=0.5))
    async with (
        running_server(replace(settings, sessions=rules), parts) as url,
        visit(url) as visitor,
    ):
        await visitor.connect()
        await visitor.wait_for(lambda: visitor.heard("closing"))
        assert "heartbeat" in visitor.heard("closing")[0]["reason"]


async def test_one_who_never_connects_makes_room_again(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "CONNECT_WITHIN_S", 0.2)
    async with visit(server) as visitor:
        answer = await visitor.offer()
        visitor.location = answer.headers["location"]
        await visitor.wait_until_gone()


async def test_when_all_places_are_taken_the_next_is_sent_away(server: str) -> None:
    async with visit(server) as one, visit(server) as two, visit(server) as three:
        await one.connect()
        await two.connect()
        answer = await three.offer()
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert answer.json()["error"]["code"] == "server_full"
        await one.http.delete(one.location)
        await three.connect()
        await three.wait_for(lambda: three.video)


async def test_speech_by_websocket_moves_the_lips(server: str) -> None:
    speech = (np.sin(np.arange(16_000) * 0.1) * 10_000).astype("<i2")
    async with visit(server, microphone=False) as visitor:
        await visitor.connect()
        async with connect(audio_url(visitor)) as socket:
            await socket.send(speech.tobytes())
            await socket.send('{"type": "flush"}')
            await visitor.wait_for(lambda: len(visitor.video) >= 60)
        spoken = [each for each in visitor.video if each.strength > 0.1]
        sounded = [each for each in visitor.audio if each.strength > 0.1]
        assert spoken[-1].stream_s - spoken[0].stream_s == pytest.approx(1.0, abs=0.1)
        assert sounded[-1].stream_s - sounded[0].stream_s == pytest.approx(1.0, abs=0.1)


async def test_bad_speech_closes_the_socket_only(server: str) -> None:
    async with visit(server, microphone=False) as visitor:
        await visitor.connect()
        for bad in (b"odd", '{"type": "dance"}', "no json"):
            async with connect(audio_url(visitor)) as socket:
                await socket.send(bad)
                assert '"code": "bad_speech"' in str(await socket.recv())
                with pytest.raises(websockets.ConnectionClosedError) as closed:
                    await socket.recv()
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == 1007
        count = len(visitor.video)
        await visitor.wait_for(lambda: len(visitor.video) > count + 10)


async def test_an_unknown_session_refuses_the_websocket(server: str) -> None:
    url = server.replace("http", "ws") + "/v1/sessions/nobody/audio"
    with pytest.raises(websockets.InvalidStatus) as refused:
        await connect(url)
    assert refused.value.response.status_code == 404
    assert b"unknown_session" in (refused.value.response.body or b"")


async def test_the_end_of_a_session_ends_its_websocket(server: str) -> None:
    async with visit(server, microphone=False) as visitor:
        await visitor.connect()
        async with connect(audio_url(visitor)) as socket:
            await visitor.http.delete(visitor.location)
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await socket.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1001


async def test_deleting_an_avatar_leaves_its_session_alone(server: str) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (32, 32), (70, 70, 70)).save(picture, "PNG")
    async with visit(server, microphone=False) as visitor:
        files = {"picture": ("a.png", picture.getvalue(), "image/png")}
        form = {"name": "Ada", "consent": "true"}
        answer = await visitor.http.post("/v1/avatars", data=form, files=files)
        avatar = answer.headers["location"]
        await visitor.connect(avatar=answer.json()["id"])
        await visitor.wait_for(lambda: visitor.video)
        assert (await visitor.http.delete(avatar)).status_code == 204
        count = len(visitor.video)
        await visitor.wait_for(lambda: len(visitor.video) > count + 20)
        described = (await visitor.http.get(visitor.location)).json()
        assert described["avatar"] == answer.json()["id"]


async def test_an_engine_that_fails_ends_one_session_only(
    settings: ServiceSettings, parts: EngineParts, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        running_server(settings, replace(parts, load=SecondStreamFails)) as url,
        visit(url) as lucky,
        visit(url) as unlucky,
    ):
        await lucky.connect()
        await lucky.wait_for(lambda: lucky.video)
        await unlucky.connect()
        await unlucky.wait_for(lambda: unlucky.heard("closing"))
        assert unlucky.heard("closing")[0]["reason"] == "the engine failed"
        count = len(lucky.video)
        await lucky.wait_for(lambda: len(lucky.video) > count + 20)
        metrics = (await lucky.http.get("/metrics")).text
    assert 'vexpress_errors_total{code="engine_failed"} 1.0' in metrics
    assert "out of paint" in caplog.text


async def test_ten_quick_calls_leave_nothing_behind(server: str) -> None:
    async def call() -> None:
        async with visit(server) as visitor:
            await visitor.connect()
            await visitor.wait_for(lambda: visitor.video)
            await visitor.http.delete(visitor.location)

    def count() -> tuple[int, int, int]:
        threads = [t for t in threading.enumerate() if not t.name.startswith("encode")]
        return len(threads), len(asyncio.all_tasks()), len(list(FD_FOLDER.iterdir()))

    await call()
    await asyncio.sleep(0.5)
    before = count()
    for _ in range(10):
        await call()
    await asyncio.sleep(0.5)
    assert count() == before
