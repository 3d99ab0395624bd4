"""The engines and the threads and processes that they run in.

A lane is an engine and the thread that pushes its streams, session by session: a second thread was
tried with three sessions on two cores and made all of them worse. With worker processes each lane's
engine lives in one of its own, and a crash there loses nothing elsewhere. Pictures are prepared and
streams opened at a desk, one at a time as engines demand: a visitor who uploads a portrait, a
matter of a second, freezes nobody's conversation.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Self, TypeVar

from engine.api import (
    Avatar,
    AvatarError,
    Engine,
    Picture,
    PortraitOptions,
    Stream,
    StreamOptions,
    Watcher,
)
from streamer.lasting_stream import Renew
from streamer.remote.engine import RemoteEngine
from streamer.remote.messages import EngineGoneError
from streamer.remote.pictures import Pictures
from streamer.remote.process import ChildLog, Patience
from streamer.worker import Worker

T = TypeVar("T")
_DESK_NICE = 10  # a conversation comes before a new portrait
_EYES_NICE = 5  # and lips before a camera


class NotReadyError(AvatarError):
    """The engine is still being loaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """Which processes compute."""

    processes: int = 0  # 0: the engine runs in a thread of the server, and may take it along
    patience: Patience = field(default_factory=Patience)
    log: ChildLog = field(default_factory=ChildLog)


@dataclass(slots=True, eq=False)
class Lane:
    """An engine, once it is loaded, and the thread in which its streams are pushed."""

    worker: Worker
    engine: Engine | None = None
    opening: int = 0  # streams that will be open in a moment

    @property
    def is_ready(self) -> bool:
        """Whether a stream can be opened."""
        engine = self.engine
        return engine.is_ready if isinstance(engine, RemoteEngine) else engine is not None

    @property
    def streams(self) -> int:
        """How many there are or will be; engines in processes count theirs, others are alone."""
        known = self.engine.open_streams if isinstance(self.engine, RemoteEngine) else 0
        return known + self.opening


@dataclass(frozen=True, slots=True)
class OpenedStream:
    """A stream, the thread in which it must be pushed, and who can watch a camera for it."""

    stream: Stream
    worker: Worker
    watch: Callable[[], Watcher]
    renew: Renew  # hand over another stream of the same avatar, options and thread


class Studio:
    """Loads, prepares and opens; all off the event loop."""

    def __init__(
        self,
        options: PortraitOptions,
        crew: Crew | None = None,
        engine_died: Callable[[], None] = lambda: None,
    ) -> None:
        self._crew = crew or Crew()
        count = max(1, self._crew.processes)
        self.lanes = [Lane(Worker(f"live {number}")) for number in range(count)]
        self._engine_died = engine_died
        self._desk = Worker("desk", nice=_DESK_NICE)
        self.eyes = Worker("eyes", nice=_EYES_NICE)
        self.options = options  # of avatars that ask for nothing else
        self._owned = ExitStack()
        self._pictures: Pictures | None = None

    @property
    def live(self) -> Worker:
        """The first lane's thread."""
        return self.lanes[0].worker

    @property
    def is_inside(self) -> bool:
        """Whether engines compute in this very process."""
        return not self._crew.processes

    @property
    def is_ready(self) -> bool:
        """Whether at least one engine can take a visitor."""
        return any(lane.is_ready for lane in self.lanes)

    def __enter__(self) -> Self:
        if self._crew.processes:
            self._pictures = self._owned.enter_context(Pictures())
        self._owned.callback(self._close_engines)
        for lane in self.lanes:
            self._owned.enter_context(lane.worker)
        self._owned.enter_context(self._desk)
        self._owned.enter_context(self.eyes)
        return self

    def __exit__(self, *_: object) -> None:
        self._owned.close()

    async def load(self, load_engine: Callable[[], Engine]) -> None:
        """Make the engines, each in the thread that will run its streams."""
        for lane in self.lanes:
            lane.engine = await lane.worker.run(self, lambda: self._make(load_engine))

    async def at_desk(self, compute: Callable[[], T]) -> T:
        """Run something slow where it disturbs nobody."""
        return await self._desk.run(self, compute)

    def prepare(self, picture: Picture, options: PortraitOptions) -> Avatar:
        """Make an avatar; to be called at the desk only."""
        return _engine_of(self._idlest()).prepare(picture, options)

    async def open(self, avatar: Avatar, options: StreamOptions) -> OpenedStream:
        """Start a stream where fewest are."""
        lane = self._idlest()
        stream = await self.open_in(lane, avatar, options)

        async def renew(take: Callable[[Stream], None]) -> None:
            # In the same lane: elsewhere there may be no time for one more.
            await self._at_lane(lane, lambda engine: take(engine.open(avatar, options)))

        return OpenedStream(stream, lane.worker, lambda: _engine_of(lane).watch(), renew)

    async def open_in(self, lane: Lane, avatar: Avatar, options: StreamOptions) -> Stream:
        """Start a stream in one lane."""
        return await self._at_lane(lane, lambda engine: engine.open(avatar, options))

    async def _at_lane(self, lane: Lane, start: Callable[[Engine], T]) -> T:
        engine = _engine_of(lane)
        lane.opening += 1  # two who come at once must not both choose this one
        try:
            return await self.at_desk(lambda: start(engine))
        finally:
            lane.opening -= 1

    def _idlest(self) -> Lane:
        ready = [lane for lane in self.lanes if lane.is_ready]
        if not ready:
            if any(lane.engine is not None for lane in self.lanes):
                raise EngineGoneError("the engine process is being restarted: try again soon")
            raise NotReadyError("the engine is still being loaded: try again in a few seconds")
        return min(ready, key=lambda lane: lane.streams)

    def _make(self, load_engine: Callable[[], Engine]) -> Engine:
        if self._pictures is None:
            return load_engine()
        crew = self._crew
        engine = RemoteEngine(
            load_engine,
            self._pictures,
            patience=crew.patience,
            child_log=crew.log,
            died=self._engine_died,
        )
        return engine.__enter__()

    def _close_engines(self) -> None:
        for lane in self.lanes:
            if isinstance(lane.engine, RemoteEngine):
                lane.engine.__exit__()


def _engine_of(lane: Lane) -> Engine:
    assert lane.engine is not None, "only lanes that are ready are chosen"
    return lane.engine
