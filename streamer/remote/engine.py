"""An `Engine` whose work is done in a supervised process.

When the process dies or hangs, its streams are lost and say so; a new one is started at once, with
growing pauses if that does not last, and prepares avatars again as they are asked for.
"""

import itertools
import logging
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from engine.api import (
    Avatar,
    AvatarError,
    Engine,
    Picture,
    PortraitOptions,
    Samples,
    StreamClosedError,
    StreamOptions,
    Unit,
)
from engine.direction import Direction, PuppetFrame
from streamer.remote.messages import (
    Acting,
    Close,
    Direct,
    Done,
    EngineGoneError,
    Follow,
    Forget,
    More,
    Open,
    Opened,
    Play,
    Prepare,
    Prepared,
    Push,
    Reset,
    Units,
    picture_at,
)
from streamer.remote.pictures import Pictures, RemoteAvatar
from streamer.remote.process import ChildLog, EngineProcess, Patience
from streamer.remote.watcher import RemoteWatcher

log = logging.getLogger(__name__)
MAX_PAUSE_S = 30.0
LASTING_S = 60.0  # a life of this length forgives the deaths before it


def pause_after(deaths: int) -> float:
    """Seconds to wait before the next start, after so many short lives in a row."""
    return 0.0 if deaths <= 1 else min(MAX_PAUSE_S, 2.0 ** (deaths - 2))


class RemoteEngine:
    """Starts, watches and asks the process; use it in a `with`."""

    def __init__(
        self,
        load: Callable[[], Engine],
        pictures: Pictures,
        *,
        patience: Patience | None = None,
        child_log: ChildLog | None = None,
        died: Callable[[], None] = lambda: None,
    ) -> None:
        self._load = load
        self._pictures = pictures
        self._patience = patience or Patience()
        self._child_log = child_log or ChildLog()
        self._died = died
        self._process: EngineProcess | None = None
        self._stop = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="engine watcher", daemon=True)
        self._numbers = itertools.count(1)
        self.open_streams = 0

    def __enter__(self) -> Self:
        self._process = self._start()
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        process = self._process
        if process is not None:
            process.close()
        if self._watcher.is_alive():
            self._watcher.join()

    @property
    def is_ready(self) -> bool:
        """Whether a process with a loaded engine runs."""
        return self._process is not None and self._process.is_alive

    @property
    def pid(self) -> int | None:
        """Of the process, while there is one."""
        return self._process.pid if self._process else None

    def prepare(self, picture: Picture, options: PortraitOptions) -> RemoteAvatar:
        """Make an avatar. Raises `BadPictureError`, `EngineGoneError`."""
        process = self._running()
        number = self._pictures.next_number()
        prepared = self._prepare(process, Prepare(number, picture, options))
        return self._pictures.keep(number, prepared, picture, options)

    def open(self, avatar: Avatar, options: StreamOptions) -> "RemoteStream":
        """Start a stream of any avatar that was prepared with the same `Pictures`."""
        if not isinstance(avatar, RemoteAvatar):
            raise AvatarError(f"expected an avatar of an engine process, got {avatar!r}")
        process = self._running()
        self._forget_unused(process)
        if avatar.number not in process.known_avatars:
            again = Prepare(avatar.number, self._pictures.read(avatar), avatar.options)
            self._prepare(process, again)
        number = next(self._numbers)
        request = Open(number, avatar.number, options)
        opened = process.ask_desk(request, Opened, self._patience.desk_s)
        return RemoteStream(self, process, number, opened, self._patience)

    def watch(self) -> "RemoteWatcher":
        """Start to follow somebody before a camera, in the process that runs now."""
        return RemoteWatcher(self._running(), next(self._numbers), self._patience)

    def _prepare(self, process: EngineProcess, request: Prepare) -> Prepared:
        prepared = process.ask_desk(request, Prepared, self._patience.desk_s)
        process.known_avatars.add(request.avatar)
        return prepared

    def _forget_unused(self, process: EngineProcess) -> None:
        unused = self._pictures.unused(process.known_avatars)
        if unused:
            process.ask_desk(Forget(unused), Done, self._patience.desk_s)
            process.known_avatars.difference_update(unused)

    def _running(self) -> EngineProcess:
        process = self._process
        if process is None or not process.is_alive:
            raise EngineGoneError("the engine process is being restarted: try again in a moment")
        return process

    def _start(self) -> EngineProcess:
        process = EngineProcess(self._child_log)
        try:
            process.load(self._load, self._patience.load_s)
        except BaseException:
            process.kill()
            process.close()
            raise
        return process

    def _watch(self) -> None:
        deaths = 0
        while self._process is not None:
            begin_s = time.monotonic()
            status = self._process.wait()
            if self._stop.is_set():
                return
            deaths = 1 if time.monotonic() - begin_s > LASTING_S else deaths + 1
            log.error("the engine process ended with status %d: it is restarted", status)
            self._died()
            self._process.close()
            self._revive(deaths)

    def _revive(self, deaths: int) -> None:
        """Start again until that succeeds or all ends."""
        self._process = None
        while self._process is None and not self._stop.wait(pause_after(deaths)):
            try:
                process = self._start()
            except Exception:  # whatever it is, the next attempt may go better
                log.exception("the engine process could not be restarted")
                deaths += 1
                continue
            self._process = process
            if self._stop.is_set():  # all ended while it was loading
                process.close()


class RemoteStream:
    """One stream in the process that opened it; it dies with that process."""

    def __init__(
        self,
        engine: RemoteEngine,
        process: EngineProcess,
        number: int,
        opened: Opened,
        patience: Patience,
    ) -> None:
        self.look_ahead_frames = opened.look_ahead_frames
        self.chunk_frames = opened.chunk_frames
        self.repaired_frames = 0
        self._process = process
        self._number = number
        self._patience = patience
        self._is_warm = False
        engine.open_streams += 1
        self._end = weakref.finalize(self, _ended, engine)

    def push(self, samples: Samples) -> list[Unit]:
        """Take samples, return the units that are due."""
        return self._units(Push(self._number, samples))

    def flush(self) -> list[Unit]:
        """End of speech."""
        return self._units(Push(self._number, None))

    def reset(self, epoch: int) -> None:
        """Begin an epoch."""
        self._tell(Reset(self._number, epoch))

    def direct(self, direction: Direction) -> None:
        """Act like this."""
        self._tell(Direct(self._number, direction))

    def gesture(self, name: str) -> None:
        """Begin a gesture."""
        self._tell(Play(self._number, name))

    def puppet(self, frame: PuppetFrame | None) -> None:
        """Follow a camera, or none."""
        self._tell(Follow(self._number, frame))

    def close(self) -> None:
        """Release the stream; safe to call twice, and when its process is gone."""
        if self._end() is None:
            return
        with suppress(EngineGoneError):
            self._process.ask_live(Close(self._number), Done, self._patience.push_s)

    def _tell(self, request: Reset | Acting) -> None:
        self._check()
        self._process.ask_live(request, Done, self._patience.push_s)

    def _check(self) -> None:
        if not self._end.alive:
            raise StreamClosedError("the stream is closed")

    def _units(self, request: Push | More) -> list[Unit]:
        self._check()
        units: list[Unit] = []
        while True:
            within_s = self._patience.push_s if self._is_warm else self._patience.first_push_s
            reply = self._process.ask_live(request, Units, within_s)
            for placed in reply.units:
                picture = picture_at(self._process.block, placed)
                units.append(Unit(placed.frame_index, placed.epoch, picture, placed.samples))
            self.repaired_frames = reply.repaired_frames
            self._is_warm = self._is_warm or bool(units)
            if not reply.has_more:
                return units
            request = More()


def _ended(engine: RemoteEngine) -> bool:
    engine.open_streams -= 1
    return True
