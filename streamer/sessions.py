"""All visitors: who is in, and whether there is room for one more."""

import asyncio
import gc
import logging
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from aiortc import RTCConfiguration

from engine.api import Avatar, AvatarError, Stream, StreamOptions
from streamer.admission import Costs, Room, ServerFullError, refusal
from streamer.barge_in import BargeIn, voice_detector
from streamer.ice import IceSettings
from streamer.lasting_stream import LastingStream
from streamer.lease import LeaseTerms
from streamer.lines import Ear, Line
from streamer.load import LoadMeter, cores
from streamer.logs import SESSION_ID
from streamer.metrics import Metrics
from streamer.session import Session
from streamer.session_parts import SessionParts
from streamer.studio import Studio
from streamer.worker import Worker

T = TypeVar("T")
LineMaker: TypeAlias = Callable[[Session, Ear], Line]
log = logging.getLogger(__name__)
_ID_BYTES = 12
# A connection is a knot of objects that refer to each other and to the last pictures, some 6 MB.
# Python unties it much later by itself: it counts objects, not their size.
_SWEEP_AFTER_S = 0.5
_LAST_LOOK_S = 2.0  # leases are looked at once a second


class DrainingError(AvatarError):
    """The server stops and takes nobody in any more."""


class UnknownSessionError(AvatarError):
    """No session has this name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRules:
    """Who may come in, and for how long."""

    max_sessions: int = 4
    by_cost: bool = True  # refuse whom the machine has no time for, too
    barge_in: bool = False  # a visitor who begins to speak interrupts what is read out
    terms: LeaseTerms = field(default_factory=LeaseTerms)


class Sessions:
    """Opens, finds and closes sessions; owns the tasks that they run in."""

    def __init__(
        self,
        studio: Studio,
        metrics: Metrics,
        rules: SessionRules,
        ice: IceSettings,
        make_options: Callable[[], StreamOptions],
    ) -> None:
        self._rules = rules
        self.load = LoadMeter(engine_inside=studio.is_inside)
        self._studio = studio
        self._metrics = metrics
        self._cores = cores()
        self._ice = ice
        self._make_options = make_options
        self._running: dict[str, tuple[Session, asyncio.Task[None]]] = {}
        self._renders: set[asyncio.Task[Any]] = set()
        self._opening = 0
        self.is_draining = False

    @property
    def running(self) -> list[Session]:
        """All of them."""
        return [session for session, _ in self._running.values()]

    def get(self, session_id: str) -> Session:
        """Find a session. Raises `UnknownSessionError`."""
        return self._find(session_id)[0]

    def newest_published(self) -> Session | None:
        """The session that began last among those that are published and can be watched."""
        running = [session for session, _ in reversed(self._running.values())]
        return next((each for each in running if each.is_published), None)

    async def open(
        self, avatar: Avatar, offer: str, publishes: bool = False
    ) -> tuple[Session, str]:
        """Answer an offer and let the session run. Raises `ServerFullError`, `BadOfferError`."""

        async def introduce(session: Session) -> str:
            network = self._network(session.session_id)
            return await session.answer(offer, network, publishes)

        with self._place():
            return await self._open(avatar, introduce)

    async def open_line(self, avatar: Avatar, make_line: LineMaker) -> Session:
        """Let a session run over a line that is connected already. Raises `ServerFullError`."""

        async def introduce(session: Session) -> None:
            join(session, make_line)

        with self._place():
            session, _ = await self._open(avatar, introduce)
            return session

    @asynccontextmanager
    async def render(self, avatar: Avatar) -> AsyncIterator[tuple[Stream, Worker]]:
        """A stream without a clock, counted like a session. Raises `ServerFullError`."""
        task = asyncio.current_task()
        assert task is not None
        with self._place():
            opened = await self._studio.open(avatar, self._make_options())
            stream, worker = opened.stream, opened.worker
            self._renders.add(task)
            try:
                yield stream, worker
            finally:
                self._renders.discard(task)
                await worker.run(task, stream.close)

    async def close(self, session_id: str, reason: str) -> None:
        """End a session and wait until all it owned is released."""
        session, task = self._find(session_id)
        session.end(reason)
        await asyncio.wait([task])

    async def reclaim(self, token: str, offer: str) -> tuple[Session, str]:
        """Let a visitor go on over a new connection. Raises `UnknownSessionError`."""
        session = self.claimed(token)
        return session, await session.answer(offer, self._network(session.session_id))

    def claimed(self, token: str) -> Session:
        """The session that a secret belongs to. Raises `UnknownSessionError`."""
        for session, _ in self._running.values():
            if secrets.compare_digest(session.reclaim_token.encode(), token.encode()):
                return session
        raise UnknownSessionError("no session to take back: it ended, or there never was one")

    async def drain(self, within_s: float) -> None:
        """Take nobody in any more, tell those who are here, and wait until they left."""
        self.is_draining = True
        for session, _ in self._running.values():
            session.end_within(within_s, "the server stops")
        tasks = [*self._renders, *(task for _, task in self._running.values())]
        if tasks:
            await asyncio.wait(tasks, timeout=within_s + _LAST_LOOK_S)

    async def watch_load(self) -> None:
        """Measure what sessions cost, second by second, until cancelled."""
        last_s = time.monotonic()
        while True:
            await asyncio.sleep(1.0)
            now_s = time.monotonic()
            self.load.second_over(len(self._running), now_s - last_s)
            last_s = now_s

    async def aclose(self) -> None:
        """End all sessions."""
        self.is_draining = True
        running = list(self._running.values())
        for session, _ in running:
            session.end("server stops")
        for render in self._renders:
            render.cancel()
        if running:
            await asyncio.wait([task for _, task in running])

    @contextmanager
    def _place(self) -> Iterator[None]:
        """Hold a place that is no running session yet, or never becomes one."""
        self._admit()
        self._opening += 1
        try:
            yield
        finally:
            self._opening -= 1

    def _network(self, session_id: str) -> RTCConfiguration:
        return self._ice.configuration(session_id, time.time())

    def _admit(self) -> None:
        """Raise what keeps another session out."""
        if self.is_draining:
            self._metrics.refused.labels("draining").inc()
            raise DrainingError("the server stops: no new session, ask another server")
        rules, costs = self._rules, self.load.costs
        if not rules.by_cost:
            costs = Costs(0.0, 0.0)
        room = Room(
            max_sessions=rules.max_sessions, lanes=len(self._studio.lanes), cores=self._cores
        )
        reason = refusal(len(self._running) + self._opening, costs, room)
        if reason:
            is_full = len(self._running) + self._opening >= rules.max_sessions
            self._metrics.refused.labels("full" if is_full else "cost").inc()
            raise ServerFullError(reason)

    def _find(self, session_id: str) -> tuple[Session, asyncio.Task[None]]:
        found = self._running.get(session_id)
        if found is None:
            raise UnknownSessionError(f"session {session_id[:40]!r}: no such session")
        return found

    async def _open(
        self, avatar: Avatar, introduce: Callable[[Session], Awaitable[T]]
    ) -> tuple[Session, T]:
        opened = await self._studio.open(avatar, self._make_options())
        session_id = secrets.token_urlsafe(_ID_BYTES)
        SESSION_ID.set(session_id)  # for all that is started from here
        parts = SessionParts(
            session_id=session_id,
            avatar=avatar,
            stream=LastingStream(opened.stream),
            worker=opened.worker,
            terms=self._rules.terms,
            load=self.load,
            eyes=self._studio.eyes,
            watch=opened.watch,
            renew=opened.renew,
            barge_in=BargeIn(voice_detector()) if self._rules.barge_in else None,
        )
        session = Session(parts, self._metrics)
        try:
            answer = await introduce(session)
        except BaseException:
            await asyncio.shield(session.release())
            raise
        task = asyncio.create_task(self._run(session), name=f"session {session.session_id}")
        self._running[session.session_id] = (session, task)
        self._metrics.sessions.set(len(self._running))
        if self.is_draining:  # since this one began to open
            session.end("the server stops")
        return session, answer

    async def _run(self, session: Session) -> None:
        try:
            await session.run()
        except Exception:  # the border: one failed session must not touch the others
            log.exception("session %s failed", session.session_id)
            self._metrics.errors.labels("session_failed").inc()
        finally:
            del self._running[session.session_id]
            asyncio.get_running_loop().call_later(_SWEEP_AFTER_S, gc.collect)
            self._metrics.sessions.set(len(self._running))


def join(session: Session, make_line: LineMaker) -> None:
    """Let a session talk over a line that is connected already."""
    ear = Ear(session)
    session.take_line(make_line(session, ear), ear)
    ear.peer_connected()
