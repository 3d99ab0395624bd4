"""A visitor's camera: the newest picture in, what it shows of the person out to the stream.

Nothing queues. While a picture is looked at only the newest one waits; a camera that is faster than
the avatar is looked at as often as the avatar has frames, and half as often while the machine has
no time: lips come first.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Protocol

import av
import numpy as np
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from engine.api import Picture, Stream, Watcher
from engine.config import TIMING
from engine.direction import PuppetFrame
from streamer.handoff import DropOldest
from streamer.remote.messages import EngineGoneError
from streamer.worker import Worker

OFF_AFTER_S = 0.6  # without a picture
LOOKED_AT_PIXELS = 480  # longest side
_MEMORY = 0.1  # of what pictures took, the share of the newest: about ten count
_LONGEST_S = 2 * TIMING.frame_s
_EASY_SHARE = 0.6  # of a frame: pictures that take less are no burden any more


class CameraState(StrEnum):
    """What a camera does for the portrait."""

    OFF = "off"
    LOOKING = "looking"  # for a face, and then for its rest
    DRIVING = "driving"


@dataclass(frozen=True, slots=True)
class CameraParts:
    """Where a camera's pictures are looked at, and whom they move."""

    watch: Callable[[], Watcher]
    eyes: Worker
    stream: Stream
    live: Worker  # the thread of the stream


@dataclass(frozen=True, slots=True)
class Sight:
    """What came of one picture."""

    frame: PuppetFrame | None
    faces: int
    took_s: float  # since the picture arrived


class CameraListener(Protocol):
    """Who wants to know what a camera does. All are called on the event loop."""

    def camera_is(self, state: CameraState, faces: int) -> None:
        """It does something else now."""
        ...

    def camera_took(self, seconds: float) -> None:
        """So long after its arrival a picture moved the portrait."""
        ...

    def camera_failed(self, error: Exception) -> None:
        """It is not looked at any more."""
        ...


class Cadence:
    """Lets through as many pictures a second as the avatar has frames; half where they take long.

    The portrait goes on in steps of its own from one picture to the next.
    """

    def __init__(self) -> None:
        self._due_s = self._took_s = 0.0
        self._every = 1

    def took(self, seconds: float) -> None:
        """Note how long a picture was on its way to the portrait."""
        seconds = min(seconds, _LONGEST_S)  # a single one, such as the first, says little
        self._took_s += (seconds - self._took_s) * _MEMORY
        if self._took_s > TIMING.frame_s:
            self._every = 2
        elif self._took_s < _EASY_SHARE * TIMING.frame_s:
            self._every = 1

    def lets(self, now_s: float) -> bool:
        """Whether a picture that comes now is looked at."""
        if now_s < self._due_s:
            return False
        # Due times stay on their grid, so that 30 pictures a second become 25, not 15.
        period_s = self._every * TIMING.frame_s
        self._due_s = max(self._due_s, now_s - period_s) + period_s
        return True


def small_picture(frame: av.VideoFrame) -> Picture:
    """RGB [height, width, 3] of a camera's frame, at most `LOOKED_AT_PIXELS` on a side."""
    share = min(1.0, LOOKED_AT_PIXELS / max(frame.width, frame.height))
    width, height = (max(1, round(side * share)) for side in (frame.width, frame.height))
    small = frame.reformat(width=width, height=height, format="rgb24")
    return np.ascontiguousarray(small.to_ndarray(), np.uint8)


class Puppetry:
    """Follows one camera for one stream."""

    def __init__(self, parts: CameraParts, listener: CameraListener) -> None:
        self.state = CameraState.OFF
        self.skipped_pictures = 0
        self._parts = parts
        self._listener = listener
        self._cadence = Cadence()
        self._watcher: Watcher | None = None
        self._waiting: tuple[av.VideoFrame, float] | None = None
        self._is_looking = self._is_over = False
        self._has_said_several = False
        self._seen: DropOldest[Sight] = DropOldest(1, self._receive)
        self._failures: DropOldest[Exception] = DropOldest(1, self._fail)

    async def follow(self, camera: MediaStreamTrack) -> None:
        """Take pictures until the camera ends; without any for a while it counts as off."""
        while True:
            patience_s = None if self.state is CameraState.OFF else OFF_AFTER_S
            try:
                async with asyncio.timeout(patience_s):
                    frame = await camera.recv()
            except TimeoutError:
                self._rest()
            except MediaStreamError:
                self._rest()
                return
            else:
                if isinstance(frame, av.VideoFrame):
                    self.show(frame, time.monotonic())

    def show(self, frame: av.VideoFrame, now_s: float) -> None:
        """Look at a picture, or let it go for a newer one."""
        if self._is_over or not self._cadence.lets(now_s):
            return
        if self.state is CameraState.OFF:
            self._become(CameraState.LOOKING, 0)
        if self._is_looking:
            self.skipped_pictures += self._waiting is not None
            self._waiting = (frame, now_s)
        else:
            self._is_looking = self._parts.eyes.post(self, partial(self._look, frame, now_s))

    def close(self) -> None:
        """Look at nothing any more."""
        self._is_over = True
        self._waiting = None
        self._seen.close()
        self._failures.close()
        self._parts.eyes.forget(self)
        self._parts.live.forget(self)
        self._parts.eyes.post(self, self._close_watcher)

    def _look(self, frame: av.VideoFrame, came_s: float) -> None:
        """In the thread of the eyes."""
        try:
            watcher = self._watcher = self._watcher or self._parts.watch()
            puppet = watcher.see(small_picture(frame), came_s)
            faces = watcher.faces
        except EngineGoneError:  # its process died: another one looks at the next picture
            self._watcher, puppet, faces = None, None, 0
        except Exception as error:  # noqa: BLE001  it ends this camera only
            self._failures.put_from_thread(error)
            return
        self._parts.live.post(self, partial(self._move, puppet))
        self._seen.put_from_thread(Sight(puppet, faces, time.monotonic() - came_s))

    def _close_watcher(self) -> None:
        if self._watcher is not None:
            self._watcher.close()

    def _move(self, puppet: PuppetFrame | None) -> None:
        """In the thread of the stream."""
        try:
            self._parts.stream.puppet(puppet)
        except Exception as error:  # noqa: BLE001  it ends this camera only
            self._failures.put_from_thread(error)

    def _receive(self, sight: Sight) -> None:
        self._is_looking = False
        if self._waiting is not None:
            (frame, came_s), self._waiting = self._waiting, None
            self._is_looking = self._parts.eyes.post(self, partial(self._look, frame, came_s))
        self._cadence.took(sight.took_s)
        self._listener.camera_took(sight.took_s)
        if self.state is not CameraState.OFF:  # else it came after the last picture was missed
            state = CameraState.DRIVING if sight.frame is not None else CameraState.LOOKING
            self._become(state, sight.faces)

    def _rest(self) -> None:
        self._parts.live.post(self, partial(self._move, None))
        self._become(CameraState.OFF, 0)

    def _become(self, state: CameraState, faces: int) -> None:
        are_new = faces > 1 and not self._has_said_several
        if state is not self.state or are_new:
            self.state = state
            self._has_said_several = faces > 1
            self._listener.camera_is(state, faces)

    def _fail(self, error: Exception) -> None:
        self._is_over = True
        self._become(CameraState.OFF, 0)
        self._listener.camera_failed(error)
