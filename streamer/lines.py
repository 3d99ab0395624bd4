"""The connection of a session: one at a time, and another one may take its place."""

import asyncio
from collections.abc import Iterable
from typing import Protocol

import av
from aiortc.mediastreams import MediaStreamTrack

from streamer.audience import Audience, SessionEndedError
from streamer.peer import PeerListener
from streamer.protocol import Closing, encode
from streamer.stage import Sight, Sound

TAKEN_OVER = "another connection took over"


class Voice(Protocol):
    """Where sound leaves."""

    def release(self, sound: Sound) -> None:
        """Send one packet now."""
        ...


class Face(Protocol):
    """Where pictures leave."""

    dropped: int

    def release(self, sight: Sight[av.VideoFrame]) -> None:
        """Send one picture now."""
        ...


class Line(Protocol):
    """A way to the visitor, over WebRTC or a websocket."""

    @property
    def voice(self) -> Voice:
        """Sound out."""
        ...

    @property
    def face(self) -> Face:
        """Pictures out."""
        ...

    @property
    def microphone(self) -> MediaStreamTrack | None:
        """Sound in, if it comes as a track."""
        ...

    @property
    def camera(self) -> MediaStreamTrack | None:
        """Pictures in, if the visitor may send any."""
        ...

    def send(self, text: str) -> None:
        """Send a message, if that is possible now."""
        ...

    async def aclose(self) -> None:
        """Say what is still unsaid and hang up; safe to call twice."""
        ...


class Ear:
    """Hears what one connection reports, and passes it on while that is the session's own."""

    def __init__(self, listener: PeerListener) -> None:
        self._listener = listener
        self.is_open = True

    def peer_connected(self) -> None:
        """Media can flow."""
        if self.is_open:
            self._listener.peer_connected()

    def peer_left(self, reason: str) -> None:
        """The connection is gone."""
        if self.is_open:
            self._listener.peer_left(reason)

    def peer_said(self, text: str) -> None:
        """A message came."""
        if self.is_open:
            self._listener.peer_said(text)


class Lines:
    """Holds the line in use and hangs up those that it replaced."""

    def __init__(self, audience: Audience) -> None:
        self._audience = audience
        self.current: Line | None = None
        self._changed = asyncio.Event()
        self._ear: Ear | None = None
        self._retiring: set[asyncio.Task[None]] = set()
        self._dropped_before = 0
        self._is_over = False

    @property
    def dropped(self) -> int:
        """Pictures that were never sent, on all lines so far."""
        return self._dropped_before + (self.current.face.dropped if self.current else 0)

    def take(self, line: Line, ear: Ear) -> None:
        """Use another line from now on; the one before is told and closed.

        Raises `SessionEndedError`: whoever brings a line after the end must close it.
        """
        if self._is_over:
            raise SessionEndedError("the session ended in this moment: expected one that lives")
        before, before_ear = self.current, self._ear
        if before is not None and before_ear is not None:
            self._dropped_before += before.face.dropped
            before_ear.is_open = False
            before.send(encode(Closing(TAKEN_OVER)))
            task = asyncio.create_task(before.aclose(), name="retiring line")
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)
        self.current, self._ear = line, ear
        self._changed.set()
        self._changed = asyncio.Event()  # one event for each change: no waiter can miss one

    async def other_than(self, line: Line | None) -> Line:
        """Wait for a line that is not this one."""
        while self.current is None or self.current is line:
            await self._changed.wait()
        return self.current

    def send(self, text: str) -> None:
        """Send a message, if that is possible now."""
        if self.current is not None:
            self.current.send(text)

    def release(self, releases: Iterable[Sound | Sight[av.VideoFrame]]) -> None:
        """Let sound and pictures leave, to the visitor and to those who watch."""
        for release in releases:
            line = self.current
            if line is not None and isinstance(release, Sound):
                line.voice.release(release)
            elif line is not None and isinstance(release, Sight):
                line.face.release(release)
            self._audience.release(release)

    async def aclose(self) -> None:
        """Hang up for good; safe to call twice."""
        self._is_over = True
        if self.current is not None:
            await self.current.aclose()
        await asyncio.gather(*self._retiring, return_exceptions=True)
