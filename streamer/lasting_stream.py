"""A stream that outlives the process of its engine: another one takes its place.

Between the two it paints nothing and nobody waits for it: samples are taken and forgotten, so the
picture stands still while the sound goes on.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TypeAlias, TypeVar

from engine.api import AvatarError, Samples, Stream, Unit
from engine.direction import Direction, PuppetFrame
from streamer.handoff import DropOldest
from streamer.remote.messages import EngineGoneError

log = logging.getLogger(__name__)
T = TypeVar("T")
GIVE_UP_AFTER_S = 30.0
MAX_LOSSES, WITHIN_S = 3, 60.0  # more, and this very session may be what kills engines
_LOOK_EVERY_S = 0.1

Renew: TypeAlias = Callable[[Callable[[Stream], None]], Awaitable[None]]


class LastingStream:
    """Passes everything on to the stream that plays now. Made on the event loop."""

    def __init__(self, stream: Stream) -> None:
        self.look_ahead_frames = stream.look_ahead_frames
        self.chunk_frames = stream.chunk_frames
        self.lost = asyncio.Event()
        self._stream = stream
        self._next: Stream | None = None
        self._lock = threading.Lock()
        self._is_lost = self._is_closed = False
        self._repaired_before = 0
        self._direction: Direction | None = None
        self._losses: DropOldest[None] = DropOldest(1, lambda _: self.lost.set())

    @property
    def repaired_frames(self) -> int:
        """Of all streams so far."""
        return self._repaired_before + self._stream.repaired_frames

    def push(self, samples: Samples) -> list[Unit]:
        """Take samples, return the units that are due; none while no stream plays."""
        return self._ask(lambda stream: stream.push(samples)) or []

    def flush(self) -> list[Unit]:
        """End of speech."""
        return self._ask(lambda stream: stream.flush()) or []

    def reset(self, epoch: int) -> None:
        """Begin an epoch; whoever is to take over does it now."""
        with self._lock:
            fresh, self._next = self._next, None
        if fresh is not None:
            self._stream.close()
            self._repaired_before += self._stream.repaired_frames
            self._stream, self._is_lost = fresh, False
        self._ask(lambda stream: stream.reset(epoch))

    def direct(self, direction: Direction) -> None:
        """Act like this, and whoever takes over too. Raises `EngineGoneError` while nobody does."""
        self._check()
        self._stream.direct(direction)
        self._direction = direction

    def gesture(self, name: str) -> None:
        """Begin a gesture. Raises `EngineGoneError` while nobody could."""
        self._check()
        self._stream.gesture(name)

    def puppet(self, frame: PuppetFrame | None) -> None:
        """Follow a camera, or none."""
        self._ask(lambda stream: stream.puppet(frame))

    def close(self) -> None:
        """Release the stream; safe to call twice."""
        with self._lock:
            self._is_closed = True
            fresh, self._next = self._next, None
        self._losses.close()
        self._stream.close()
        if fresh is not None:
            fresh.close()

    def take_over(self, stream: Stream) -> None:
        """Play with another stream from the next epoch on; callable from any thread."""
        if self._direction is not None:
            stream.direct(self._direction)
        with self._lock:
            if not self._is_closed:
                self._next = stream
                return
        stream.close()

    def _check(self) -> None:
        if self._is_lost:
            raise EngineGoneError("the engine process is being restarted: try again in a moment")

    def _ask(self, ask: Callable[[Stream], T]) -> T | None:
        if self._is_lost:
            return None
        try:
            return ask(self._stream)
        except EngineGoneError:
            self._is_lost = True
            self._losses.put_from_thread(None)
            return None


class Renewal:
    """Brings about another stream whenever one is lost, as long as there is hope."""

    def __init__(
        self,
        stream: LastingStream,
        renew: Renew,
        renewed: Callable[[], None],
        fail: Callable[[Exception], None],
    ) -> None:
        self._stream = stream
        self._renew = renew
        self._renewed = renewed
        self._fail = fail
        self._losses_s: deque[float] = deque(maxlen=MAX_LOSSES)

    async def run(self) -> None:
        """Until cancelled, or until it gives up and says why by `fail`."""
        while True:
            await self._stream.lost.wait()
            self._stream.lost.clear()
            try:
                self._count_loss(time.monotonic())
                await self._open_again()
            except AvatarError as error:
                self._fail(error)
                return
            log.warning("the session goes on with another stream: its engine process had ended")
            self._renewed()

    def _count_loss(self, now_s: float) -> None:
        is_often = len(self._losses_s) == MAX_LOSSES and now_s - self._losses_s[0] < WITHIN_S
        if is_often:
            raise EngineGoneError(
                f"the engine process ended {MAX_LOSSES + 1} times within {WITHIN_S:g} s"
            )
        self._losses_s.append(now_s)

    async def _open_again(self) -> None:
        try:
            async with asyncio.timeout(GIVE_UP_AFTER_S):
                while not await self._is_open():  # noqa: ASYNC110  a process comes up
                    await asyncio.sleep(_LOOK_EVERY_S)
        except TimeoutError as error:
            raise EngineGoneError(
                f"the engine process ended and was not back within {GIVE_UP_AFTER_S:g} s"
            ) from error

    async def _is_open(self) -> bool:
        try:
            await self._renew(self._stream.take_over)
        except EngineGoneError:
            return False
        return True
