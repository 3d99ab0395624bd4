"""Engine processes die while people talk."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from streamer.engine_source import EngineSource
from streamer.service import EngineParts, ServiceSettings
from streamer.studio import Crew
from tests.streamer.conftest import running_server
from tests.streamer.visitor import Visitor, visit

pytestmark = pytest.mark.slow


@pytest.fixture
async def two_processes(settings: ServiceSettings, parts: EngineParts) -> AsyncIterator[str]:
    crew = Crew(processes=2)
    parts = replace(parts, load=EngineSource("tests.fakes", "FakeEngine"))
    async with running_server(replace(settings, crew=crew), parts) as url:
        yield url


def engine_processes() -> list[int]:
    """Children of this very process that run an engine."""
    lists = Path("/proc/self/task").glob("*/children")
    children = [int(number) for file in lists for number in file.read_text().split()]
    return [pid for pid in children if b"streamer.remote.child" in command_of(pid)]


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:  # it ended since it was listed
        return b""


async def test_sessions_outlive_their_killed_engine(two_processes: str) -> None:
    async with visit(two_processes) as one, visit(two_processes) as two:
        await one.connect()
        await two.connect()
        await one.wait_for(lambda: len(one.video) > 10 and len(two.video) > 10)
        one.say(type="direct", direction={"pose": {"yaw": 9.0}})
        await one.wait_for(lambda: one.heard("directed"))
        before = engine_processes()
        sounds, since_s = (len(one.audio), len(two.audio)), time.monotonic()
        os.kill(before[0], signal.SIGKILL)
        async with asyncio.timeout(20):
            while len(set(engine_processes()) - set(before)) < 1:  # noqa: ASYNC110  processes
                await asyncio.sleep(0.05)
            while "vexpress_renewed_streams_total 1.0" not in await metrics_of(one):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert "vexpress_engine_restarts_total 1.0" in await metrics_of(one)
        packets = (time.monotonic() - since_s) / 0.02
        for visitor, before_it in zip((one, two), sounds, strict=True):
            assert len(visitor.audio) - before_it > packets / 4, "sound goes on meanwhile"
            since = len(visitor.video)
            await visitor.wait_for(lambda v=visitor, n=since: len(v.video) > n + 50)  # type: ignore[misc]
            assert not visitor.heard("closing")
            assert max(each.strength for each in visitor.video[since:]) > 0, "lips move"
        described = (await one.http.get(f"{one.location}/direction")).json()
        assert described["direction"]["pose"]["yaw"] == 9.0
        async with visit(two_processes) as third:
            assert (await third.offer()).status_code == 503, "both places are still taken"


async def metrics_of(visitor: Visitor) -> str:
    return (await visitor.http.get("/metrics")).text
