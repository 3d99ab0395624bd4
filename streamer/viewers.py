"""All who watch: who sits where, and when they leave."""

import asyncio
import logging
import secrets
from dataclasses import dataclass, field

from aiortc import RTCConfiguration

from engine.api import AvatarError
from streamer.session import Session
from streamer.sessions import UnknownSessionError
from streamer.viewer import Viewer

log = logging.getLogger(__name__)
CONNECT_WITHIN_S = 15.0
MAX_VIEWERS = 32  # of one session
_ID_BYTES = 12


class AudienceFullError(AvatarError):
    """No room for another viewer."""


class NothingToWatchError(AvatarError):
    """Nobody has begun to speak yet."""


@dataclass
class _Seat:
    """Where one viewer sits, and what happens there."""

    session: Session
    connected: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    def peer_connected(self) -> None:
        """Media flows."""
        self.connected.set()

    def peer_left(self, reason: str) -> None:
        """The viewer is gone."""
        log.debug("a viewer left: %s", reason)
        self.connected.set()
        self.left.set()


class Viewers:
    """Opens, finds and closes viewers; owns the tasks that wait for their end."""

    def __init__(self) -> None:
        self._seats: dict[str, tuple[_Seat, Viewer, asyncio.Task[None]]] = {}

    async def open(
        self, session: Session, offer: str, network: RTCConfiguration
    ) -> tuple[str, str]:
        """The viewer's id and the SDP answer. Raises `BadOfferError` and the errors above."""
        if session.state not in {"live", "away"}:
            raise NothingToWatchError("the session has not begun yet: try again in a few seconds")
        if sum(seat.session is session for seat, _, _ in self._seats.values()) >= MAX_VIEWERS:
            raise AudienceFullError(f"{MAX_VIEWERS} watch this session already: try again later")
        seat = _Seat(session)
        viewer = Viewer(network, seat, session.audience)
        try:
            answer = await viewer.answer(offer)
        except BaseException:
            await viewer.aclose()
            raise
        viewer_id = secrets.token_urlsafe(_ID_BYTES)
        task = asyncio.create_task(self._stay(viewer_id, seat, viewer), name="viewer")
        self._seats[viewer_id] = (seat, viewer, task)
        return viewer_id, answer

    def get(self, viewer_id: str) -> Viewer:
        """Find a viewer. Raises `UnknownSessionError`."""
        return self._find(viewer_id)[1]

    async def close(self, viewer_id: str) -> None:
        """Hang up on a viewer."""
        seat, _, task = self._find(viewer_id)
        seat.peer_left("ended by request")
        await asyncio.wait([task])

    async def aclose(self) -> None:
        """Hang up on all of them."""
        tasks = [task for _, _, task in self._seats.values()]
        for seat, _, _ in self._seats.values():
            seat.peer_left("server stops")
        await asyncio.gather(*tasks)

    def _find(self, viewer_id: str) -> tuple[_Seat, Viewer, asyncio.Task[None]]:
        found = self._seats.get(viewer_id)
        if found is None:
            raise UnknownSessionError(f"viewer {viewer_id[:40]!r}: no such viewer")
        return found

    async def _stay(self, viewer_id: str, seat: _Seat, viewer: Viewer) -> None:
        """Sit there until either side leaves."""
        events = (seat.connected, seat.left, seat.session.ended)
        connected, *endings = waits = [asyncio.create_task(event.wait()) for event in events]
        first = asyncio.FIRST_COMPLETED
        try:
            await asyncio.wait(waits, timeout=CONNECT_WITHIN_S, return_when=first)
            if connected.done():
                await asyncio.wait(endings, return_when=first)
        finally:
            for wait in waits:
                wait.cancel()
            del self._seats[viewer_id]
            await viewer.aclose()
