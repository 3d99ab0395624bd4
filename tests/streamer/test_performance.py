import asyncio
import threading

import numpy as np
import pytest

from engine.api import PortraitOptions, StreamOptions
from engine.config import TIMING
from streamer.performance import Performance, Rendered, to_video_frame
from streamer.worker import Worker
from tests.fakes import FakeEngine, FakeStream


@pytest.fixture
def stream() -> FakeStream:
    engine = FakeEngine()
    avatar = engine.prepare(np.full((8, 8, 3), 9, np.uint8), PortraitOptions(size=128))
    return engine.open(avatar, StreamOptions())


async def settle(worker: Worker, performance: Performance) -> None:
    """Wait until all that was posted is done and delivered: one client's jobs keep their order."""
    await worker.run(performance, lambda: None)
    await asyncio.sleep(0)


def frames_of(count: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.zeros(count * TIMING.samples_per_frame, np.float32)


async def test_samples_become_numbered_pictures(stream: FakeStream) -> None:
    rendered: list[Rendered] = []
    with Worker("test") as worker:
        performance = Performance(worker, stream, rendered.append, lambda _: None)
        performance.push(frames_of(3 + stream.look_ahead_frames))
        await settle(worker, performance)
        assert [(each.generation, each.index) for each in rendered] == [(0, 0), (0, 1), (0, 2)]
        assert (rendered[0].picture.width, rendered[0].picture.height) == (128, 128)
        await performance.aclose()
    assert stream.closed


def test_planes_pass_as_they_are() -> None:
    planes = np.arange(12 * 8, dtype=np.uint8).reshape(12, 8)  # I420 of 8x8: luma, then both chroma
    frame = to_video_frame(planes)
    assert (frame.format.name, frame.width, frame.height) == ("yuv420p", 8, 8)
    assert np.array_equal(frame.to_ndarray(), planes)
    rgb = np.full((8, 8, 3), 200, np.uint8)
    luma = to_video_frame(rgb).to_ndarray()[:8]
    assert np.abs(luma.astype(int) - (16 + 200 * 219 / 255)).max() <= 1


async def test_halves_of_a_frame_travel_together(stream: FakeStream) -> None:
    rendered: list[Rendered] = []
    with Worker("test") as worker:
        performance = Performance(worker, stream, rendered.append, lambda _: None)
        half = frames_of(1)[: TIMING.packet_samples]
        for _ in range(2 * (1 + stream.look_ahead_frames) - 1):
            assert performance.push(half)
        await settle(worker, performance)
        assert (rendered, len(stream.rest)) == ([], 0)
        performance.push(half)
        await settle(worker, performance)
        assert [each.index for each in rendered] == [0]
        performance.push(half)
        performance.restart(1)  # what is held goes with what is queued
        performance.push(frames_of(1 + stream.look_ahead_frames))
        await settle(worker, performance)
        assert [(each.generation, each.index) for each in rendered] == [(0, 0), (1, 0)]
        await performance.aclose()


async def test_other_sessions_wait_for_one_frame_at_a_time(stream: FakeStream) -> None:
    painted: list[int] = []
    with Worker("test") as worker:
        performance = Performance(worker, stream, lambda _: None, lambda _: None)
        gate = threading.Event()

        def hold() -> None:
            gate.wait(20)

        worker.post("gate", hold)
        performance.push(frames_of(2 + stream.look_ahead_frames))
        worker.post("other", lambda: painted.append(stream.frames))
        gate.set()
        await settle(worker, performance)
        assert (painted, stream.frames) == ([1], 2)
        await performance.aclose()


async def test_restart_drops_what_is_queued_and_renames_what_follows(stream: FakeStream) -> None:
    rendered: list[Rendered] = []
    with Worker("test") as worker:
        performance = Performance(worker, stream, rendered.append, lambda _: None)
        performance.push(frames_of(2))
        performance.restart(7)
        performance.push(frames_of(1 + stream.look_ahead_frames))
        await settle(worker, performance)
        assert [(each.generation, each.index) for each in rendered] == [(7, 0)]
        await performance.aclose()


async def test_a_failing_engine_is_reported_once_and_harms_no_other(stream: FakeStream) -> None:
    failures: list[Exception] = []
    with Worker("test") as worker:
        performance = Performance(worker, stream, lambda _: None, failures.append)
        performance.push(np.full(len(frames_of(3)), np.nan, np.float32))
        await settle(worker, performance)
        assert "finite" in str(failures[0])
        assert await worker.run("other", lambda: 1) == 1
        await performance.aclose()


async def test_after_closing_nothing_comes(stream: FakeStream) -> None:
    rendered: list[Rendered] = []
    with Worker("test") as worker:
        performance = Performance(worker, stream, rendered.append, lambda _: None)
        performance.push(frames_of(5))
        await performance.aclose()
        await settle(worker, performance)
    assert rendered == []
