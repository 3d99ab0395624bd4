"""Carries out what a visitor asks of the performance, in the order in which it was asked."""

import asyncio
from collections.abc import Callable
from dataclasses import asdict
from functools import partial

from engine.api import (
    AvatarError,
    CannotDirectError,
    Stream,
    StreamClosedError,
    UnknownEmotionError,
    UnknownGestureError,
)
from engine.direction import Direction
from streamer.protocol import Direct, Directed, Gesture, Gestured, Message, Refused
from streamer.worker import Worker

WAITING_WISHES = 32
CODES: dict[type[AvatarError], str] = {
    UnknownGestureError: "unknown_gesture",
    UnknownEmotionError: "unknown_emotion",
    CannotDirectError: "cannot_direct",
    StreamClosedError: "stream_closed",
}
ANY_OTHER_CODE = "engine_failed"


def refusal(error: AvatarError) -> Refused:
    """What a visitor is told of an error."""
    return Refused(CODES.get(type(error), ANY_OTHER_CODE), str(error))


class Director:
    """Tells the stream, in the thread that owns it, how to act; and the visitor what came of it."""

    def __init__(self, worker: Worker, stream: Stream, say: Callable[[Message], None]) -> None:
        self.direction = Direction()
        self._worker = worker
        self._stream = stream
        self._say = say
        self._turn = asyncio.Lock()
        self._wishes: asyncio.Queue[Direct | Gesture] = asyncio.Queue(WAITING_WISHES)

    async def direct(self, wish: Direct) -> Directed:
        """Change the direction, as far as the limits go. Raises what `Stream.direct` raises."""
        async with self._turn:
            wanted, notes = wish.direction.applied_to(self.direction).limited()
            await self._worker.run(self, partial(self._stream.direct, wanted))
            self.direction = wanted
            done = Directed(asdict(wanted), list(notes))
            self._say(done)
            return done

    async def gesture(self, wish: Gesture) -> Gestured:
        """Begin a gesture. Raises what `Stream.gesture` raises."""
        async with self._turn:
            await self._worker.run(self, partial(self._stream.gesture, wish.name))
            done = Gestured(wish.name)
            self._say(done)
            return done

    def ask(self, wish: Direct | Gesture) -> None:
        """Queue a wish for `run`; one too many is refused."""
        try:
            self._wishes.put_nowait(wish)
        except asyncio.QueueFull:
            message = f"{WAITING_WISHES} wishes are waiting: expected them to come more slowly"
            self._say(Refused("too_many_wishes", message))

    async def run(self) -> None:
        """Carry out wishes until cancelled; what cannot be done is refused."""
        while True:
            wish = await self._wishes.get()
            try:
                await (self.direct(wish) if isinstance(wish, Direct) else self.gesture(wish))
            except AvatarError as error:
                self._say(refusal(error))
