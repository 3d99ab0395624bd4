"""All visitors: who is in, and whether there is room for one more."""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable

from engine.api import Avatar, AvatarError, StreamOptions
from streamer.ice import IceSettings
from streamer.logs import SESSION_ID
from streamer.metrics import Metrics
from streamer.session import Session, SessionParts
from streamer.studio import Studio

log = logging.getLogger(__name__)
_ID_BYTES = 12


class ServerFullError(AvatarError):
    """No room for another session."""


class UnknownSessionError(AvatarError):
    """No session has this name."""


class Sessions:
    """Opens, finds and closes sessions; owns the tasks that they run in."""

    def __init__(
        self,
        studio: Studio,
        metrics: Metrics,
        max_sessions: int,
        ice: IceSettings,
        make_options: Callable[[], StreamOptions],
    ) -> None:
        self.max_sessions = max_sessions
        self._studio = studio
        self._metrics = metrics
        self._ice = ice
        self._make_options = make_options
        self._running: dict[str, tuple[Session, asyncio.Task[None]]] = {}
        self._opening = 0
        self._closing = False

    def get(self, session_id: str) -> Session:
        """Find a session. Raises `UnknownSessionError`."""
        return self._find(session_id)[0]

    async def open(self, avatar: Avatar, offer: str) -> tuple[Session, str]:
        """Answer an offer and let the session run. Raises `ServerFullError`, `BadOfferError`."""
        if self._closing:
            raise ServerFullError("the server stops: no new session")
        if len(self._running) + self._opening >= self.max_sessions:
            raise ServerFullError(
                f"{self.max_sessions} of {self.max_sessions} sessions are in use: try again later"
            )
        self._opening += 1
        try:
            return await self._open(avatar, offer)
        finally:
            self._opening -= 1

    async def close(self, session_id: str, reason: str) -> None:
        """End a session and wait until all it owned is released."""
        session, task = self._find(session_id)
        session.end(reason)
        await asyncio.wait([task])

    async def aclose(self) -> None:
        """End all sessions."""
        self._closing = True
        running = list(self._running.values())
        for session, _ in running:
            session.end("server stops")
        if running:
            await asyncio.wait([task for _, task in running])

    def _find(self, session_id: str) -> tuple[Session, asyncio.Task[None]]:
        found = self._running.get(session_id)
        if found is None:
            raise UnknownSessionError(f"session {session_id[:40]!r}: no such session")
        return found

    async def _open(self, avatar: Avatar, offer: str) -> tuple[Session, str]:
        stream, worker = await self._studio.open(avatar, self._make_options())
        session_id = secrets.token_urlsafe(_ID_BYTES)
        parts = SessionParts(
            session_id=session_id,
            avatar_id=avatar.avatar_id,
            stream=stream,
            worker=worker,
            network=self._ice.configuration(session_id, time.time()),
        )
        session = Session(parts, self._metrics)
        try:
            answer = await session.answer(offer)
        except BaseException:
            await session.release()
            raise
        task = asyncio.create_task(self._run(session), name=f"session {session.session_id}")
        self._running[session.session_id] = (session, task)
        self._metrics.sessions.set(len(self._running))
        return session, answer

    async def _run(self, session: Session) -> None:
        SESSION_ID.set(session.session_id)
        try:
            await session.run()
        except Exception:  # the border: one failed session must not touch the others
            log.exception("session %s failed", session.session_id)
            self._metrics.errors.labels("session_failed").inc()
        finally:
            del self._running[session.session_id]
            self._metrics.sessions.set(len(self._running))
