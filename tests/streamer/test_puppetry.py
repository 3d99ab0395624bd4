import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field

import av
import numpy as np
import pytest
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from engine.api import CannotDirectError, Picture, PortraitOptions, StreamOptions, Watcher
from engine.direction import PuppetFrame
from streamer import puppetry
from streamer.puppetry import (
    LOOKED_AT_PIXELS,
    Cadence,
    CameraParts,
    CameraState,
    Puppetry,
    small_picture,
)
from streamer.remote.messages import EngineGoneError
from streamer.worker import Worker
from tests.fakes import FakeEngine, FakeStream, FakeWatcher
from tests.streamer.acting import StiffStream

GREY, BLACK, WHITE = 128, 0, 250


@dataclass
class Listener:
    """Remembers what it is told."""

    states: list[tuple[CameraState, int]] = field(default_factory=list)
    took_s: list[float] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)

    def camera_is(self, state: CameraState, faces: int) -> None:
        self.states.append((state, faces))

    def camera_took(self, seconds: float) -> None:
        self.took_s.append(seconds)

    def camera_failed(self, error: Exception) -> None:
        self.errors.append(error)


class SlowWatcher(FakeWatcher):
    """Looks for as long as it is held."""

    def __init__(self) -> None:
        self.may_go = threading.Event()
        self.begun = threading.Event()
        self.seen: list[int] = []

    def see(self, picture: Picture, time_s: float) -> PuppetFrame | None:
        self.begun.set()
        assert self.may_go.wait(10)
        self.seen.append(round(float(picture.mean())))
        return super().see(picture, time_s)


class Playlist(MediaStreamTrack):
    """Pictures from a queue; None ends it."""

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self.pictures: asyncio.Queue[av.VideoFrame | None] = asyncio.Queue()

    async def recv(self) -> av.VideoFrame:
        frame = await self.pictures.get()
        if frame is None:
            raise MediaStreamError
        return frame


def picture(level: int, width: int = 160, height: int = 120) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(np.full((height, width, 3), level, np.uint8), format="rgb24")


def stream_of(kind: type[FakeStream] = FakeStream) -> FakeStream:
    avatar = FakeEngine().prepare(np.full((8, 8, 3), 9, np.uint8), PortraitOptions(size=128))
    return kind(avatar, StreamOptions())


@dataclass
class Set:
    """A camera, who looks, and whom it moves."""

    puppetry: Puppetry
    listener: Listener
    stream: FakeStream


@contextmanager
def filming(
    watch: Callable[[], Watcher] = FakeWatcher, kind: type[FakeStream] = FakeStream
) -> Iterator[Set]:
    with Worker("eyes") as eyes, Worker("live") as live:
        stream, listener = stream_of(kind), Listener()
        followed = Puppetry(CameraParts(watch, eyes, stream, live), listener)
        yield Set(followed, listener, stream)
        followed.close()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  threads set no event of the loop
            await asyncio.sleep(0.005)


def test_a_fast_camera_is_looked_at_as_often_as_the_avatar_has_frames() -> None:
    def looked_at(rate_hz: float) -> int:
        cadence = Cadence()
        return sum(cadence.lets(5 + number / rate_hz) for number in range(round(2 * rate_hz)))

    assert abs(looked_at(30) - 50) <= 1
    assert abs(looked_at(60) - 50) <= 1
    assert looked_at(24) == 48
    assert looked_at(10) == 20


def test_a_machine_without_time_looks_half_as_often_until_it_has_some() -> None:
    cadence = Cadence()

    def looked_at(took_s: float, begin_s: float) -> int:
        count = 0
        for number in range(50):
            if cadence.lets(begin_s + number / 25):
                cadence.took(took_s)
                count += 1
        return count

    assert looked_at(0.02, 0) >= 49
    assert looked_at(0.09, 2) < 40, "it takes some pictures to be believed"
    assert 24 <= looked_at(0.09, 4) <= 26
    assert looked_at(0.03, 6) < 35, "neither a burden nor none"
    looked_at(0.01, 8)
    assert looked_at(0.01, 10) >= 49


def test_large_pictures_are_made_small_and_small_ones_left() -> None:
    assert small_picture(picture(77, 1280, 720)).shape == (270, LOOKED_AT_PIXELS, 3)
    assert small_picture(picture(77, 720, 1280)).shape == (LOOKED_AT_PIXELS, 270, 3)
    small = small_picture(picture(77))
    assert small.shape == (120, 160, 3)
    assert abs(float(small.mean()) - 77) < 2


async def test_a_face_drives_the_stream_and_its_absence_lets_go() -> None:
    with filming() as it:
        it.puppetry.show(picture(GREY + 60), 1.0)
        await until(lambda: it.stream.puppet_frame)
        frame = it.stream.puppet_frame
        assert frame is not None
        assert abs(frame.pose.yaw - 6) < 0.3
        await until(lambda: it.puppetry.state is CameraState.DRIVING)
        it.puppetry.show(picture(BLACK), 2.0)
        await until(lambda: it.stream.puppet_frame is None)
        await until(lambda: it.puppetry.state is CameraState.LOOKING)
        await until(lambda: len(it.listener.took_s) == 2)
        assert [state for state, _ in it.listener.states] == ["looking", "driving", "looking"]


async def test_only_the_newest_picture_waits() -> None:
    watcher = SlowWatcher()
    with filming(lambda: watcher) as it:
        for number in range(6):
            it.puppetry.show(picture(100 + 10 * number), float(number))
            await asyncio.to_thread(watcher.begun.wait, 10)
        watcher.may_go.set()
        await until(lambda: len(watcher.seen) == 2)
        assert np.allclose(watcher.seen, [100, 150], atol=2)
        assert it.puppetry.skipped_pictures == 4


async def test_several_faces_are_told_once() -> None:
    with filming() as it:
        for number, level in enumerate((GREY, WHITE, WHITE, WHITE)):
            it.puppetry.show(picture(level), float(number))
            await until(lambda: len(it.listener.took_s) == number + 1)  # noqa: B023  awaited here
        assert it.listener.states == [
            (CameraState.LOOKING, 0),
            (CameraState.DRIVING, 1),
            (CameraState.DRIVING, 2),
        ]


@asynccontextmanager
async def followed(it: Set, camera: Playlist):  # type: ignore[no-untyped-def]  # noqa: ANN201
    async with AsyncExitStack() as owned:
        task = asyncio.create_task(it.puppetry.follow(camera))
        owned.callback(task.cancel)
        yield task


async def test_a_camera_that_pauses_is_off_and_comes_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(puppetry, "OFF_AFTER_S", 0.05)
    camera = Playlist()
    with filming() as it:
        async with followed(it, camera) as task:
            for _ in range(2):
                camera.pictures.put_nowait(picture(GREY + 50))
                await until(lambda: it.stream.puppet_frame)
                await until(lambda: it.puppetry.state is CameraState.OFF)
                await until(lambda: it.stream.puppet_frame is None)
            camera.pictures.put_nowait(None)
            await task
    assert it.listener.errors == []


@pytest.mark.parametrize("kind", [StiffStream, FakeStream])
async def test_a_failure_ends_the_camera_only(kind: type[FakeStream]) -> None:
    def blind() -> Watcher:
        raise CannotDirectError("no eyes")

    with filming(FakeWatcher if kind is StiffStream else blind, kind) as it:
        it.puppetry.show(picture(GREY), 1.0)
        await until(lambda: it.listener.errors)
        it.puppetry.show(picture(GREY), 2.0)
        assert it.puppetry.state is CameraState.OFF
        assert isinstance(it.listener.errors[0], CannotDirectError)


async def test_a_camera_outlives_the_process_that_looked_at_it() -> None:
    class Gone(FakeWatcher):
        def see(self, picture: Picture, time_s: float) -> PuppetFrame | None:
            raise EngineGoneError("the engine process ended: it is restarted")

    watchers: list[Watcher] = [FakeWatcher(), Gone()]
    with filming(watchers.pop) as it:
        it.puppetry.show(picture(GREY + 60), 1.0)
        await until(lambda: not it.puppetry._is_looking)
        it.puppetry.show(picture(GREY + 60), 2.0)
        await until(lambda: it.puppetry.state is CameraState.DRIVING)
        assert watchers == []
