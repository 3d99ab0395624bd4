"""An engine in another process, with the fake one behind it."""

import gc
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from engine.api import (
    Avatar,
    BadAudioError,
    NoFaceError,
    PortraitOptions,
    Samples,
    Stream,
    StreamClosedError,
    StreamOptions,
    Unit,
    UnknownEmotionError,
    UnknownGestureError,
)
from engine.config import TIMING
from engine.direction import Direction, Pose, PuppetFrame
from streamer.engine_source import EngineSource
from streamer.remote.engine import MAX_PAUSE_S, RemoteEngine, pause_after
from streamer.remote.messages import EngineFaultError, EngineGoneError
from streamer.remote.pictures import Pictures
from streamer.remote.process import Patience
from tests.fakes import FakeEngine, FakeStream

GREY = np.full((9, 9, 3), 10, np.uint8)
OPTIONS = PortraitOptions(size=512)
WITHIN_S = 20


class TouchyStream(FakeStream):
    """Dies, hangs or raises when it hears the right number."""

    def push(self, samples: Samples) -> list[Unit]:
        if len(samples) and samples[0] == 0.25:
            os._exit(3)
        if len(samples) and samples[0] == 0.5:
            time.sleep(600)
        if len(samples) and samples[0] == 0.75:
            raise RuntimeError("out of paint")
        return super().push(samples)


class TouchyEngine(FakeEngine):
    def open(self, avatar: Avatar, options: StreamOptions) -> FakeStream:
        return TouchyStream(avatar, options)


def load_touchy() -> TouchyEngine:
    return TouchyEngine()


@dataclass
class Scene:
    engine: RemoteEngine
    deaths: list[float]

    def open(self) -> Stream:
        return self.engine.open(self.engine.prepare(GREY, OPTIONS), StreamOptions())


@pytest.fixture(scope="module")
def pictures() -> Iterator[Pictures]:
    with Pictures() as pictures:
        yield pictures


@pytest.fixture
def scene(pictures: Pictures) -> Iterator[Scene]:
    deaths: list[float] = []
    source = EngineSource(__name__, "load_touchy")
    patience = Patience(push_s=0.5, first_push_s=0.5)
    died: Callable[[], None] = lambda: deaths.append(time.monotonic())  # noqa: E731
    with RemoteEngine(source, pictures, patience=patience, died=died) as engine:
        yield Scene(engine, deaths)


def frames_of(count: int, first: float = 0.0) -> Samples:
    samples = np.linspace(-0.2, 0.2, count * TIMING.samples_per_frame, dtype=np.float32)
    samples[0] = first
    return samples


def wait_until(condition: Callable[[], bool]) -> None:
    end_s = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.01)


def test_direction_and_camera_reach_the_other_process(scene: Scene) -> None:
    far, grey = scene.open(), np.full((64, 64, 3), 168, np.uint8)
    plain = far.push(frames_of(3))[0].picture
    far.direct(Direction(pose=Pose(yaw=9)))
    turned = far.push(frames_of(3))[0].picture
    assert not np.array_equal(plain, turned)
    far.gesture("nod")
    with pytest.raises(UnknownGestureError, match="nod, shake"):
        far.gesture("waltz")
    with pytest.raises(UnknownEmotionError, match="neutral"):
        far.direct(Direction(emotion="envy"))
    watcher = scene.engine.watch()
    frame = watcher.see(grey, 1.0)
    assert watcher.faces == 1
    assert frame == PuppetFrame(pose=Pose(yaw=4))
    far.puppet(frame)
    assert not np.array_equal(far.push(frames_of(1))[0].picture, turned)
    assert watcher.see(grey * 0, 2.0) is None
    watcher.close()
    watcher.close()


def test_it_paints_what_an_engine_of_our_own_paints(scene: Scene) -> None:
    own = TouchyEngine()
    near = own.open(own.prepare(GREY, OPTIONS), StreamOptions())
    far = scene.open()
    assert (far.look_ahead_frames, far.chunk_frames) == (2, 1)
    samples = frames_of(40)  # more pictures than the block holds at once
    for epoch in range(2):
        wanted, got = near.push(samples) + near.flush(), far.push(samples) + far.flush()
        assert len(got) == 40
        for one, other in zip(wanted, got, strict=True):
            assert (one.frame_index, one.epoch) == (other.frame_index, other.epoch)
            assert np.array_equal(one.picture, other.picture)
            assert np.array_equal(one.samples, other.samples)
            assert not other.picture.flags.writeable
        near.reset(epoch + 1)
        far.reset(epoch + 1)
    far.close()
    far.close()
    assert scene.engine.open_streams == 0
    with pytest.raises(StreamClosedError):
        far.push(samples)


def test_errors_come_back_as_they_are(scene: Scene) -> None:
    with pytest.raises(NoFaceError, match="no face found"):
        scene.engine.prepare(np.zeros((9, 9, 3), np.uint8), OPTIONS)
    stream = scene.open()
    with pytest.raises(BadAudioError, match="finite"):
        stream.push(np.full(9, np.nan, np.float32))
    with pytest.raises(EngineFaultError, match="out of paint"):
        stream.push(frames_of(1, 0.75))
    assert len(stream.push(frames_of(3))) == 1, "the process lives on"
    assert scene.deaths == []


@pytest.mark.parametrize("how", ["killed", "crashes", "hangs"])
def test_a_dead_process_is_replaced(scene: Scene, how: str) -> None:
    avatar = scene.engine.prepare(GREY, OPTIONS)
    stream, before = scene.engine.open(avatar, StreamOptions()), scene.engine.pid
    if how == "killed":
        assert before is not None
        os.kill(before, signal.SIGKILL)
    with pytest.raises(EngineGoneError, match="restarted"):
        stream.push(frames_of(1, {"killed": 0.0, "crashes": 0.25, "hangs": 0.5}[how]))
    wait_until(lambda: scene.engine.is_ready and scene.engine.pid != before)
    assert len(scene.deaths) == 1
    with pytest.raises(EngineGoneError):
        stream.push(frames_of(1))
    stream.close()
    again = scene.engine.open(avatar, StreamOptions())  # prepares it in the new process
    assert len(again.push(frames_of(3))) == 1
    again.close()


def test_avatars_that_nobody_holds_are_forgotten(scene: Scene, pictures: Pictures) -> None:
    first = scene.engine.prepare(GREY, OPTIONS)
    second = scene.engine.prepare(GREY, OPTIONS)
    numbers = (first.number, second.number)
    assert pictures.unused(numbers) == ()
    assert np.array_equal(pictures.read(first), GREY)
    del first
    gc.collect()
    assert pictures.unused(numbers) == numbers[:1]
    scene.engine.open(second, StreamOptions()).close()


def test_the_end_of_the_server_ends_the_process(pictures: Pictures) -> None:
    with RemoteEngine(EngineSource("tests.fakes", "FakeEngine"), pictures) as engine:
        pid = engine.pid
    assert pid is not None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_an_engine_that_cannot_be_loaded_says_why(pictures: Pictures) -> None:
    source = EngineSource("tests.fakes", "NoSuchEngine")
    with (
        pytest.raises(EngineFaultError, match="NoSuchEngine"),
        RemoteEngine(source, pictures),
    ):
        pass


def test_pauses_grow_and_have_an_end() -> None:
    pauses = [pause_after(deaths) for deaths in range(1, 20)]
    assert pauses[:4] == [0.0, 1.0, 2.0, 4.0]
    assert pauses == sorted(pauses)
    assert pauses[-1] == MAX_PAUSE_S
