"""A session's stream whose engine process dies, with the fake engine in place of the process."""

import asyncio
from collections.abc import Callable

import numpy as np
import pytest

import streamer.lasting_stream as module
from engine.api import PortraitOptions, Samples, Stream, StreamOptions, Unit
from engine.config import TIMING
from engine.direction import Direction, Pose
from streamer.lasting_stream import MAX_LOSSES, LastingStream, Renewal
from streamer.remote.messages import EngineGoneError
from tests.fakes import FakeEngine, FakeStream

SOUND = np.full(3 * TIMING.samples_per_frame, 0.1, np.float32)


class MortalStream(FakeStream):
    """Its engine process may be gone."""

    is_gone = False

    def push(self, samples: Samples) -> list[Unit]:
        if self.is_gone:
            raise EngineGoneError("the engine process ended: it is restarted")
        return super().push(samples)


def opened() -> MortalStream:
    avatar = FakeEngine().prepare(np.full((8, 8, 3), 9, np.uint8), PortraitOptions(size=128))
    return MortalStream(avatar, StreamOptions())


class Lane:
    """Opens streams, after some refusals."""

    def __init__(self, refusals: int = 0) -> None:
        self.refusals = refusals
        self.streams: list[MortalStream] = []

    async def renew(self, take: Callable[[Stream], None]) -> None:
        if self.refusals:
            self.refusals -= 1
            raise EngineGoneError("not yet")
        self.streams.append(opened())
        take(self.streams[-1])


async def test_another_stream_goes_on_as_the_first_was_told() -> None:
    first = opened()
    lasting = LastingStream(first)
    lasting.direct(Direction(pose=Pose(yaw=9)))
    assert len(lasting.push(SOUND)) == 1
    first.is_gone, first.repaired_frames = True, 2
    assert lasting.push(SOUND) == lasting.flush() == []
    lasting.puppet(None)
    with pytest.raises(EngineGoneError):
        lasting.gesture("nod")
    async with asyncio.timeout(5):
        await lasting.lost.wait()
    second = opened()
    lasting.take_over(second)
    assert lasting.push(SOUND) == [], "frames of no epoch would be taken for others"
    lasting.reset(7)
    assert first.closed
    (unit,) = lasting.push(SOUND)
    assert (unit.epoch, unit.frame_index) == (7, 0)
    assert second.direction.pose.yaw == 9
    second.repaired_frames = 1
    assert lasting.repaired_frames == 3
    lasting.close()
    assert second.closed


async def test_who_comes_after_the_end_is_closed() -> None:
    lasting, waiting, late = LastingStream(opened()), opened(), opened()
    lasting.take_over(waiting)
    lasting.close()
    lasting.take_over(late)
    assert waiting.closed
    assert late.closed


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOOK_EVERY_S", 0.001)
    monkeypatch.setattr(module, "GIVE_UP_AFTER_S", 0.2)


async def lose(lasting: LastingStream, lane: Lane) -> None:
    if lane.streams:
        lasting.reset(1)
        lane.streams[-1].is_gone = True
    lasting.push(SOUND)
    async with asyncio.timeout(5):
        await lasting.lost.wait()
    await asyncio.sleep(0.05)


@pytest.mark.usefixtures("hasty")
async def test_it_waits_for_the_engine_and_gives_up_in_the_end() -> None:
    first, lane, renewed, failures = opened(), Lane(refusals=3), list[int](), list[Exception]()
    lasting = LastingStream(first)
    renewal = Renewal(lasting, lane.renew, lambda: renewed.append(1), failures.append)
    running = asyncio.create_task(renewal.run())
    first.is_gone = True
    await lose(lasting, lane)
    assert (renewed, failures) == ([1], [])
    lane.refusals = 1_000_000
    await lose(lasting, lane)
    await running
    assert "not back within 0.2 s" in str(failures[0])
    lasting.close()


@pytest.mark.usefixtures("hasty")
async def test_a_session_that_loses_engine_after_engine_ends() -> None:
    first, lane, failures = opened(), Lane(), list[Exception]()
    lasting = LastingStream(first)
    renewal = Renewal(lasting, lane.renew, lambda: None, failures.append)
    running = asyncio.create_task(renewal.run())
    first.is_gone = True
    for _ in range(MAX_LOSSES + 1):
        await lose(lasting, lane)
    await running
    assert len(lane.streams) == MAX_LOSSES
    assert "ended 4 times" in str(failures[0])
    lasting.close()
