import asyncio
from collections.abc import Iterator

import numpy as np
import pytest

from engine.api import CannotDirectError, PortraitOptions, StreamOptions, UnknownGestureError
from engine.direction import LIMITS, Direction, Pose
from streamer.direction_changes import DirectionChanges, PoseChanges
from streamer.director import WAITING_WISHES, Director
from streamer.protocol import Direct, Directed, Gesture, Gestured, Message, Refused
from streamer.worker import Worker
from tests.fakes import FakeEngine, FakeStream
from tests.streamer.acting import StiffStream


@pytest.fixture
def worker() -> Iterator[Worker]:
    with Worker("test") as worker:
        yield worker


@pytest.fixture
def said() -> list[Message]:
    return []


def opened(kind: type[FakeStream] = FakeStream) -> FakeStream:
    avatar = FakeEngine().prepare(np.full((8, 8, 3), 9, np.uint8), PortraitOptions(size=128))
    return kind(avatar, StreamOptions())


def turned(yaw: float) -> Direct:
    return Direct(DirectionChanges(pose=PoseChanges(yaw=yaw)))


async def test_what_is_not_named_stays(worker: Worker, said: list[Message]) -> None:
    stream = opened()
    director = Director(worker, stream, said.append)
    await director.direct(Direct(DirectionChanges(emotion="smile", brows=1.5)))
    await director.direct(turned(8))
    await director.direct(Direct(DirectionChanges(pose=PoseChanges(pitch=-3))))
    wanted = Direction(pose=Pose(yaw=8, pitch=-3), emotion="smile", brows=1.5)
    assert director.direction == stream.direction == wanted


async def test_what_is_beyond_a_limit_is_brought_back_and_said(
    worker: Worker, said: list[Message]
) -> None:
    director = Director(worker, opened(), said.append)
    done = await director.direct(turned(40))
    low, high = LIMITS["yaw"]
    assert done.direction["pose"]["yaw"] == high
    assert done.notes == [f"yaw 40: limited to {high:g} ({low:g} to {high:g})"]
    assert said == [done]


async def test_wishes_are_carried_out_in_order_and_the_impossible_refused(
    worker: Worker, said: list[Message]
) -> None:
    stream = opened()
    director = Director(worker, stream, said.append)
    wishes = (Gesture("nod"), turned(3), Gesture("dance"), Gesture("wink"), turned(4))
    for wish in wishes:
        director.ask(wish)
    running = asyncio.create_task(director.run())
    while len(said) < len(wishes):  # noqa: ASYNC110  what is said sets no event
        await asyncio.sleep(0.005)
    running.cancel()
    assert [type(message) for message in said] == [Gestured, Directed, Refused, Gestured, Directed]
    refused = said[2]
    assert isinstance(refused, Refused)
    assert refused.code == "unknown_gesture"
    assert "'dance': expected one of: nod, shake" in refused.message
    assert stream.gestures == ["nod", "wink"]


async def test_an_engine_that_cannot_leaves_the_direction_as_it_was(
    worker: Worker, said: list[Message]
) -> None:
    director = Director(worker, opened(StiffStream), said.append)
    with pytest.raises(CannotDirectError):
        await director.direct(turned(5))
    with pytest.raises(UnknownGestureError):
        await Director(worker, opened(), said.append).gesture(Gesture("dance"))
    assert director.direction == Direction()
    assert said == []


async def test_too_many_wishes_are_refused(worker: Worker, said: list[Message]) -> None:
    director = Director(worker, opened(), said.append)
    for _ in range(WAITING_WISHES + 3):
        director.ask(turned(1))
    assert [message.code for message in said if isinstance(message, Refused)] == [
        "too_many_wishes"
    ] * 3
