"""An engine without room, one that repairs frames, one that is too slow."""

import asyncio
import io
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import httpx
import numpy as np
import pytest
from PIL import Image

from engine.api import Avatar, EngineFullError, Picture, PortraitOptions, StreamOptions, Unit
from engine.config import TIMING
from streamer.service import EngineParts, Service, ServiceSettings
from tests.fakes import FakeAvatar, FakeEngine, FakeStream
from tests.streamer.conftest import running_server
from tests.streamer.visitor import Visitor, visit

SERVER_STREAMS = 1  # the one that the server warms up with


@dataclass
class SmallEngine(FakeEngine):
    """Has room for one visitor and for the portraits that are built in."""

    opened: int = 0
    prepared: int = 0

    def prepare(self, picture: Picture, options: PortraitOptions) -> FakeAvatar:
        self.prepared += 1
        if self.prepared > 2:
            raise EngineFullError("no memory left for another portrait")
        return super().prepare(picture, options)

    def open(self, avatar: Avatar, options: StreamOptions) -> FakeStream:
        self.opened += 1
        if self.opened > SERVER_STREAMS + 1:
            raise EngineFullError("no memory left for another visitor")
        return super().open(avatar, options)


class RepairingStream(FakeStream):
    """Every frame goes wrong and has another one shown in its place."""

    def _unit(self, samples: np.ndarray[tuple[int], np.dtype[np.float32]]) -> Unit:
        self.repaired_frames += 1
        return super()._unit(samples)


class RepairingEngine(FakeEngine):
    def open(self, avatar: Avatar, options: StreamOptions) -> FakeStream:
        return RepairingStream(avatar, options)


class SlowStream(FakeStream):
    def _unit(self, samples: np.ndarray[tuple[int], np.dtype[np.float32]]) -> Unit:
        time.sleep(1.2 * TIMING.frame_s)
        return super()._unit(samples)


class SlowEngine(FakeEngine):
    def open(self, avatar: Avatar, options: StreamOptions) -> FakeStream:
        return SlowStream(avatar, options)


def assert_full(answer: httpx.Response, message: str) -> None:
    assert answer.status_code == 503, answer.text
    assert answer.json() == {"error": {"code": "engine_full", "message": message}}
    assert int(answer.headers["retry-after"]) > 0


async def upload(visitor: Visitor) -> httpx.Response:
    picture = io.BytesIO()
    Image.new("RGB", (32, 32), (70, 70, 70)).save(picture, "PNG")
    files = {"picture": ("a.png", picture.getvalue(), "image/png")}
    form = {"name": "Ada", "consent": "true"}
    return await visitor.http.post("/v1/avatars", data=form, files=files)


@pytest.mark.slow
async def test_a_full_engine_sends_the_next_one_away_and_serves_the_others(
    settings: ServiceSettings, parts: EngineParts
) -> None:
    async with (
        running_server(settings, replace(parts, load=SmallEngine)) as url,
        visit(url) as lucky,
        visit(url) as late,
    ):
        await lucky.connect()
        await lucky.wait_for(lambda: lucky.video)
        await wait_for_portraits(lucky, 2)
        assert_full(await late.offer(), "no memory left for another visitor")
        assert_full(await upload(late), "no memory left for another portrait")
        count = len(lucky.video)
        await lucky.wait_for(lambda: len(lucky.video) > count + 20)
        assert "vexpress_sessions 1.0" in (await lucky.http.get("/metrics")).text
        listed = (await lucky.http.get("/v1/avatars")).json()["avatars"]
        assert [each["builtin"] for each in listed] == [True, True]


async def wait_for_portraits(visitor: Visitor, count: int) -> None:
    while len((await visitor.http.get("/v1/avatars")).json()["avatars"]) < count:  # noqa: ASYNC110
        await asyncio.sleep(0.05)


@pytest.mark.slow
async def test_repaired_frames_are_counted(settings: ServiceSettings, parts: EngineParts) -> None:
    async with (
        running_server(settings, replace(parts, load=RepairingEngine)) as url,
        visit(url) as visitor,
    ):
        await visitor.connect()
        await visitor.wait_for(lambda: len(visitor.heard("stats")) >= 2)
        text = (await visitor.http.get("/metrics")).text
    counted = {
        line.partition('outcome="')[2].partition('"')[0]: float(line.rpartition(" ")[2])
        for line in text.splitlines()
        if line.startswith("vexpress_frames_total")
    }
    assert counted["repaired"] >= counted["shown"] > 0


@pytest.mark.parametrize(("load", "is_slow"), [(SlowEngine, True), (FakeEngine, False)])
async def test_an_engine_that_is_too_slow_is_told_at_the_start(
    load: Callable[[], FakeEngine],
    is_slow: bool,
    settings: ServiceSettings,
    parts: EngineParts,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING, "streamer.service"):
        async with Service(settings, replace(parts, load=load)) as service:
            await service.warm_up()
            assert service.ready
    told = [record.getMessage() for record in caplog.records if "ms a frame" in record.message]
    assert len(told) == is_slow
    assert all("real time leaves it 40" in message for message in told)
