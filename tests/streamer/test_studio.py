"""Several engine processes share the visitors."""

import asyncio

import numpy as np

from engine.api import PortraitOptions, StreamOptions
from streamer.engine_source import EngineSource
from streamer.studio import Crew, Studio


async def test_those_who_come_at_once_are_spread_too() -> None:
    with Studio(PortraitOptions(size=128), Crew(processes=2)) as studio:
        await studio.load(EngineSource("tests.fakes", "FakeEngine"))
        picture = np.full((9, 9, 3), 10, np.uint8)
        avatar = await studio.at_desk(lambda: studio.prepare(picture, PortraitOptions(size=128)))
        opened = await asyncio.gather(*(studio.open(avatar, StreamOptions()) for _ in range(4)))
        assert [lane.streams for lane in studio.lanes] == [2, 2]
        workers = {id(each.worker) for each in opened}
        assert len(workers) == 2
        for each in opened:
            await each.worker.run(each, each.stream.close)
        assert [lane.streams for lane in studio.lanes] == [0, 0]
