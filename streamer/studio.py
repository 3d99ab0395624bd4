"""The engine and the two threads it runs in.

Streams are pushed in one thread, session by session: a second one was tried with three sessions on
two cores and made all of them worse. Pictures are prepared and streams opened in another, one at a
time as the engine demands: a visitor who uploads a portrait, a matter of a second, freezes nobody's
conversation.
"""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Self, TypeVar

from engine.api import Avatar, AvatarError, Engine, Picture, PortraitOptions, Stream, StreamOptions
from streamer.worker import Worker

T = TypeVar("T")
_DESK_NICE = 10  # a conversation comes before a new portrait


class NotReadyError(AvatarError):
    """The engine is still being loaded."""


class Studio:
    """Loads, prepares and opens; all off the event loop."""

    def __init__(self, options: PortraitOptions) -> None:
        self.live = Worker("live")
        self._desk = Worker("desk", nice=_DESK_NICE)
        self._options = options
        self._engine: Engine | None = None
        self._owned = ExitStack()

    def __enter__(self) -> Self:
        self._owned.enter_context(self.live)
        self._owned.enter_context(self._desk)
        return self

    def __exit__(self, *_: object) -> None:
        self._owned.close()

    async def load(self, load_engine: Callable[[], Engine]) -> None:
        """Make the engine, in the thread that will run its streams."""
        self._engine = await self.live.run(self, load_engine)

    async def at_desk(self, compute: Callable[[], T]) -> T:
        """Run something slow where it disturbs nobody."""
        return await self._desk.run(self, compute)

    def prepare(self, picture: Picture) -> Avatar:
        """Make an avatar; to be called at the desk only."""
        return self._ready_engine().prepare(picture, self._options)

    async def open(self, avatar: Avatar, options: StreamOptions) -> Stream:
        """Start a stream."""
        engine = self._ready_engine()
        return await self.at_desk(lambda: engine.open(avatar, options))

    def _ready_engine(self) -> Engine:
        if self._engine is None:
            raise NotReadyError("the engine is still being loaded: try again in a few seconds")
        return self._engine
