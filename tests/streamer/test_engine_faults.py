"""Engine processes die while people talk."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from streamer.engine_source import EngineSource
from streamer.service import EngineParts, ServiceSettings
from streamer.studio import Crew
from tests.streamer.conftest import running_server
from tests.streamer.visitor import visit

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
    wanted = b"streamer.remote.child"
    return [pid for pid in children if wanted in Path(f"/proc/{pid}/cmdline").read_bytes()]


async def test_a_killed_engine_takes_only_its_own_sessions_along(two_processes: str) -> None:
    async with visit(two_processes) as one, visit(two_processes) as two:
        await one.connect()
        await two.connect()
        await one.wait_for(lambda: len(one.video) > 10 and len(two.video) > 10)
        first, _ = engine_processes()
        os.kill(first, signal.SIGKILL)
        await one.wait_for(lambda: one.heard("closing") or two.heard("closing"))
        lost, other = (one, two) if one.heard("closing") else (two, one)
        count = len(other.video)
        await other.wait_for(lambda: len(other.video) > count + 25)
        assert not other.heard("closing")
        await lost.wait_until_gone()
        async with asyncio.timeout(20):
            while first in (now := engine_processes()) or len(now) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        metrics = (await other.http.get("/metrics")).text
        assert "vexpress_engine_restarts_total 1.0" in metrics
        async with visit(two_processes) as third:
            await third.connect()
            await third.wait_for(lambda: third.video)
